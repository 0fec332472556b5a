# SPDX-License-Identifier: Apache-2.0
"""CitizenK Replicator as it is deployed: clusters, prefix, logging and periods from the environment, a
mapping file that is watched, one cluster behind TLS and SCRAM (on-premises ↔ cloud), two workers."""
import json
import os
import subprocess
from urllib.parse import quote

import confluent_kafka.admin as kafka_admin
import pytest

from support import tls
from support.kafka import KafkaBroker
from support.paths import bin_dir
from support.ports import find_free
from support.servers import Stack, unique_name

from .copying import group_offsets, mapping_path, read, send, values, wait_until

USER, PASSWORD = "clerk", "a secret with = and ,"
NAME = "cloud to here"


def secured(folder, plain, controller, secure):
    """A broker whose second listener wants TLS and a name."""
    ca, pem = tls.make(folder / "tls")
    listeners = "PLAINTEXT://127.0.0.1:%d,SASL_SSL://127.0.0.1:%d" % (plain, secure)
    plain_login = 'org.apache.kafka.common.security.plain.PlainLoginModule required user_%s="%s";'
    scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    broker = KafkaBroker(folder / "data", plain, controller, name="kafka-cloud", die_with_parent=True, properties={
        "listeners": f"{listeners},CONTROLLER://127.0.0.1:{controller}", "advertised.listeners": listeners,
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT",
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
        "listener.name.sasl_ssl.plain.sasl.jaas.config": plain_login % (USER, PASSWORD),
        "listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config": scram,
        "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": scram,
        "ssl.keystore.type": "PEM", "ssl.keystore.location": pem})
    broker.start()
    broker.secure, broker.ca = f"127.0.0.1:{secure}", ca
    return broker


def add_user(admin):
    for mechanism in (kafka_admin.ScramMechanism.SCRAM_SHA_256, kafka_admin.ScramMechanism.SCRAM_SHA_512):
        wanted = kafka_admin.UserScramCredentialUpsertion(
            USER, kafka_admin.ScramCredentialInfo(mechanism, 4096), PASSWORD.encode())
        admin.alter_user_scram_credentials([wanted])[USER].result(30)


@pytest.fixture(scope="module")
def cloud(_started_servers, run_folder):
    broker = secured(run_folder / unique_name("cloud"), *find_free(3))
    try:
        add_user(_started_servers.admin(broker))
        yield broker
    finally:
        broker.stop()


@pytest.fixture(scope="module")
def watched(run_folder):
    folder = run_folder / unique_name("files")
    (folder / "templates").mkdir(parents=True)
    return folder


@pytest.fixture(scope="module")
def stack(_started_servers, run_folder, cloud, watched):
    _started_servers.ensure()
    name = unique_name("s")
    made = Stack(_started_servers, name, run_folder / name)
    both = {"LOG_LEVEL": "DEBUG", "JSON_LOGGING": "0", "KAFKA_SOURCE_SASL_PASSWORD": PASSWORD}
    env = {**both, "API_PREFIX": "/replicator", "KAFKA_SOURCE_SERVER_URL": cloud.secure,
           "KAFKA_SOURCE_SASL_MECHANISM": "scram-sha-512", "KAFKA_SOURCE_SASL_USERNAME": USER,
           "KAFKA_SOURCE_EXTRA_CONFIG_SSL_CA_LOCATION": str(cloud.ca),
           "KAFKA_SOURCE_EXTRA_CONFIG_FETCH_MIN_BYTES": "2", "KAFKA_SOURCE_GROUP_NAME": "bridge",
           "KAFKA_TARGET_SERVER_URL": _started_servers.target.bootstrap, "KAFKA_TARGET_USE_TLS": "0",
           "KAFKA_TARGET_EXTRA_CONFIG_LINGER_MS": "7", "READ_MAPPINGS_EVERY_SECONDS": "1",
           "CACULATE_STATS_EVERY_SECONDS": "3", "DELETE_GROUPS_EVERY_SECONDS": "5"}
    try:
        made.add_controlplane(wait=False, env=env, extra=[
            "--mappings-file", str(watched / "mappings.json"), "--templates-folder", str(watched / "templates")])
        for _ in range(2):
            made.add_worker(wait=False, env={**both, "FILE_DATA_PATH": str(watched)})
        for program in made.programs():
            program.wait_ready()
        made.wait_workers(2)
        yield made
    finally:
        made.stop()


@pytest.fixture
def topic(servers, cloud):
    def make(name, partitions=1):
        for broker in (cloud, servers.target):
            servers.create_topic(broker, name, partitions)
        return name
    return make


def state(stack):
    return stack.rest.get("/replicator/mappings")


def write(folder, document, name="mappings.json"):
    text = document if isinstance(document, str) else json.dumps(document)
    (folder / "new").write_text(text)
    os.replace(folder / "new", folder / name)


def mapping(topic, name=NAME, **more):
    return {"name": name, "source_topic_name": topic, "target_topic_name": topic, **more}


def test_settings_of_the_environment(stack, cloud, servers):
    wait_until(lambda: stack.rest.call("GET", mapping_path("x").replace("mappings/x", "clusters/target")).status == 200,
               20, "the clusters to be there")
    specs = {name: stack.rest.get(f"/api/v1/teams/default/clusters/{name}")["spec"] for name in ("source", "target")}
    assert specs == {
        "source": {"bootstrap_servers": cloud.secure, "security_protocol": "sasl_ssl",
                   "sasl_mechanism": "SCRAM-SHA-512", "sasl_username": USER,
                   "sasl_password": "${env:KAFKA_SOURCE_SASL_PASSWORD}", "ssl_ca": "${file:%s}" % cloud.ca,
                   "properties": {"fetch.min.bytes": "2"}},
        "target": {"bootstrap_servers": servers.target.bootstrap, "security_protocol": "plaintext",
                   "properties": {"linger.ms": "7"}}}
    assert stack.rest.get("/replicator/api/v1/version") == stack.rest.get("/api/v1/version")
    assert stack.rest.call("GET", "/replicatorx/mappings").status == 404
    first = stack.rest.get("/replicator/stats")
    assert stack.rest.get("/replicator/stats")["time"] == first["time"]     # within the 3 seconds
    for program in (stack.controlplanes[0], stack.workers[0]):
        log = program.process.log.read_text()
        assert "level=debug" in log and not log.startswith("{")


@pytest.mark.parametrize("variable, value, said", [
    ("LOG_LEVEL", "LOUD", "LOG_LEVEL: must be DEBUG, INFO, WARNING or ERROR"),
    ("JSON_LOGGING", "2", "JSON_LOGGING: must be 0 or 1"),
    ("API_PREFIX", "x/", "API_PREFIX: must be a path"),
    ("CALCULATE_STATS_EVERY_SECONDS", "soon", "CALCULATE_STATS_EVERY_SECONDS: must be a whole number"),
    ("KAFKA_SOURCE_SASL_MECHANISM", "GSSAPI", "KAFKA_SOURCE_SASL_MECHANISM: must be PLAIN, SCRAM"),
    ("KAFKA_SOURCE_SERVER_URL", "a b", "KAFKA_SOURCE_SERVER_URL: must be a list"),
    ("KAFKA_SOURCE_SASL_USERNAME", "u", "KAFKA_SOURCE_SASL_PASSWORD: sasl_password is required"),
    ("KAFKA_SOURCE_EXTRA_CONFIG_PLUGIN_LIBRARY_PATHS", "x.so",
     "KAFKA_SOURCE_EXTRA_CONFIG_PLUGIN_LIBRARY_PATHS: plugin.library.paths is refused: it loads code"),
])
def test_a_bad_setting_is_named(tmp_path, variable, value, said):
    token = tmp_path / "token"
    token.write_text("0123456789abcdef")
    env = {**os.environ, "KAFKA_SOURCE_SERVER_URL": "a:1", variable: value}
    done = subprocess.run([bin_dir() / "citizenk-controlplane", "--postgres", "host=nowhere", "--bootstrap-servers",
                           "a:1", "--admin-token-file", token], env=env, capture_output=True, text=True, timeout=20)
    assert done.returncode == 64 and said in done.stderr, done.stderr


def test_on_premises_and_cloud_by_a_watched_file(stack, servers, cloud, topic, watched):
    """Both ways over TLS and SCRAM; what the file says, as long as it says so."""
    there, back = topic("env-there"), topic("env-back")
    write(watched, [mapping("{{T}}")], "templates/bridge.json")
    write(watched, {"templates": [{"template": "bridge", "vars": {"T": there}}], "mappings": [
        mapping(there, "off", enabled=False)], "comment": "first"})
    stack._wait(lambda: len(state(stack)["rendered"]) == 1, 15, "the file to be applied", lambda: state(stack))
    stack.wait_state(NAME, "RUNNING")
    stack.put_mapping("here to cloud", {"source": {"cluster": "target", "topic": back}, "start": "earliest",
                                        "target": {"cluster": "source", "topic": back}})
    send(cloud, there, [{"key": b"k", "value": b"1", "headers": [("h", b"v")], "timestamp": 5000}])
    send(servers.target, back, [{"key": None, "value": b"\x00\xff"}, {"key": b"gone", "value": None}])
    found = read(servers.target, there, 1)
    assert [(r.key, r.value, r.headers, r.timestamp) for r in found] == [(b"k", b"1", [("h", b"v")], 5000)]
    assert [(r.key, r.value) for r in read(cloud, back, 2)] == [(None, b"\x00\xff"), (b"gone", None)]
    wait_until(lambda: group_offsets(servers, cloud, f"bridge.{NAME}", there) == {0: 1}, 15, "the group's commit")
    newest = stack.rest.get("/api/v1/changes?actor=mapping+file")["items"][0]
    assert newest["comment"] == "first"

    # A broken file, and one with a mistake: nothing changes, and the reason is shown.
    for bad, reason in (('{"mappings": [', "line 1"), ([mapping("no-such-topic", "bad")], "/0/source_topic_name"),
                        ({"disabled": ["nobody"]}, "/disabled/0")):
        write(watched, bad)
        stack._wait(lambda: reason in (state(stack)["file_error"] or ""), 15, f"the reason {reason}",
                    lambda: state(stack)["file_error"])
        assert [m["name"] for m in state(stack)["rendered"]] == [NAME]
    assert "mappings.json" in state(stack)["file_error"]

    # A good one again: what it no longer names is deleted, what the API made stays.
    write(watched, [mapping(there, "off", enabled=False)])
    stack._wait(lambda: state(stack)["file_error"] is None, 15, "the file to be good", lambda: state(stack))
    now = state(stack)
    assert now["rendered"] == [] and {m["name"] for m in now["mappings"]} == {"off", "here to cloud"}
    seq = stack.rest.get("/api/v1/changes")["items"][0]["seq"]
    stack.controlplanes[0].restart()
    stack._wait(lambda: "applied" in stack.controlplanes[0].process.tail(), 15, "the file to be read again",
                lambda: stack.controlplanes[0].process.tail())
    assert stack.rest.get("/api/v1/changes")["items"][0]["seq"] == seq


def test_a_changed_file_is_picked_up_by_every_worker(stack, servers, cloud, topic, watched):
    """Within the period (1 s) and without a restart of anything: its tasks go on at the latest, with the new filter."""
    where, name = topic("env-live", partitions=8), "live"
    write(watched, [mapping(where, name, valid_jmespath="value.side == 'a'")])
    stack._wait(lambda: stack.rest.call("GET", mapping_path(name)).status == 200, 15, "the mapping", lambda: state(stack))
    # What the flat form cannot say: it stays, and gives each worker some of it.
    stack.rest.call("PATCH", mapping_path(name), {"spec": {"tasks": 8}}, headers={
        "If-Match": "*", "Content-Type": "application/merge-patch+json"})
    wait_until(lambda: len({t.get("worker") for t in stack.status(name)["tasks"]} - {None}) == 2, 20, "two workers")
    stack.wait_state(name, "RUNNING")
    since, pids = {task["since"] for task in stack.status(name)["tasks"]}, [w.process.pid for w in stack.workers]
    before = int(stack.rest.get("/api/v1/changes")["items"][0]["seq"])
    write(watched, [mapping(where, name, valid_jmespath="value.side == 'b'")])

    def applied():
        return [int(worker["applied"]) for worker in stack.rest.get("/api/v1/workers")["items"]]
    stack._wait(lambda: len(applied()) == 2 and min(applied()) > before, 10, "both workers to have it", applied)
    wait_until(lambda: all(task["state"] == "RUNNING" and task["since"] not in since
                           for task in stack.status(name)["tasks"]), 20, "the tasks to go on")
    records = [{"key": b"k", "value": b'{"side":"%s"}' % side, "partition": n} for n in range(8) for side in (b"a", b"b")]
    send(cloud, where, records)
    assert values(read(servers.target, where, 8, settle=0.5)) == [b'{"side":"b"}'] * 8
    assert [worker.process.pid for worker in stack.workers] == pids


@pytest.mark.parametrize("name, group", [("with group", "bridge.with group"), ("without group", "")])
def test_two_workers_copy_each_record_once(stack, servers, cloud, topic, name, group):
    where = topic(unique_name("env-two"), partitions=8)
    wait_until(lambda: [w["state"] for w in stack.rest.get("/api/v1/workers")["items"]] == ["alive"] * 2, 20,
               "both workers to be known")
    ends = {end: {"cluster": end, "topic": where} for end in ("source", "target")}
    # More tasks than one worker gets because it has less to do.
    stack.put_mapping(name, {**ends, "consumer_group": group, "tasks": 8})
    stack.wait_state(name, "RUNNING")
    wait_until(lambda: len({t["worker"] for t in stack.status(name)["tasks"]}) == 2, 20, "two workers")
    wait_until(lambda: all(p["position"] == "0" for p in stack.status(name)["partitions"]) and
               len(stack.status(name)["partitions"]) == 8, 20, "positions")
    send(cloud, where, [{"value": b"%d" % n, "partition": n % 8} for n in range(400)])
    found = values(read(servers.target, where, 400, settle=0.5))
    assert sorted(found, key=int) == [b"%d" % n for n in range(400)]


def test_a_topic_goes_to_a_file_of_the_data_path(stack, cloud, topic, watched):
    name, where = "to a file", topic("env-file")
    body = {**mapping(where, name), "target_topic_name": "recorded", "target_is_file": True}
    assert stack.rest.call("PUT", "/mappings/" + quote(name), body).status == 201
    stack.wait_state(name, "RUNNING")
    wait_until(lambda: [p["position"] for p in stack.status(name)["partitions"]] == ["0"], 20, "the position")
    send(cloud, where, [{"key": b"k", "value": b'{"n":1}'}])
    file = watched / "recorded.json"
    wait_until(lambda: file.exists() and file.read_text().endswith("\n"), 20, "the file")
    line = json.loads(file.read_text())
    assert (line["topic"], line["key"], line["value"]) == (where, "k", {"n": 1})


def test_every_way_to_sign_in(stack, cloud):
    for mechanism in ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"):
        for user, ok in ((USER, True), ("somebody", False)):
            spec = {"bootstrap_servers": cloud.secure, "security_protocol": "sasl_ssl", "sasl_mechanism": mechanism,
                    "sasl_username": user, "sasl_password": "${env:KAFKA_SOURCE_SASL_PASSWORD}",
                    "ssl_ca": cloud.ca.read_text()}
            if not ok and mechanism != "SCRAM-SHA-512":
                continue    # one refusal is enough: it takes its time
            stack.rest.save("/api/v1/teams/default/clusters/signed", {"spec": spec})
            answer = stack.rest.call("GET", "/topics?cluster=signed")
            assert (answer.status == 200) == ok, answer.text

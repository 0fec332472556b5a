# SPDX-License-Identifier: Apache-2.0
"""The audit log outside of the database: CloudEvents on a topic, seals in log and topic, the CLI."""
import csv
import io
import json
import os
import subprocess

import confluent_kafka
import confluent_kafka.admin
import psycopg
import pytest

from support.paths import bin_dir
from support.procs import wait_until
from support.servers import unique_name

EVENT = {"specversion", "id", "source", "type", "time", "datacontenttype", "data"}


@pytest.fixture
def sealed(make_stack):
    """A stack whose control planes seal each second and write to an audit topic."""
    one = make_stack(controlplanes=0, workers=0)
    one.audit_topic = unique_name("audit")
    one.audit_args = ("--audit-topic", one.audit_topic, "--audit-seal-seconds", "1")
    one.add_controlplane(extra=one.audit_args)
    return one


class Topic:
    """Everything of the audit topic, in order; grows with each look."""

    def __init__(self, broker, name):
        self.records = []
        self.consumer = confluent_kafka.Consumer(
            {"bootstrap.servers": broker.bootstrap, "group.id": unique_name("look"),
             "auto.offset.reset": "earliest", "allow.auto.create.topics": False, "log_level": 2})
        self.consumer.assign([confluent_kafka.TopicPartition(name, 0, 0)])

    def look(self):
        while True:
            batch = self.consumer.consume(500, 0.2)
            good = [record for record in batch if not record.error()]
            self.records += good
            if not good:
                return self.records

    def values(self):
        return [json.loads(record.value()) for record in self.look()]

    def ids(self):
        return [int(v["id"]) for v in self.values() if not v["id"].startswith("seal-")]


def events_of(stack):
    return stack.rest.get("/api/v1/audit?limit=1000")["items"]


def cli(stack, *args, want=0):
    env = {key: value for key, value in os.environ.items() if not key.startswith("CITIZENK_")}
    env |= {"CITIZENK_SERVER": stack.rest.url, "CITIZENK_TOKEN_FILE": str(stack.token_file),
            "CITIZENK_CLI_CONFIG": str(stack.folder / "none.json")}
    done = subprocess.run([str(bin_dir() / "citizenk"), *args], text=True, capture_output=True,
                          timeout=60, env=env)
    assert done.returncode == want, f"{args}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def save_values(stack, name, n):
    stack.rest.save(f"/api/v1/teams/default/value-maps/{name}", {"spec": {"key": {"1": str(n)}}})


def test_events_and_seals_leave_the_database(sealed, servers):
    for n in range(5):
        save_values(sealed, "a%C3%A9", n)
    topic = Topic(servers.target, sealed.audit_topic)
    wait_until(lambda: len(topic.ids()) >= len(events_of(sealed)), 20, "events on the topic")

    by_id = {event["id"]: event for event in events_of(sealed)}
    for record in topic.records:
        value = json.loads(record.value())
        assert EVENT <= set(value) and value["specversion"] == "1.0", value
        assert value["source"] == f"/citizenk/{sealed.group_id}"
        assert dict(record.headers())["content-type"].startswith(b"application/cloudevents+json")
        if value["type"] == "io.citizenk.audit.seal":
            continue
        assert value["data"] == by_id[value["id"]] and value["type"].endswith(value["data"]["action"])
        assert (record.key() or b"").decode() == (value["data"]["team"] or "")
        assert value.get("subject") == value["data"]["team"]
    assert topic.ids() == sorted(topic.ids())

    # The next leader goes on where the one before stopped, also when that was killed.
    sealed.controlplanes[0].kill9()
    second = sealed.add_controlplane(extra=sealed.audit_args)
    rest = sealed.client(second)
    for n in range(5, 8):
        rest.save("/api/v1/teams/default/value-maps/b", {"spec": {"key": {"1": str(n)}}})
    wanted = {int(event["id"]) for event in rest.get("/api/v1/audit?limit=1000")["items"]}
    wait_until(lambda: wanted <= set(topic.ids()), 20, "the events after the kill")
    assert set(topic.ids()) == wanted

    # A root from the topic is still that of the chain; another one is not.
    sealed.controlplanes.pop(0)
    wait_until(lambda: [v for v in topic.values() if v["type"].endswith("seal")], 20, "a seal on the topic")
    seal = [v["data"] for v in topic.values() if v["type"].endswith("seal")][-1]
    assert f"root={seal['root']}" in "".join(path.read_text() for path in sealed.folder.glob("controlplane-*.log"))
    out = cli(sealed, "audit", "verify", "--root", f"{seal['n']}:{seal['root']}")
    assert out.startswith("all holds"), out
    assert "given" in cli(sealed, "audit", "verify", "--root", f"{seal['n']}:{'0' * 64}", want=1)
    assert seal["root"] in cli(sealed, "audit", "seals", "--limit", "1000")

    rows = list(csv.DictReader(io.StringIO(cli(sealed, "audit", "export", "--format", "csv"))))
    lines = [json.loads(line) for line in cli(sealed, "audit", "export").splitlines()]
    assert [row["id"] for row in rows][-len(wanted):] == [line["id"] for line in lines][-len(wanted):]
    assert {row["action"] for row in rows} >= {"value_map.put"}
    assert "value_map.put" in cli(sealed, "audit", "list", "--action", "value_map.*", "--limit", "2")

    metrics = rest.call("GET", "/metrics").text
    age = [line for line in metrics.splitlines() if line.startswith("citizenk_audit_seal_age_seconds ")]
    assert age and float(age[0].split()[1]) < 30
    assert "\ncitizenk_audit_export_up 1\n" in metrics


def test_kafka_away_holds_up_nothing(make_stack, servers):
    """The audit topic refuses every record: the leader goes on, and nothing is lost."""
    one = make_stack(controlplanes=0, workers=0)
    name = unique_name("audit")
    servers.create_topic(servers.target, name, 1, {"max.message.bytes": "100"})
    one.add_controlplane(extra=("--audit-topic", name, "--audit-seal-seconds", "1"))
    save_values(one, "v", 1)
    seq = int(one.rest.get("/api/v1/changes")["seq"])
    wait_until(lambda: f"citizenk_config_published_revision {seq}\n" in one.rest.call("GET", "/metrics").text,
               5, "the change on the config topic")
    wait_until(lambda: "citizenk_audit_export_up 0" in one.rest.call("GET", "/metrics").text, 30,
               "the export to fail")
    wait_until(lambda: one.rest.get("/api/v1/audit/seals")["items"], 10, "a seal all the same")
    config = confluent_kafka.admin.ConfigResource(
        confluent_kafka.admin.ConfigResource.Type.TOPIC, name, incremental_configs=[
            confluent_kafka.admin.ConfigEntry(
                "max.message.bytes", "1000000",
                incremental_operation=confluent_kafka.admin.AlterConfigOpType.SET)])
    servers.admin(servers.target).incremental_alter_configs([config])[config].result(10)
    topic = Topic(servers.target, name)
    wanted = {int(event["id"]) for event in events_of(one)}
    wait_until(lambda: wanted <= set(topic.ids()), 40, "the events once the topic takes them")

    # The same deployment serves for the CLI's way back.
    def value():
        return one.rest.get("/api/v1/teams/default/value-maps/v")["spec"]["key"]["1"]

    save_values(one, "v", 2)
    assert '~ /spec/key/1: "2" -> "1"' in cli(one, "undo", "--dry-run") and value() == "2"
    assert "restored" in cli(one, "undo") and value() == "1"
    cli(one, "undo", want=3)    # the last change is the undo itself
    save_values(one, "v", 5)
    bad = one.rest.get("/api/v1/changes?mine=true&limit=1")["items"][0]["seq"]
    save_values(one, "v", 6)
    cli(one, "rollback", bad, want=3)
    assert "(forced)" in cli(one, "rollback", bad, "--force", "value_map/v") and value() == "1"

    # Whoever owns the tables can write the chain anew; not so that the leader or a kept root agrees.
    seal = one.rest.get("/api/v1/audit/seals?limit=1")["items"][0]
    with psycopg.connect(servers.postgres.conninfo("citizenk_owner", one.database)) as database:
        for table in ("audit_seal_part", "audit_seal"):
            database.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            database.execute(f"DELETE FROM {table} WHERE n >= {seal['n']}")
            database.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
    wait_until(lambda: "\ncitizenk_audit_seals_broken_total 0\n" not in one.rest.call("GET", "/metrics").text,
               10, "the leader to miss its seal")
    cli(one, "audit", "verify")
    cli(one, "audit", "verify", "--root", f"{seal['n']}:{seal['root']}", want=1)

# SPDX-License-Identifier: Apache-2.0
"""CitizenK Replicator's own paths and flat form: the same mappings, the same history, its scenarios."""
import datetime
import json
import subprocess
from urllib.parse import quote, urlencode

import confluent_kafka
import confluent_kafka.admin
import pytest

from support.paths import bin_dir

from .copying import group_offsets, mapping_path, read, send, values, wait_totals, wait_until

NAME = "Topic B to C"


def path(name, *more):
    return "/".join(["/mappings", quote(name, safe=""), *more])


def flat(source, target, **more):
    return {"group": "first", "source_topic_name": source, "target_topic_name": target, **more}


def settled(stack, name, at):
    """Waits until @name runs and its positions, summed, are @at: it has found where to begin."""
    stack.wait_state(name, "RUNNING")
    stack._wait(lambda: sum(int(one["position"] or 0) for one in stack.status(name)["partitions"]) == at,
                30, f"{name!r} to stand at {at}", lambda: stack.status(name))


BEFORE = [{"key": b"hello", "value": b'{"msg":"world","of":"before"}'}] * 3


MADE = set()    # topics that several tests use


@pytest.fixture
def topics(servers):
    def make(*names):
        for name in sorted(set(names) - MADE):
            MADE.add(name)
            for broker in (servers.source, servers.target):
                servers.create_topic(broker, name, 1)
    return make


@pytest.fixture
def seed(stack):
    """Calls the API; mappings made through it are gone after the test."""
    made = set()

    def call(method, where, body=None, status=200):
        answer = stack.rest.call(method, where, body)
        assert answer.status == status, answer.text
        if status == 201 and where.startswith("/mappings/"):
            made.add(answer.json["name"])
        return answer.json

    yield call
    for name in made:
        stack.rest.call("DELETE", path(name))
    left = stack.rest.get("/mappings")
    if left["mappings"] or left["templates"]:
        stack.rest.put("/mappings", [])
    stack.rest.put("/templates", {"templates": {}})


def test_a_mapping_is_made_read_changed_and_deleted(stack, seed, topics):
    topics("seed-b", "seed-c")
    body = flat("seed-b", "seed-c", name=NAME, enabled=False, valid_jmespath="key == 'hello'")
    assert seed("POST", path(NAME), body, 201)["enabled"] is False
    assert seed("POST", path(NAME), body, 412)["status"] == 412
    shown = seed("GET", path(NAME))
    assert shown == {**body, "source_is_file": False, "target_is_file": False, "topics": None,
                     "target_service_consumer_group": None}
    assert shown in seed("GET", "/mappings")["mappings"]
    native = stack.rest.get(mapping_path(NAME))
    assert native["group"] == "first" and native["spec"]["source"]["topic"] == "seed-b"
    assert native["spec"]["on_change"] == {"offset": "latest"}
    # What GET gave can be put; what it leaves out is taken out; what only the native form has stays.
    stack.rest.call("PATCH", mapping_path(NAME), {"spec": {"on_error": "skip"}}, headers={
        "If-Match": "*", "Content-Type": "application/merge-patch+json"})
    seed("PUT", path(NAME), {**shown, "valid_jmespath": None, "target_topic_name": "seed-b"})
    native = stack.rest.get(mapping_path(NAME))
    assert native["spec"]["on_error"] == "skip" and native["spec"]["target"]["topic"] == "seed-b"
    assert native["spec"].get("valid_jmespath") is None
    newest = stack.rest.get("/api/v1/changes")["items"][0]
    assert newest["team"] == "default"
    seed("DELETE", path(NAME))
    seed("GET", path(NAME), status=404)


def test_what_is_wrong_is_told_in_the_flat_form(seed, topics):
    topics("seed-wrong")
    good = flat("seed-wrong", "seed-wrong", enabled=False)
    for change, pointer in (({"nonsense": 1}, "/nonsense"), ({"name": "other"}, "/name"),
                            ({"source_topic_name": "a/b"}, "/source_topic_name"),
                            ({"source_topic_name": None}, "/source_topic_name"),
                            ({"target_topic_name": 7}, "/target_topic_name"),
                            ({"source_is_file": "yes"}, "/source_is_file"),
                            ({"enabled": "yes"}, "/enabled"),
                            ({"valid_jmespath": "key =="}, "/valid_jmespath"),
                            ({"topics": [{"target": "x"}]}, "/topics/0/source")):
        body = {**good, **change}
        if "topics" in change:
            del body["source_topic_name"], body["target_topic_name"]
        errors = seed("PUT", path("seed bad"), body, 422)["errors"]
        assert pointer in [one["pointer"] for one in errors], errors
    seed("GET", path("seed bad"), status=404)


def test_switched_off_and_on_again_it_jumps_to_the_latest(stack, servers, seed, topics):
    """Production → staging with a switch: what came while it was off never arrives."""
    name, topic = "seed switch", "seed-switch"
    topics(topic)
    send(servers.source, topic, BEFORE)
    seed("PUT", path(name), flat(topic, topic), 201)
    settled(stack, name, 3)
    send(servers.source, topic, [{"key": b"k", "value": b'{"n":%d}' % n} for n in range(10)])
    read(servers.target, topic, 10)
    assert seed("POST", path(name, "disable"))["enabled"] is False
    stack.wait_state(name, "STOPPED")
    send(servers.source, topic, [{"key": b"k", "value": b"missed"}] * 1000)
    assert seed("POST", path(name, "enable"))["enabled"] is True
    settled(stack, name, 1013)
    send(servers.source, topic, [{"key": b"k", "value": b"after"}] * 5)
    found = values(read(servers.target, topic, 15, settle=0.5))
    assert found == [b'{"n":%d}' % n for n in range(10)] + [b"after"] * 5


def patch(stack, name, spec):
    answer = stack.rest.call("PATCH", mapping_path(name), {"spec": spec}, headers={
        "If-Match": "*", "Content-Type": "application/merge-patch+json"})
    assert answer.status == 200, answer.text


def test_a_change_jumps_to_the_latest(stack, servers, seed, topics):
    """What had not been copied when the mapping was changed never arrives, so that the handover is not
    chaotic; a pause alone loses nothing."""
    name, topic = "seed change", "seed-change"
    topics(topic, "seed-change-2")
    seed("PUT", path(name), flat(topic, topic), 201)
    settled(stack, name, 0)
    stack.rest.post(mapping_path(name, "pause"))
    stack.wait_state(name, "PAUSED")
    send(servers.source, topic, [{"value": b"kept"}] * 3)
    stack.rest.post(mapping_path(name, "resume"))
    read(servers.target, topic, 3)
    stack.rest.post(mapping_path(name, "pause"))
    stack.wait_state(name, "PAUSED")
    send(servers.source, topic, [{"value": b"left out"}] * 100)
    seed("PUT", path(name), flat(topic, "seed-change-2"))
    stack.rest.post(mapping_path(name, "resume"))
    settled(stack, name, 103)
    send(servers.source, topic, [{"value": b"after"}] * 2)
    assert values(read(servers.target, "seed-change-2", 2, settle=0.3)) == [b"after"] * 2
    assert values(read(servers.target, topic, 3, settle=0.1)) == [b"kept"] * 3


def test_part_of_the_traffic_beside_real_data(stack, servers, seed, topics):
    """90 % from production, the rest from a service in staging, in one topic: an entity is always of the
    one or of the other."""
    name, topic = "seed share", "seed-share"
    topics(topic)
    seed("PUT", path(name), flat(topic, topic, enabled=False), 201)
    patch(stack, name, {"sample": {"percent": 90, "by": "key"}})
    seed("POST", path(name, "enable"))
    settled(stack, name, 0)
    keys = [b"user-%d" % n for n in range(1000)]
    send(servers.source, topic, [{"key": key, "value": b"production"} for key in keys * 2])
    wait_totals(stack, name, **{"in": 2000})
    count = int(stack.status(name)["totals"]["out"])
    passed = {r.key for r in read(servers.target, topic, count, settle=0.2)}
    assert count == 2 * len(passed) and 850 <= len(passed) <= 950, (count, len(passed))
    send(servers.target, topic, [{"key": key, "value": b"staging"} for key in keys if key not in passed])
    found = read(servers.target, topic, count + 1000 - len(passed), settle=0.2)
    assert {r.key for r in found} == set(keys)
    assert {r.key for r in found if r.value == b"staging"} == set(keys) - passed


def test_several_pairs_under_one_mapping_with_a_filter(stack, servers, seed, topics):
    """Staging → dev: part of two topics."""
    name, pairs = "seed pairs", [{"source": "seed-p1", "target": "seed-q1"},
                                 {"source": "seed-p2", "target": "seed-q2"}]
    topics("seed-p1", "seed-p2", "seed-q1", "seed-q2")
    for pair in pairs:
        send(servers.source, pair["source"], BEFORE)
    seed("POST", path(name), {"topics": pairs,
                              "valid_jmespath": "key == 'hello' && value.msg == 'world'"}, 201)
    assert seed("GET", path(name))["topics"] == pairs
    settled(stack, name, 6)
    for pair in pairs:
        own = b'{"msg":"world","of":"%s"}' % pair["source"].encode()
        send(servers.source, pair["source"], [{"key": b"hello", "value": own},
                                              {"key": b"hello", "value": b'{"msg":"moon"}'},
                                              {"key": b"bye", "value": own}, {"key": b"hello", "value": own}])
    for pair in pairs:
        own = b'{"msg":"world","of":"%s"}' % pair["source"].encode()
        assert values(read(servers.target, pair["target"], 2, settle=0.3)) == [own, own]


# The README's template, but for files.
TEMPLATE = [
    {"group": "first", "name": "Topic B to C", "source_topic_name": "{{B}}", "target_topic_name": "{{C}}"},
    {"group": "second", "name": "Topic C to D Using filter", "source_topic_name": "{{C}}",
     "target_topic_name": "seed-t-D", "valid_jmespath": "key == 'hello' && value.msg == 'world'",
     "enabled": True},
    {"group": "second", "name": "TopicCtoD", "topics": [{"source": "{{C}}", "target": "seed-t-D"}],
     "enabled": True},
]
STATE = {"templates": [{"template": "name", "vars": {"B": "seed-t-B", "C": "seed-t-C"}}],
         "enabled": [], "disabled": ["TopicCtoD"],
         "mappings": [{"group": "third", "name": "Disabled Topic U to V", "source_topic_name": "seed-t-B",
                       "target_topic_name": "seed-t-V", "enabled": False}],
         "comment": "no comment"}


def test_a_mapping_file_is_one_change_and_runs(stack, servers, seed, topics):
    topics("seed-t-B", "seed-t-C", "seed-t-D", "seed-t-V")
    seed("PUT", "/templates", {"templates": {"name": TEMPLATE}})
    before = stack.rest.get("/api/v1/changes")["items"][0]["seq"]
    seed("PUT", "/mappings?wait=applied", STATE)
    newest = stack.rest.get("/api/v1/changes")["items"][0]
    assert int(newest["seq"]) == int(before) + 1 and newest["comment"] == "no comment"
    settled(stack, "Topic B to C", 0)
    settled(stack, "Topic C to D Using filter", 0)
    stack.wait_state("TopicCtoD", "STOPPED")
    send(servers.source, "seed-t-B", [{"value": b"1"}])
    send(servers.source, "seed-t-C", [{"key": b"hello", "value": b'{"msg":"world"}'}, {"value": b"{}"}])
    assert values(read(servers.target, "seed-t-C", 1)) == [b"1"]
    assert values(read(servers.target, "seed-t-D", 1, settle=0.3)) == [b'{"msg":"world"}']
    # The same file again changes nothing; another one is live without a restart of anything.
    assert seed("PUT", "/mappings", STATE)["unchanged"] is True
    state = seed("GET", "/mappings")
    assert state["disabled"] == ["TopicCtoD"] and len(state["rendered"]) == 3
    assert seed("PUT", "/mappings", state)["unchanged"] is True
    seed("PUT", "/mappings", {**STATE, "disabled": ["Topic B to C"]})
    stack.wait_state("Topic B to C", "STOPPED")
    stack.wait_state("TopicCtoD", "RUNNING")
    # What is wrong anywhere changes nothing at all.
    wrong = {**STATE, "mappings": [{**STATE["mappings"][0], "target_topic_name": "no-such-topic"}]}
    errors = seed("PUT", "/mappings", wrong, 422)["errors"]
    assert [one["pointer"] for one in errors] == ["/mappings/0/target_topic_name"], errors
    assert seed("GET", "/mappings")["disabled"] == ["Topic B to C"]


def test_a_mapping_file_is_imported_by_the_cli(stack, seed, topics, tmp_path):
    topics("seed-t-B", "seed-t-C", "seed-t-D", "seed-t-V")
    env = {"CITIZENK_SERVER": stack.rest.url, "CITIZENK_TOKEN": stack.token, "CITIZENK_TEAM": "default",
           "CITIZENK_CLI_CONFIG": str(tmp_path / "none.json"), "HOME": str(tmp_path)}

    def cli(*args, want=0, document=None):
        (tmp_path / "file.json").write_text(document if isinstance(document, str) else json.dumps(document))
        done = subprocess.run([bin_dir() / "citizenk", "import", tmp_path / "file.json", *args], env=env, text=True,
                              capture_output=True, timeout=60)
        assert done.returncode == want, done.stdout + done.stderr
        return done
    cli("--template", "name", document=TEMPLATE)
    assert "mapping/Topic B to C created (dry run)" in cli("--dry-run", document=STATE).stdout
    assert "mapping/TopicCtoD created" in cli("--wait", document=STATE).stdout
    assert cli(document=STATE).stderr == "Nothing to change.\n"
    other = flat("seed-t-B", "seed-t-V", name="by hand", enabled=False)
    cli(document=[other])
    assert len(seed("GET", "/mappings")["mappings"]) == 2
    assert "mapping/by hand deleted" in cli("--replace", document=STATE).stdout
    assert "line 2" in cli(want=5, document='{"mappings": [\n}').stderr
    assert "/0/target_topic_name" in cli(want=5, document=[{**other, "target_topic_name": "no-such"}]).stderr


def test_two_writers_one_wins_and_the_other_is_told(stack, seed, topics):
    topics("seed-race")
    tag = stack.rest.call("GET", "/mappings").etag
    one = [flat("seed-race", "seed-race", name=name, enabled=False) for name in ("race 1", "race 2")]
    answers = [stack.rest.call("PUT", "/mappings", [body], {"If-Match": tag}) for body in one]
    assert [answer.status for answer in answers] == [200, 412], answers
    assert [m["name"] for m in seed("GET", "/mappings")["mappings"]] == ["race 1"]


VALUE_MAP = {
    "key": {"1": 10, "2": 12},
    "value.payload.product_id": {"1001": 1, "1002": 12, "1003": 14},
    "value.payload.user_name": {"A": "A name", "B": "B name", "C": "C name"},
    "key:partition": {"1": 0, "2": 0, "3": -1000, "4": 1, "5": 1, "6": 1}}


def test_identities_and_schemas_change_on_the_way(stack, servers, seed):
    """Every form of the README's topic level mapping, before and after the mapping is made, and of
    one topic among several."""
    name, topic, plain = "seed values", "seed-values", "seed-values-plain"
    for broker in (servers.source, servers.target):
        servers.create_topic(broker, topic, 2)
        servers.create_topic(broker, plain, 2)
    stack.rest.put(f"/value-mappings/{topic}", VALUE_MAP)
    assert seed("GET", f"/value-mappings/{topic}") == VALUE_MAP
    seed("PUT", path(name), {"topics": [{"source": topic, "target": topic},
                                        {"source": plain, "target": plain}]}, 201)
    settled(stack, name, 0)

    def record(key, product, user, other="x"):
        return {"key": key, "partition": 1,
                "value": b'{"payload":{"product_id":%s,"user_name":"%s"},"o":"%s"}' %
                (product.encode(), user.encode(), other.encode())}

    sent = [record(b"1", "1001", "A"),       # everything mapped
            record(b"2", '"1002"', "Z"),     # looked up by its text, unmapped user
            record(b"3", "1", "A"),          # dropped
            record(b"4", "9", "B"),          # partition 1, key as it is
            record(b"7", "1003", "C"),       # no partition of its own: the same
            {"key": b"5", "value": b'{"payload":7}', "partition": 0},  # no such path
            {"key": None, "value": b'{"payload":{"product_id":1001}}', "partition": 0}]
    send(servers.source, topic, sent)
    send(servers.source, plain, sent)
    found = {(r.key, r.value): r.partition for r in read(servers.target, topic, 6, settle=0.3)}
    assert found == {
        (b"10", b'{"payload":{"product_id":1,"user_name":"A name"},"o":"x"}'): 0,
        (b"12", b'{"payload":{"product_id":12,"user_name":"Z"},"o":"x"}'): 0,
        (b"4", b'{"payload":{"product_id":9,"user_name":"B name"},"o":"x"}'): 1,
        (b"7", b'{"payload":{"product_id":14,"user_name":"C name"},"o":"x"}'): 1,
        (b"5", b'{"payload":7}'): 1,
        (None, b'{"payload":{"product_id":1}}'): 0}
    assert {(r.key, r.value) for r in read(servers.target, plain, 7)} == \
        {(r["key"], r["value"]) for r in sent}
    # Live, and gone when it is deleted.
    seed("PUT", f"/value-mappings/{topic}?wait=applied", {"key": {"1": "one"}})
    send(servers.source, topic, [{"key": b"1", "value": b"{}", "partition": 0}])
    assert b"one" in {r.key for r in read(servers.target, topic, 7)}
    seed("DELETE", f"/value-mappings/{topic}?wait=applied")
    send(servers.source, topic, [{"key": b"1", "value": b"{}", "partition": 0}])
    assert {b"one", b"1"} <= {r.key for r in read(servers.target, topic, 8)}


STATS = {"name": str, "source_topic_name": str, "target_topic_name": str, "valid_jmespath": (str, type(None)),
         "target_service_consumer_group": (str, type(None)), "consumer_group_up": bool,
         "assignments": list, "lag": int, "source_count": int, "target_count": int}


def row_of(seed, name):
    """Of the first pair."""
    return next(row for row in seed("GET", "/stats")["mappings"] if row["name"] == name)


def test_the_statistics_field_by_field(stack, servers, seed):
    name, pairs = "seed stats", [("seed-stats-a", "seed-stats-x"), ("seed-stats-b", "seed-stats-y")]
    for source, target in pairs:
        servers.create_topic(servers.source, source, 3)
        servers.create_topic(servers.target, target, 3)
    body = {"topics": [{"source": s, "target": t} for s, t in pairs], "valid_jmespath": "value.n < `4`"}
    seed("PUT", path(name), body, 201)
    settled(stack, name, 0)
    for source, _ in pairs[:1]:
        send(servers.source, source, [{"value": b'{"n":%d}' % n, "partition": n % 3} for n in range(6)])
    wait_totals(stack, name, **{"in": 6, "out": 4, "filter": 2})
    answer = seed("GET", "/stats")
    assert set(answer) == {"time", "started", "queue", "mappings"} and answer["queue"] == 0
    for moment in (answer["time"], answer["started"]):
        datetime.datetime.strptime(moment, "%Y-%m-%d %H:%M:%S.%f")
    assert answer["started"] < answer["time"]
    rows = [row for row in answer["mappings"] if row["name"] == name]
    for row in rows:
        assert set(row) == set(STATS) and all(isinstance(row[key], STATS[key]) for key in row), row
    assert rows == [
        {"name": name, "source_topic_name": source, "target_topic_name": target,
         "valid_jmespath": "value.n < `4`", "target_service_consumer_group": None,
         "consumer_group_up": False, "assignments": [0, 1, 2], "lag": 0,
         "source_count": 6 if source == pairs[0][0] else 0,
         "target_count": 4 if source == pairs[0][0] else 0} for source, target in pairs]
    # Held back: the lag is what the broker knows of the group, but for what moves between two looks.
    source = pairs[0][0]
    patch(stack, name, {"rate": {"records_per_second": 1}})
    settled(stack, name, 6)
    send(servers.source, source, [{"value": b'{"n":1}', "partition": n % 3} for n in range(60)])
    latest = {confluent_kafka.TopicPartition(source, number): confluent_kafka.admin.OffsetSpec.latest() for number in range(3)}
    ends = {one.partition: at.result(20).offset for one, at in servers.admin(servers.source).list_offsets(latest).items()}

    def both():
        committed = group_offsets(servers, servers.source, f"citizenk.default.{name}", source)
        return sum(ends[number] - committed[number] for number in range(3)), row_of(seed, name)["lag"]
    stack._wait(lambda: both()[1] > 20 and abs(both()[0] - both()[1]) <= 6, 15, "the same lag", both)
    patch(stack, name, {"rate": None})     # a change: it goes on at the latest
    stack._wait(lambda: row_of(seed, name)["lag"] == 0, 15, "no lag", lambda: row_of(seed, name))
    # Off: nothing assigned; the counts stay.
    counted = row_of(seed, name)["source_count"]
    seed("POST", path(name, "disable"))
    stack.wait_state(name, "STOPPED")
    row = row_of(seed, name)
    assert (row["assignments"], row["source_count"], row["target_count"]) == ([], counted, counted - 2)


def test_the_group_of_the_target_service(stack, servers, seed, topics):
    name, topic, group = "seed service", "seed-service", "seed-service-group"
    topics(topic)
    service = confluent_kafka.Consumer({"bootstrap.servers": servers.target.bootstrap, "group.id": group})
    service.subscribe([topic])
    try:
        wait_until(lambda: service.poll(0.05) or service.assignment(), 20, "the service to be there")
        seed("PUT", path(name), flat(topic, topic, target_service_consumer_group=group), 201)
        wait_until(lambda: service.poll(0.02) or up_in(seed, name), 20, "the group to be up")
        assert group in seed("GET", "/groups")["groups"]
    finally:
        service.close()
    wait_until(lambda: group not in seed("GET", "/groups")["groups"], 20, "the group to be gone")
    wait_until(lambda: not up_in(seed, name), 20, "the group to be down")


def up_in(seed, name):
    return [row["consumer_group_up"] for row in seed("GET", "/stats")["mappings"] if row["name"] == name][0]


def consume(stack, topic, **query):
    answer = stack.rest.call("GET", "/consume?" + urlencode({"topic": topic, **query}))
    assert answer.status == 200, answer.text
    return answer.json


def test_the_consumer_api(stack, servers, seed):
    topic = "seed-consume"
    servers.create_topic(servers.source, topic, 2)
    assert topic in seed("GET", "/topics")["topics"]
    assert consume(stack, topic) == []
    records = [{"key": b"k%d" % n, "value": b'{"n":%d}' % n, "partition": n % 2, "timestamp": 1000 * (n + 1)}
               for n in range(10)]
    records[9] = {**records[9], "key": b"\xff\xfe", "value": b"not json", "headers": [("h", b"v")]}
    send(servers.source, topic, records)
    got = consume(stack, topic, count=3)
    assert [one["timestamp"] for one in got] == [8000, 9000, 10000]
    assert got[1] == {"topic": topic, "key": "k8", "value": {"n": 8}, "partition": 0, "offset": 4,
                      "timestamp": 9000}
    assert (got[2]["key"], got[2]["key_encoding"], got[2]["value"]) == ("//4=", "base64", "not json")

    def numbers(**query):
        return [one["value"]["n"] for one in consume(stack, topic, **query)]
    assert numbers(strategy="earliest", count=3) == [0, 1, 2]
    assert numbers(strategy="specific", offset=3, count=2) == [6, 7]
    assert numbers(epoch=4000, count=4) == [3, 4, 5, 6]
    assert numbers(strategy="earliest", partitions="0", count=100) == [0, 2, 4, 6, 8]
    assert consume(stack, topic, strategy="specific", offset=1000) == []
    assert stack.rest.call("GET", "/consume").status == 400
    assert stack.rest.call("GET", "/consume?topic=no-such-topic").status == 404
    assert stack.rest.call("GET", f"/consume?topic={topic}&partitions=9").status == 404
    assert stack.rest.call("GET", f"/consume?topic={topic}&partitions=x").status == 400

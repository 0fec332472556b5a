# SPDX-License-Identifier: Apache-2.0
"""CitizenK Replicator's own paths and flat form: the same mappings, the same history, its scenarios."""
from urllib.parse import quote

import pytest

from .copying import mapping_path, read, send, values

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


@pytest.fixture
def topics(servers):
    def make(*names):
        for name in names:
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
        if status == 201:
            made.add(answer.json["name"])
        return answer.json

    yield call
    for name in made:
        stack.rest.call("DELETE", path(name))


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

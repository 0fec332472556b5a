# SPDX-License-Identifier: Apache-2.0
"""A bad mapping is refused with 422, JSON pointer and reason; nothing is stored, nothing published."""
import copy
import time

import confluent_kafka
import pytest

from support.citizenk import api_path

REFUSED = "bad"
GOOD = api_path("teams", "default", "mappings", "good")


@pytest.fixture(scope="module")
def there(_started_servers):
    """A topic that both clusters have."""
    for broker in (_started_servers.source, _started_servers.target):
        _started_servers.create_topic(broker, "bad-there", 2)
    return "bad-there"


def good(topic):
    return {"spec": {"source": {"cluster": "source", "topic": topic},
                     "target": {"cluster": "target", "topic": topic}, "enabled": False}}


def body_with(topic, at, value):
    """The good document with @value at the place @at ("spec/source/topic"); None takes it out."""
    body = copy.deepcopy(good(topic))
    *path, last = at.split("/")
    place = body
    for step in path:
        place = place.setdefault(step, {})
    if value is None:
        place.pop(last)
    else:
        place[last] = value
    return body


def config_end(stack):
    """End offset of the config topic: whatever is published moves it."""
    consumer = confluent_kafka.Consumer({
        "bootstrap.servers": stack.servers.target.bootstrap, "group.id": "bad-end"})
    try:
        return consumer.get_watermark_offsets(
            confluent_kafka.TopicPartition(f"{stack.group_id}.config", 0), timeout=20)[1]
    finally:
        consumer.close()


def refuse(stack, body, pointer, code, *, says="", name=REFUSED, method="PUT"):
    """@body is refused for @pointer with @code and a reason, and leaves no trace."""
    path = api_path("teams", "default", "mappings", name)
    seq, history = stack.rest.get("/api/v1/changes")["seq"], stack.rest.get("/api/v1/changes")["items"]
    answer = stack.rest.call(method, path, body)
    assert answer.status == 422, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    problem = answer.json
    found = [(one["pointer"], one["code"]) for one in problem["errors"]]
    assert (pointer, code) in found, found
    one = problem["errors"][found.index((pointer, code))]
    reason = one.get("message") or one.get("detail")
    assert reason and says in reason, one
    assert problem["status"] == 422 and problem["title"] and problem["instance"].startswith("/requests/")
    assert stack.rest.call("GET", path).status == 404
    after = stack.rest.get("/api/v1/changes")
    assert (after["seq"], after["items"]) == (seq, history)


@pytest.fixture(scope="module", autouse=True)
def nothing_published(stack, there):
    """Around all tests of the module: the config topic has what the good mapping made, no more."""
    written = stack.rest.put(f"{GOOD}?wait=applied", good(there))
    assert written.json["applied"]
    time.sleep(0.5)     # the assignment that follows
    before = config_end(stack)
    yield
    assert config_end(stack) == before, "something was published"


CASES = [
    # place in the document, value there, pointer, code, part of the reason
    ("spec/valid_jmspath", "a", "/spec/valid_jmspath", "unknown-field", "valid_jmespath"),
    ("spec/source/topics", "a", "/spec/source/topics", "unknown-field", ""),
    ("nonsense", 1, "/nonsense", "unknown-field", ""),
    ("spec/producer/acks", "1", "/spec/producer/acks", "unknown-field", ""),
    ("spec/valid_jmespath", "value.a ==", "/spec/valid_jmespath", "jmespath", ""),
    ("spec/valid_jmespath", "value.a[?b", "/spec/valid_jmespath", "jmespath", ""),
    ("spec/valid_jmespath", "nofunction(value)", "/spec/valid_jmespath", "jmespath", "nofunction"),
    ("spec/valid_jmespath", "", "/spec/valid_jmespath", "range", ""),
    ("spec/valid_jmespath", 7, "/spec/valid_jmespath", "type", "string"),
    ("spec/source/topic", "not-there", "/spec/source/topic", "topic-missing", "not-there"),
    ("spec/target/topic", "not-there", "/spec/target/topic", "topic-missing", "not-there"),
    ("spec/source/topic", "a/b", "/spec/source/topic", "topic-name", ""),
    ("spec/source/topic", None, "/spec/source/topic", "required", ""),
    ("spec/source/cluster", "nowhere", "/spec/source/cluster", "not-found", "nowhere"),
    ("spec/target/cluster", "nowhere", "/spec/target/cluster", "not-found", "nowhere"),
    ("spec/source", None, "/spec/source", "required", ""),
    ("spec/target", None, "/spec/target", "required", ""),
    ("spec/source", "orders", "/spec/source", "type", ""),
    ("spec", None, "/spec", "required", ""),
    ("spec", [], "/spec", "type", "object"),
    ("spec/enabled", "yes", "/spec/enabled", "type", ""),
    ("spec/start", "begin", "/spec/start", "value", "earliest"),
    ("spec/start", {"timestamp": "yesterday"}, "/spec/start/timestamp", "value", ""),
    ("spec/start", {"offsets": {"0": "x"}}, "/spec/start/offsets/0", "value", ""),
    ("spec/on_change/offset", "again", "/spec/on_change/offset", "value", "latest"),
    ("spec/on_error", "ignore", "/spec/on_error", "value", "skip"),
    ("spec/on_error", {"dead_letter": "not-there"}, "/spec/on_error/dead_letter", "topic-missing", ""),
    ("spec/tasks", 0, "/spec/tasks", "range", ""),
    ("spec/tasks", 1000, "/spec/tasks", "range", ""),
    ("spec/producer/compression", "rar", "/spec/producer/compression", "value", "zstd"),
    ("spec/producer/linger_ms", 5000, "/spec/producer/linger_ms", "range", ""),
    ("spec/isolation", "none", "/spec/isolation", "value", "read_committed"),
    ("spec/consumer_group", "a\nb", "/spec/consumer_group", "value", ""),
    ("spec/value_map", "no-such-map", "/spec/value_map", "not-found", "no-such-map"),
    ("spec/value_map", {"payload.a": {}}, "/spec/value_map/payload.a", "value", "value."),
    ("spec/value_map", {"key:partition": {"a": "1"}}, "/spec/value_map/key:partition/a", "range", "-1000"),
    ("spec/value_map", {"value.a~b": [1]}, "/spec/value_map/value.a~0b", "type", ""),
    ("spec/sample", {"percent": 101}, "/spec/sample/percent", "range", ""),
    ("spec/sample", {"percent": 90, "from": 20}, "/spec/sample/percent", "range", "together"),
    ("spec/sample", {"percent": 1.23456}, "/spec/sample/percent", "value", "decimals"),
    ("spec/sample", {"by": "value.["}, "/spec/sample/by", "jmespath", "position"),
    ("spec/transform_jmespath", "{a: value.", "/spec/transform_jmespath", "jmespath", "position"),
    ("spec/sample", 90, "/spec/sample", "type", ""),
    ("labels", {"a": 1}, "/labels/a", "type", "string"),
    ("labels", [], "/labels", "type", "object"),
    ("description", 5, "/description", "type", "string"),
    # what the format knows and the product does not have yet
    ("spec/mask", [{"path": "value.a", "how": "hide"}], "/spec/mask/0/how", "value", "hash, redact"),
    ("spec/mask_secret", "swordfish-swordfish", "/spec/mask_secret", "secret", "${env:NAME}"),
    ("spec/mask_secret", "${env:PGPASSWORD}", "/spec/mask_secret", "secret", "CITIZENK_MASK_"),
    ("spec/rate", {"records_per_second": -5}, "/spec/rate/records_per_second", "range", ""),
    ("spec/end", "soon", "/spec/end", "value", "now"),
    ("spec/headers", {"add": {"a": 5}}, "/spec/headers/add/a", "type", "string"),
    ("spec/replay", {"speed": 2.0}, "/spec/replay", "value", "only files are replayed"),
    ("spec/tests", [{"name": "t", "input": {}}], "/spec/tests/0/expect", "type", "passed"),
    ("spec/tests", [{"name": "t", "input": {}, "expect": {"dropped": True}}], "/spec/tests/0", "test-failed",
     'the test "t" failed: it should have been dropped, but it passed'),
    ("spec/source/pattern", "^o", "/spec/source/pattern", "both", "not both"),
    ("spec/source/file", "orders", "/spec/source/cluster", "both", "not both"),
    ("spec/target/file", "orders", "/spec/target/cluster", "both", "not both"),
    ("spec/commit_interval_ms", 9, "/spec/commit_interval_ms", "range", ""),
    ("spec/key_format", "avro", "/spec/key_format", "no-registry", "schema_registry"),
    ("spec/value_format", "avro", "/spec/value_format", "no-registry", "schema_registry"),
    ("spec/schemas", {"copy": "both"}, "/spec/schemas/copy", "no-registry", "schema_registry"),
    ("spec/schemas", {"subjects": "both"}, "/spec/schemas/subjects", "value", ""),
    ("spec/topic_policy", "make", "/spec/topic_policy", "value", ""),
    ("spec/on_gap", "leap", "/spec/on_gap", "value", ""),
]


@pytest.mark.parametrize("at, value, pointer, code, says", CASES,
                         ids=[f"{case[0].replace('/', '.')}={str(case[1])[:24]}" for case in CASES])
def test_refused(stack, there, at, value, pointer, code, says):
    refuse(stack, body_with(there, at, value), pointer, code, says=says)


@pytest.mark.parametrize("topics, more, pointer, code", [
    ([{"source": "bad-there"}, {"source": "bad-there", "target": "bad-there"}], {},
     "/spec/topics/1/source", "duplicate"),
    ([{"source": "bad-there", "target": "gone"}], {}, "/spec/topics/0/target", "topic-missing"),
    ([{"source": "gone"}], {}, "/spec/topics/0/source", "topic-missing"),
    ([{"source": "bad-there", "from": "x"}], {}, "/spec/topics/0/from", "unknown-field"),
    ([{"target": "bad-there"}], {}, "/spec/topics/0/source", "required"),
    ([{"source": "bad-there"}], {"source": {"cluster": "source", "topic": "bad-there"}},
     "/spec/source/topic", "both"),
    ([{"source": "bad-there"}], {"target": {"cluster": "source"}}, "/spec/topics/0/target", "loop"),
    ("bad-there", {}, "/spec/topics", "type"),
])
def test_refused_pairs(stack, topics, more, pointer, code):
    spec = {"source": {"cluster": "source"}, "target": {"cluster": "target"}, "topics": topics, **more}
    refuse(stack, {"spec": spec}, pointer, code)


def test_all_problems_of_a_document_are_told_at_once(stack, there):
    body = body_with(there, "spec/valid_jmespath", "a[")
    body["spec"].update(tasks="many", nonsense=1, source={"cluster": "nowhere", "topic": there})
    path = api_path("teams", "default", "mappings", REFUSED)
    answer = stack.rest.call("PUT", path, body)
    assert answer.status == 422
    assert {one["pointer"] for one in answer.json["errors"]} >= {
        "/spec/valid_jmespath", "/spec/tasks", "/spec/nonsense", "/spec/source/cluster"}
    assert stack.rest.call("GET", path).status == 404


def test_json_that_is_none_is_400(stack):
    path = api_path("teams", "default", "mappings", REFUSED)
    for text in (b"{", b"", b"\xff\xfe", b'{"spec": {}, "spec": {}}'):
        assert stack.rest.call("PUT", path, text).status == 400, text
    assert stack.rest.call("GET", path).status == 404


def test_dry_run_and_patch_refuse_too(stack, there):
    path = api_path("teams", "default", "mappings", REFUSED)
    answer = stack.rest.call("PUT", f"{path}?dry_run=true", body_with(there, "spec/tasks", "x"))
    assert answer.status == 422 and answer.json["errors"][0]["pointer"] == "/spec/tasks"
    assert stack.rest.call("PATCH", path, {"spec": {"tasks": 2}}).status in (404, 428)


def test_group_of_another_mapping_on_the_same_topic(stack, there):
    """Two mappings with one group on one topic would move each other's position."""
    for group in ("citizenk.default.good",):
        refuse(stack, body_with(there, "spec/consumer_group", group), "/spec/consumer_group", "group-in-use",
               says="good")


def test_a_good_mapping_stays_as_it_is(stack, there):
    """A change that is refused changes nothing of what is stored."""
    before = stack.rest.call("GET", GOOD)
    for at, value, pointer, code, _ in CASES[:12]:
        answer = stack.rest.call("PUT", GOOD, body_with(there, at, value), {"If-Match": before.etag})
        assert answer.status == 422, answer.text
        assert (pointer, code) in [(one["pointer"], one["code"]) for one in answer.json["errors"]]
        patch = body_with(there, at, value)
        if at != "spec/source/topic" or value is not None:
            assert stack.rest.call("PATCH", GOOD, patch, {"If-Match": before.etag,
                                   "Content-Type": "application/merge-patch+json"}).status == 422
    after = stack.rest.call("GET", GOOD)
    assert (after.etag, after.json) == (before.etag, before.json)

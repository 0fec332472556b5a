# SPDX-License-Identifier: Apache-2.0
"""Shaping what passes: a share of the entities, changed while it runs, and two sources as one."""
from .copying import mapping_path, read, send, spec, values, wait_totals

ENTITIES = 400


def entities(round_number, mark="v"):
    return [{"key": b"user-%d" % n, "value": b'{"%s":%d}' % (mark.encode(), round_number), "partition": n % 2}
            for n in range(ENTITIES)]


def keys_of(found):
    return {one.key for one in found}


def change(stack, name, new):
    etag = stack.rest.call("GET", mapping_path(name)).etag
    stack.rest.put(f"{mapping_path(name)}?wait=applied", {"spec": new}, {"If-Match": etag})
    stack.wait_state(name, "RUNNING")


def test_a_share_changes_live_and_keeps_its_entities(stack, topics):
    """90 % and later 10 %: the few are among the many, whole entities, and nothing is uncounted."""
    topic = topics("sample", partitions=2)
    broker, target = stack.servers.source, stack.servers.target
    stack.put_mapping(topic, spec(topic, sample={"percent": 90}))
    for number in range(2):
        send(broker, topic, entities(number))
    wait_totals(stack, topic, timeout=20, **{"in": 2 * ENTITIES})
    many = read(target, topic, ENTITIES * 3 // 2)
    large = keys_of(many)
    assert ENTITIES * 0.8 < len(large) < ENTITIES
    assert len(many) == 2 * len(large), "an entity is always in or always out"
    wait_totals(stack, topic, out=len(many), sample=2 * ENTITIES - len(many))

    change(stack, topic, spec(topic, sample={"percent": 10}))
    send(broker, topic, entities(2))
    wait_totals(stack, topic, timeout=20, **{"in": 3 * ENTITIES})
    few = [one for one in read(target, topic, len(many) + 1, settle=0.5) if one.value == b'{"v":2}']
    small = keys_of(few)
    assert small < large
    assert ENTITIES * 0.03 < len(small) < ENTITIES * 0.2
    assert len(few) == len(small)
    wait_totals(stack, topic, out=len(many) + len(few), sample=3 * ENTITIES - len(many) - len(few))


def test_two_sources_blend_at_a_ratio(stack, topics):
    """75 % of the entities from one topic, the other 25 % from another: each entity once, from one."""
    one, two, out = (topics(name, partitions=2) for name in ("blend-a", "blend-b", "blend-out"))
    by = {"by": "value.user", "salt": "blend"}
    stack.put_mapping(one, spec(one, out, sample={"percent": 75, **by}))
    stack.put_mapping(two, spec(two, out, sample={"percent": 25, "from": 75, **by}))
    for topic in (one, two):
        send(stack.servers.source, topic, [
            {"key": topic.encode(), "value": b'{"user":%d}' % n, "partition": n % 2} for n in range(ENTITIES)])
    found = read(stack.servers.target, out, ENTITIES, settle=0.5)
    assert sorted(values(found)) == sorted(b'{"user":%d}' % n for n in range(ENTITIES))
    share = sum(record.key == one.encode() for record in found) / ENTITIES
    assert 0.65 < share < 0.85


def test_a_transform_makes_the_new_value(stack, topics):
    """Over the mapped record; tombstones stay; a null result is an error and not a deletion."""
    topic = topics("transform", partitions=1)
    stack.put_mapping(topic, spec(topic, transform_jmespath="value.n && {n: value.n, from: topic}",
                                  value_map={"value.n": {"1": 10}}, on_error="skip"))
    send(stack.servers.source, topic, [
        {"key": b"a", "value": b'{"n":1,"secret":"x"}', "headers": [("h", b"1"), ("h", b"2")]},
        {"key": b"b", "value": b'{"n":2.50}'}, {"key": b"c", "value": b'{"m":1}'}, {"key": b"d"}])
    found = read(stack.servers.target, topic, 3)
    assert [(one.key, one.value) for one in found] == [
        (b"a", b'{"n":10,"from":"%s"}' % topic.encode()), (b"b", b'{"n":2.50,"from":"%s"}' % topic.encode()),
        (b"d", None)]
    assert found[0].headers == [("h", b"1"), ("h", b"2")]
    wait_totals(stack, topic, out=3, error=1)

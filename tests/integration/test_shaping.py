# SPDX-License-Identifier: Apache-2.0
"""Shaping what passes: a share of the entities, changed while it runs, and two sources as one."""
import hmac
import json

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


def assert_proven(stack, name):
    """Proof of copy, by the mapping's own stages."""
    report = stack.rest.post(mapping_path(name, "verify"), {"since": "all"}).json
    assert report["equal"], report


def secret_file(folder, text="a secret of more than 16 bytes"):
    path = folder / "mask.secret"
    path.write_text(text + "\n")
    return f"${{file:{path}}}"


def token(text, secret=b"a secret of more than 16 bytes", team=b"default"):
    """What hash makes of @text, from its description in cz/mask.h."""
    key = hmac.digest(secret, b"citizenk.mask." + team, "sha256")
    return hmac.digest(key, text, "sha256")[:16].hex()


def test_masks_give_the_same_tokens_on_every_topic(stack, topics, tmp_path):
    """Two mappings, two places in the record, one token; a transform can copy nothing unmasked."""
    one, two = topics("mask-a", partitions=1), topics("mask-b", partitions=1)
    secret = secret_file(tmp_path)
    stack.put_mapping(one, spec(one, mask_secret=secret, transform_jmespath="{u: value.user, key: key}", mask=[
        {"path": "key", "how": "hash"}, {"path": "value.user.email", "how": "hash"},
        {"path": "value.user.name", "how": "truncate", "length": 1}]))
    stack.put_mapping(two, spec(two, mask_secret=secret, mask=[
        {"path": "value.mails", "how": "hash"}, {"path": "value.card", "how": "redact"},
        {"path": "value.born", "how": "null"}]))
    send(stack.servers.source, one, [
        {"key": b"joe@x.org", "value": b'{"user":{"email":"joe@x.org","name":"Joe"},"more":1}'}, {"key": b"joe@x.org"}])
    send(stack.servers.source, two, [
        {"value": b'{"mails":["joe@x.org","ann@x.org"],"card":4111,"born":"2001-02-03","n":1.50}'}])
    joe, ann = token(b"joe@x.org"), token(b"ann@x.org")
    assert [(r.key, r.value) for r in read(stack.servers.target, one, 2)] == [
        (joe.encode(), b'{"u":{"email":"%s","name":"J"},"key":"%s"}' % (joe.encode(), joe.encode())),
        (joe.encode(), None)]
    assert values(read(stack.servers.target, two, 1)) == [
        b'{"mails":["%s","%s"],"card":"***","born":null,"n":1.50}' % (joe.encode(), ann.encode())]
    assert_proven(stack, one)


def test_a_masked_mapping_leaks_nothing_by_its_errors(stack, topics, tmp_path):
    """Dead letters of it tell where the record is and why it failed, not what is in it."""
    topic, dead = topics("mask-dead", partitions=1), topics("mask-dead-letters", partitions=1)
    stack.put_mapping(topic, spec(topic, mask_secret=secret_file(tmp_path), on_error={"dead_letter": dead},
                                  mask=[{"path": "value.email", "how": "hash"}]))
    send(stack.servers.source, topic, [
        {"key": b"k", "value": b'{"email":"joe@x.org', "headers": [("who", b"joe")]},
        {"key": b"k", "value": b'{"email":"ann@x.org"}', "headers": [("h", b"1")]}])
    found = read(stack.servers.target, topic, 1)
    assert [(r.value, r.headers) for r in found] == [(b'{"email":"%s"}' % token(b"ann@x.org").encode(), [("h", b"1")])]
    letter = read(stack.servers.target, dead, 1)[0]
    headers = dict(letter.headers)
    assert (letter.key, letter.value) == (None, None)
    assert headers["__connect.errors.offset"] == b"0" and headers["citizenk.errors.withheld"] == b"mask"
    assert b"joe" not in b"".join(headers.values()) and "who" not in headers


def test_no_secret_no_copy(stack, topics, tmp_path):
    """A mapping whose secret cannot be had fails and says why; with it, after a restart, it runs."""
    topic = topics("mask-secret", partitions=1)
    missing = tmp_path / "mask.later"
    stack.put_mapping(topic, spec(topic, mask_secret=f"${{file:{missing}}}",
                                  mask=[{"path": "value.a", "how": "hash"}]), wait=False)
    send(stack.servers.source, topic, [{"value": b'{"a":"x"}'}])
    stack.wait_state(topic, "FAILED")
    text = str(stack.status(topic)["tasks"])
    assert "the secret for hash masks" in text and str(missing) in text
    missing.write_text("sixteen bytes or more of it\n")
    stack.rest.post(f"{mapping_path(topic)}/restart")
    expected = token(b"x", b"sixteen bytes or more of it").encode()
    assert values(read(stack.servers.target, topic, 1)) == [b'{"a":"%s"}' % expected]


def test_headers_added_removed_renamed(stack, topics):
    """Order and duplicates of the others are kept; in both ways of delivery; a shared record too."""
    topic, plain, exact = (topics(name, partitions=1) for name in ("headers", "headers-plain", "headers-eos"))
    rules = {"add": {"origin": "prod", "none": None}, "remove": ["trace-*"], "rename": {"a": "z"}}
    stack.put_mapping(topic, spec(topic, topic))
    stack.put_mapping(plain, spec(topic, plain, headers=rules))
    stack.put_mapping(exact, spec(topic, exact, headers=rules, delivery="exactly_once"))
    sent = [("a", b"1"), ("trace-id", b"x"), ("b", b"2"), ("a", None), ("b", b"2")]
    send(stack.servers.source, topic, [
        {"key": b"k", "value": b"not json", "headers": sent}, {"key": b"k", "value": b"v2"}])
    want = [("z", b"1"), ("b", b"2"), ("z", None), ("b", b"2"), ("none", None), ("origin", b"prod")]
    for target in (plain, exact):
        found = read(stack.servers.target, target, 2)
        assert [(r.value, r.headers) for r in found] == [(b"not json", want), (b"v2", want[4:])]
    assert [r.headers for r in read(stack.servers.target, topic, 2)] == [sent, []]
    assert_proven(stack, plain)


def test_removed_headers_are_not_on_dead_letters(stack, topics):
    topic, dead = topics("headers-dead", partitions=1), topics("headers-dead-letters", partitions=1)
    stack.put_mapping(topic, spec(topic, on_error={"dead_letter": dead}, value_format="json",
                                  headers={"remove": ["auth*"], "add": {"x": "y"}}))
    send(stack.servers.source, topic, [
        {"key": b"k", "value": b"no json", "headers": [("a", b"1"), ("auth", b"secret"), ("a", b"2")]}])
    letter = read(stack.servers.target, dead, 1)[0]
    assert (letter.key, letter.value) == (b"k", b"no json")
    assert letter.headers[:2] == [("a", b"1"), ("a", b"2")]
    assert {name for name, _ in letter.headers[2:]} >= {"__connect.errors.offset", "__connect.errors.stage"}
    assert not {"auth", "x"} & {name for name, _ in letter.headers}


def test_provenance_tells_where_from_and_nothing_loops(stack, topics):
    """Two clusters both ways through one topic name: each record crosses once, and it is counted."""
    topic = topics("both-ways", partitions=2)
    servers = stack.servers
    forth, back = f"{topic}-forth", f"{topic}-back"
    stack.put_mapping(forth, spec(topic, headers={"provenance": True}))
    stack.put_mapping(back, {"source": {"cluster": "target", "topic": topic}, "start": "earliest",
                             "target": {"cluster": "source", "topic": topic}, "headers": {"provenance": True}})
    send(servers.source, topic, [{"value": b"s%d" % n, "partition": n % 2, "headers": [("h", b"1")]} for n in range(100)])
    send(servers.target, topic, [{"value": b"t%d" % n, "partition": n % 2} for n in range(100)])
    wait_totals(stack, forth, timeout=20, out=100, loop=100)
    wait_totals(stack, back, timeout=20, out=100, loop=100)
    everything = sorted(b"%c%d" % (c, n) for c in b"st" for n in range(100))
    for broker in (servers.source, servers.target):
        assert sorted(values(read(broker, topic, 200, settle=0.5))) == everything
    one = next(r for r in read(servers.target, topic, 200) if r.value == b"s3")
    (name, first), (header, hop) = one.headers
    hop = json.loads(hop)
    assert (name, first, header) == ("h", b"1", "citizenk.provenance")
    assert hop.pop("cluster_id") and {k: hop[k] for k in ("cluster", "topic", "partition", "mapping", "generation")} == {
        "cluster": "source", "topic": topic, "partition": 1, "mapping": f"default/{forth}", "generation": "1"}
    source = next(r for r in read(servers.source, topic, 200) if r.value == b"s3")
    assert int(hop["offset"]) == source.offset

# SPDX-License-Identifier: Apache-2.0
"""What a copy keeps, and what its settings do to it; judged record by record."""
import json
import random
import time

import confluent_kafka
import pytest

from .copying import (group_offsets, java_partition, mapping_path, murmur2, read, send, spec, totals,
                      values, wait_lag, wait_totals, wait_until)

NOW = int(time.time() * 1000)
KILO = bytes(range(256)) * 4


def odd_records():
    keys = (None, b"", b"plain", b"\x00\xff\xfe\x80", "schl\u00fcssel".encode())
    contents = (None, b"", b"{}", b'{"a": 1, "a":  2}\n', b"\x00\x01\xff" * 50, b"not json")
    for number, key in enumerate(keys):
        for content in contents:
            yield {"key": key, "value": content, "timestamp": NOW - 3_600_000 + number}
    for headers in ([("a", b"1")], [("a", b"1"), ("a", b"2"), ("A", b"")], [("none", None)],
                    [("binary", b"\x00\xff"), ("", b"empty name")], [(f"h{n}", b"x" * n) for n in range(60)]):
        yield {"key": b"k", "value": b"with headers", "headers": headers, "timestamp": NOW}
    yield {"key": b"big", "value": KILO * 900, "timestamp": NOW}
    yield {"key": KILO * 100, "value": b"long key", "timestamp": NOW + 1}
    yield {"key": b"later", "value": b"", "timestamp": NOW - 86_400_000}


def test_every_part_of_a_record_is_kept(servers, stack, topics):
    topic = topics("odd", partitions=3)
    records = [{**record, "partition": n % 3} for n, record in enumerate(odd_records())]
    send(servers.source, topic, records)
    stack.put_mapping(topic, spec(topic))
    found = read(servers.target, topic, len(records))
    assert found == read(servers.source, topic, len(records))
    wait_lag(stack, topic)
    wait_totals(stack, topic, **{"in": len(records), "out": len(records)})


def test_order_and_timestamps_of_many(servers, stack, topics):
    topic = topics("many", partitions=3)
    rng = random.Random(4)
    send(servers.source, topic, [
        {"key": b"%d" % rng.randrange(50), "value": b"%d" % n, "partition": rng.randrange(3),
         "timestamp": NOW - rng.randrange(10_000)} for n in range(20_000)])
    stack.put_mapping(topic, spec(topic))
    assert read(servers.target, topic, 20_000) == read(servers.source, topic, 20_000)


# ---- transactions ----------------------------------------------------------------------------------

def in_transactions(broker, topic, batches):
    """@batches: of (values, commit); all into partition 0."""
    producer = confluent_kafka.Producer({
        "bootstrap.servers": broker.bootstrap, "transactional.id": f"tx-{topic}", "linger.ms": 1})
    producer.init_transactions(30)
    for contents, commit in batches:
        producer.begin_transaction()
        for content in contents:
            producer.produce(topic, content, partition=0)
        producer.flush(30)      # an aborted record must have been written to be a test
        if commit:
            producer.commit_transaction(30)
        else:
            producer.abort_transaction(30)


def test_aborted_records_are_never_copied_and_do_not_count_as_lag(servers, stack, topics):
    topic, dirty = topics("tx", partitions=2), topics("tx-dirty", partitions=2)
    batches = [([b"%d-%d" % (n, i) for i in range(20)], n % 3 != 1) for n in range(8)]
    batches.append(([b"last, aborted"] * 5, False))
    stack.put_mapping(topic, spec(topic))
    in_transactions(servers.source, topic, batches)
    kept = [content for contents, commit in batches if commit for content in contents]
    found = read(servers.target, topic, len(kept), settle=1)
    assert values(found) == kept
    wait_lag(stack, topic)      # the aborted ones at the end, and their markers, included
    stack.put_mapping(dirty, spec(topic, dirty, isolation="read_uncommitted"))
    everything = [content for contents, _ in batches for content in contents]
    assert values(read(servers.target, dirty, len(everything), settle=0.5)) == everything
    wait_lag(stack, dirty)
    end = group_offsets(servers, servers.source, f"citizenk.default.{topic}", topic)[0]
    assert end == len(everything) + len(batches), "the group's offset is past the last marker"


@pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
def test_a_hanging_transaction_holds_up_its_partition_and_shows_as_lag(servers, stack, topics, delivery):
    """What is behind it waits, is counted as lag, and comes in its order when the transaction ends."""
    topic = topics("tx-hang", partitions=2)
    stack.put_mapping(topic, spec(topic, delivery=delivery))
    send(servers.source, topic, [{"value": b"before", "partition": 0}])
    hanging = confluent_kafka.Producer({
        "bootstrap.servers": servers.source.bootstrap, "transactional.id": f"hang-{topic}", "linger.ms": 1})
    hanging.init_transactions(30)
    hanging.begin_transaction()
    hanging.produce(topic, b"open", partition=0)
    assert hanging.flush(30) == 0
    send(servers.source, topic, [{"value": b"%d" % n, "partition": n % 2} for n in range(100)])
    assert len(read(servers.target, topic, 51, settle=0.5)) == 51
    wait_lag(stack, topic, 51)      # the open one and the 50 behind it
    hanging.commit_transaction(30)
    found = read(servers.target, topic, 102, settle=0.3)
    assert values(found[:52]) == [b"before", b"open"] + [b"%d" % n for n in range(0, 100, 2)]
    wait_lag(stack, topic)
    wait_totals(stack, topic, out=102)


# ---- partitions ------------------------------------------------------------------------------------

@pytest.mark.parametrize("key, want", [
    (b"21", -973932308), (b"foobar", -790332482), (b"a-little-bit-long-string", -985981536),
    (b"a-little-bit-longer-string", -1486304829), (b"abc", 479470107),
    (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971)])
def test_our_oracle_is_the_java_clients(key, want):
    assert murmur2(key) == want & 0xFFFFFFFF


def test_by_key_the_partition_is_that_of_the_java_client(servers, stack, topics):
    source = topics("by-key", partitions=4, on=[servers.source])
    servers.create_topic(servers.target, source, 7)
    rng = random.Random(5)
    keys = [rng.randbytes(rng.randrange(0, 40)) for _ in range(5000)]
    keys += [b"customer-%d" % n for n in range(5000)]
    send(servers.source, source, [{"key": key, "value": b""} for key in keys])
    stack.put_mapping(source, spec(source, partitioning="key"))
    found = read(servers.target, source, len(keys))
    assert sorted(one.key for one in found) == sorted(keys)
    wrong = [one for one in found if one.partition != java_partition(one.key, 7)]
    assert not wrong, wrong[:3]


def test_same_partition_and_by_key_where_the_target_has_fewer(servers, stack, topics):
    source = topics("fewer", partitions=4, on=[servers.source])
    servers.create_topic(servers.target, source, 2)
    send(servers.source, source, [{"key": b"k%d" % (n // 4), "value": b"%d" % (n % 4), "partition": n % 4}
                                  for n in range(400)])
    stack.put_mapping(source, spec(source))
    for one in read(servers.target, source, 400):
        came_from = int(one.value)
        assert one.partition == (came_from if came_from < 2 else java_partition(one.key, 2))


def test_round_robin(servers, stack, topics):
    topic = topics("robin", partitions=4)
    send(servers.source, topic, [{"key": b"same", "value": b"%d" % n, "partition": 0} for n in range(400)])
    stack.put_mapping(topic, spec(topic, partitioning="round_robin"))
    found = read(servers.target, topic, 400)
    assert [sum(one.partition == p for one in found) for p in range(4)] == [100] * 4


# ---- settings --------------------------------------------------------------------------------------

CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}


def codec_of_first_batch(broker, topic):
    """From the header of the first batch in the broker's file."""
    segment = broker.data_dir / "logs" / f"{topic}-0" / f"{0:020}.log"
    return int.from_bytes(segment.read_bytes()[21:23], "big") & 7


def test_compression(servers, stack, topics):
    source = topics("codecs", partitions=1)
    send(servers.source, source, [{"value": b"again and again " * 20} for _ in range(200)])
    targets = {codec: topics(f"codec-{codec}", partitions=1) for codec in CODECS}
    for codec, target in targets.items():
        stack.put_mapping(target, spec(source, target, producer={"compression": codec}), wait=False)
    for codec, target in targets.items():
        assert values(read(servers.target, target, 200)) == [b"again and again " * 20] * 200
        assert codec_of_first_batch(servers.target, target) == CODECS[codec], codec


def test_where_to_start(servers, stack, topics):
    source = topics("start", partitions=2)
    send(servers.source, source, [{"value": b"%d" % n, "partition": n % 2, "timestamp": NOW - 10_000 + n}
                                  for n in range(100)])
    starts = {"earliest": ("earliest", 0), "at": ({"timestamp": NOW - 10_000 + 40}, 40),
              "offsets": ({"offsets": {"0": "30", "1": "45"}}, None), "latest": ("latest", 100)}
    targets = {}
    for name, (start, _) in starts.items():
        targets[name] = topics(f"start-{name}", partitions=2, on=[servers.target])
        stack.put_mapping(targets[name], spec(source, targets[name], start=start))
    send(servers.source, source, [{"value": b"%d" % n, "partition": n % 2} for n in range(100, 110)])
    for name, (_, first) in starts.items():
        wanted = ([n for n in range(110) if n >= first] if first is not None else
                  [n for n in range(110) if n // 2 >= (30, 45)[n % 2]])
        found = read(servers.target, targets[name], len(wanted), settle=0.3)
        assert sorted(int(one.value) for one in found) == wanted, name


def test_several_pairs(servers, stack, topics):
    pairs = [{"source": topics(f"pair-{n}", partitions=2),
              "target": topics(f"pair-to-{n}", partitions=2)} for n in range(3)]
    for number, pair in enumerate(pairs):
        send(servers.source, pair["source"], [{"key": b"k", "value": b"%d" % number}] * 50)
    name = pairs[0]["source"]
    stack.put_mapping(name, {"source": {"cluster": "source"}, "target": {"cluster": "target"},
                             "topics": pairs, "start": "earliest"})
    for number, pair in enumerate(pairs):
        assert set(values(read(servers.target, pair["target"], 50, settle=0.2))) == {b"%d" % number}
    wait_totals(stack, name, **{"in": 150, "out": 150})


# ---- stages ----------------------------------------------------------------------------------------

VALUE_MAP = {
    "key": {"a": "A", "7": "seven"}, "key:partition": {"a": 2, "gone": -1000},
    "value.id": {"1": 1001, "x": "y", "true": False}, "value.deep.list": {"1": 11},
    "value.rows.id": {"5": 55},
}
MAPPED = [   # key, value, key and value on the target (None: dropped), partition there
    (b"a", {"id": 1}, b"A", {"id": 1001}, 2),
    (b'"a"', {"id": "1"}, b'"A"', {"id": 1001}, 2),
    (b"7", {"id": "x", "other": [1.50, "\u00e9"]}, b"seven", {"id": "y", "other": [1.5, "\u00e9"]}, 1),
    (b"b", {"id": True}, b"b", {"id": False}, 1),
    (b"b", {"id": 2, "deep": {"list": [1, 2, 1]}}, b"b", {"id": 2, "deep": {"list": [11, 2, 11]}}, 1),
    (b"b", {"rows": [{"id": 5}, {"id": 6}]}, b"b", {"rows": [{"id": 55}, {"id": 6}]}, 1),
    (b"gone", {"id": 1}, None, None, None),
    (b"b", None, b"b", None, 1),
    (None, {"id": 1}, None, {"id": 1001}, 1),
]


def document(content):
    return None if content is None else json.dumps(content).encode()


@pytest.mark.parametrize("named", [False, True])
def test_value_maps(servers, stack, topics, named):
    topic = topics("mapped", partitions=3)
    if named:
        stack.rest.save(f"/api/v1/teams/default/value-maps/{topic}", {"spec": VALUE_MAP})
    send(servers.source, topic, [{"key": key, "value": document(value), "partition": 1}
                                 for key, value, *_ in MAPPED])
    stack.put_mapping(topic, spec(topic, value_map=topic if named else VALUE_MAP))
    wanted = [(part, key, value) for _, _, key, value, part in MAPPED if part is not None]
    found = read(servers.target, topic, len(wanted), settle=0.3)
    got = [(one.partition, one.key, None if one.value is None else json.loads(one.value)) for one in found]
    assert got == sorted(wanted, key=lambda one: one[0])
    wait_totals(stack, topic, partition=1, out=len(wanted))
    if named:       # a change of the value map's object acts on the mapping that names it
        path = f"/api/v1/teams/default/value-maps/{topic}"
        stack.rest.put(f"{path}?wait=applied", {"spec": {"value.id": {"1": "changed"}}},
                       {"If-Match": stack.rest.call("GET", path).etag})
        send(servers.source, topic, [{"key": b"n", "value": b'{"id":1}', "partition": 0}])
        assert values(read(servers.target, topic, len(wanted) + 1))[0] == b'{"id":"changed"}'


def bad_among_good(topic):
    return [{"key": b"k%d" % n, "partition": 0, "timestamp": NOW, "headers": [("h", b"v")],
             "value": b"\xff not json" if n in (3, 7) else b'{"n":%d}' % n} for n in range(10)]


def test_dead_letters(servers, stack, topics):
    topic, dead = topics("letters", partitions=1), topics("dead", partitions=1)
    send(servers.source, topic, bad_among_good(topic))
    stack.put_mapping(topic, spec(topic, valid_jmespath="value.n >= `0`", on_error={"dead_letter": dead}))
    assert len(read(servers.target, topic, 8, settle=0.3)) == 8
    letters = read(servers.target, dead, 2, settle=0.3)
    for one, offset in zip(letters, (3, 7), strict=True):
        assert (one.key, one.value, one.timestamp) == (b"k%d" % offset, b"\xff not json", NOW)
        headers = dict(one.headers)
        assert headers["h"] == b"v"
        assert headers["__connect.errors.topic"] == topic.encode()
        assert headers["__connect.errors.partition"] == b"0"
        assert headers["__connect.errors.offset"] == b"%d" % offset
        assert headers["__connect.errors.stage"] == b"decode"
        assert headers["__connect.errors.exception.message"]
    wait_totals(stack, topic, out=8, dead_letter=2, **{"in": 10})
    wait_lag(stack, topic)


def test_stop_names_the_record_and_skip_goes_past_it(servers, stack, topics):
    topic = topics("stop", partitions=1)
    send(servers.source, topic, bad_among_good(topic))
    wanted = spec(topic, valid_jmespath="value.n >= `0`")
    stack.put_mapping(topic, wanted, wait=False)
    stack.wait_state(topic, "FAILED")
    error = stack.status(topic)["tasks"][0]["error"]
    assert "offset 3" in error["message"] and "decode" in error["message"], error
    assert len(read(servers.target, topic, 3, settle=0.5)) == 3
    stack.put_mapping(topic, {**wanted, "on_error": "skip"})
    found = read(servers.target, topic, 8, settle=0.3)
    assert [json.loads(one.value)["n"] for one in found] == [0, 1, 2, 4, 5, 6, 8, 9]
    wait_totals(stack, topic, out=8, error=2)


# ---- the life of a mapping -------------------------------------------------------------------------

def test_pause_resume_restart_delete(servers, stack, topics):
    topic = topics("life", partitions=2)
    count = 0

    def more(n=100):
        nonlocal count
        send(servers.source, topic, [{"value": b"%d" % i, "partition": i % 2} for i in range(count, count + n)])
        count += n

    def copied(settle=0.3):
        return sorted(int(one.value) for one in read(servers.target, topic, count, settle=settle))

    more()
    stack.put_mapping(topic, spec(topic))
    assert copied() == list(range(count))
    stack.rest.post(f"{mapping_path(topic, 'pause')}?wait=applied", {"reason": "test"})
    stack.wait_state(topic, "PAUSED")
    more()
    assert len(read(servers.target, topic, 100, settle=1)) == 100
    stack.rest.post(f"{mapping_path(topic, 'resume')}?wait=applied")
    assert copied() == list(range(count))
    stack.wait_state(topic, "RUNNING")
    since = stack.status(topic)["tasks"][0]["since"]
    stack.rest.post(f"{mapping_path(topic, 'restart')}?wait=applied")
    wait_until(lambda: stack.status(topic)["tasks"][0]["since"] != since, 20, "the restart")
    more()
    assert copied() == list(range(count))
    stack.put_mapping(topic, spec(topic, enabled=False))
    stack.wait_state(topic, "STOPPED")
    more()
    stack.put_mapping(topic, spec(topic))
    assert copied() == list(range(count))
    etag = stack.rest.call("GET", mapping_path(topic)).etag
    assert stack.rest.delete(f"{mapping_path(topic)}?wait=applied", {"If-Match": etag}).json["applied"] is True
    before = count
    more()
    assert len(read(servers.target, topic, before, settle=1)) == before
    assert stack.rest.call("GET", mapping_path(topic, "status")).status == 404
    offsets = group_offsets(servers, servers.source, f"citizenk.default.{topic}", topic)
    assert sum(offsets.values()) == before, "a deleted mapping leaves its position"


def test_on_change_latest_leaves_out_what_came_meanwhile(servers, stack, topics):
    topic = topics("latest", partitions=1)
    wanted = spec(topic, on_change={"offset": "latest"})
    send(servers.source, topic, [{"value": b"first"}] * 10)
    stack.put_mapping(topic, wanted)
    read(servers.target, topic, 10)
    stack.put_mapping(topic, {**wanted, "enabled": False})
    stack.wait_state(topic, "STOPPED")
    send(servers.source, topic, [{"value": b"meanwhile"}] * 10)
    stack.put_mapping(topic, wanted)
    send(servers.source, topic, [{"value": b"after"}] * 10)
    found = read(servers.target, topic, 20, settle=0.5)
    assert values(found) == [b"first"] * 10 + [b"after"] * 10


def test_without_a_group_nothing_is_committed(servers, stack, topics):
    topic = topics("no-group", partitions=1)
    send(servers.source, topic, [{"value": b"%d" % n} for n in range(20)])
    stack.put_mapping(topic, spec(topic, consumer_group=""))
    read(servers.target, topic, 20, settle=1)
    assert not group_offsets(servers, servers.source, f"citizenk.default.{topic}", topic)
    assert int(totals(stack, topic)["out"]) in (0, 20)

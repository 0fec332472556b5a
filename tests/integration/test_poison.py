# SPDX-License-Identifier: Apache-2.0
"""Records that cannot be copied: counted, parked or the reason to stop, as the policy says; their
neighbours arrive, in order."""
import random
import time

import pytest

from .copying import read, send, spec, values, wait_totals

MIB = 1024 * 1024
DEEP = b'{"a":' * 10_000 + b"1" + b"}" * 10_000
HUGE = b'{"type":"x","pad":"%s"}' % random.Random(1).randbytes(10 * MIB).hex().encode()    # lz4 leaves 12 MiB
FILTER = "value.type != 'never'"


def good(number):
    return b'{"type":"x","n":%d}' % number


def stream():
    """Good ones with every kind of poison between them, all on one partition, and how many are good."""
    kinds = [{"key": b"k", "value": b"{broken"}, {"key": b"k", "value": DEEP}, {"key": b"k", "value": HUGE},
             {"key": b"k", "value": b"\xff\xfe\x00"}]
    odd = [{"key": None, "value": good(1000)}, {"key": b"k", "value": None}]
    out, number = [], 0
    for one in [*kinds, *odd]:
        for _ in range(20):
            out.append({"key": b"k", "value": good(number)})
            number += 1
        out.append(one)
    out.append({"key": b"k", "value": good(number)})
    return [{**one, "partition": 0} for one in out], kinds


@pytest.fixture
def big_topics(topics, servers):
    """A source and a dead-letter topic that take 30 MiB, a target that takes the usual megabyte."""
    config = {"max.message.bytes": str(30 * MIB)}
    return (topics("poison", 1, config), topics("poison-out", 1, on=[servers.target]),
            topics("poison-dead", 1, config, [servers.target]))


def fill(servers, topic):
    records, kinds = stream()
    send(servers.source, topic, records, **{"message.max.bytes": 30 * MIB})
    wanted = [one["value"] for one in records if one["value"] not in [k["value"] for k in kinds]]
    return wanted, [one["value"] for one in kinds]


@pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
def test_parked_and_skipped(servers, stack, topics, big_topics, delivery):
    source, target, dead = big_topics
    wanted, poison = fill(servers, source)
    stack.put_mapping(source, spec(source, target, valid_jmespath=FILTER, delivery=delivery,
                                   on_error={"dead_letter": dead}))
    assert values(read(servers.target, target, len(wanted), settle=1)) == wanted
    parked = read(servers.target, dead, len(poison), settings={"fetch.message.max.bytes": 40 * MIB})
    assert sorted(values(parked), key=len) == sorted(poison, key=len)
    stages = [dict(one.headers)["__connect.errors.stage"] for one in parked]
    assert stages.count(b"send") == 1 and len(stages) == len(poison)
    wait_totals(stack, source, out=len(wanted), dead_letter=len(poison))
    skipping = topics("poison-skip", 1, on=[servers.target])
    stack.put_mapping(skipping, spec(source, skipping, valid_jmespath=FILTER, delivery=delivery, on_error="skip"))
    assert values(read(servers.target, skipping, len(wanted), settle=1)) == wanted
    wait_totals(stack, skipping, out=len(wanted), error=len(poison))


def test_stops_before_it(servers, stack, big_topics):
    """The place is told, what is before it has arrived, and nothing behind it."""
    source, target, _ = big_topics
    wanted, _ = fill(servers, source)
    stack.put_mapping(source, spec(source, target, valid_jmespath=FILTER), wait=False)
    stack.wait_state(source, "FAILED")
    assert "[0] offset 20" in str(stack.status(source)["tasks"])
    assert values(read(servers.target, target, 20, settle=1)) == wanted[:20]


@pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
def test_a_null_key_on_a_compacted_target(servers, stack, topics, delivery):
    """It is the target that refuses it: parked with the broker's reason, its neighbours arrive in order."""
    source, dead = topics("no-key", 1), topics("no-key-dead", 1, on=[servers.target])
    target = topics("no-key-out", 1, {"cleanup.policy": "compact"}, [servers.target])
    records = [{"key": None if n % 10 == 5 else b"k%d" % n, "value": good(n), "partition": 0} for n in range(60)]
    send(servers.source, source, records)
    stack.put_mapping(source, spec(source, target, delivery=delivery, on_error={"dead_letter": dead}))
    assert values(read(servers.target, target, 54, settle=0.5)) == [r["value"] for r in records if r["key"]]
    parked = read(servers.target, dead, 6)
    assert values(parked) == [r["value"] for r in records if r["key"] is None]
    assert {dict(one.headers)["__connect.errors.stage"] for one in parked} == {b"send"}
    wait_totals(stack, source, out=54, dead_letter=6)


@pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
def test_a_timestamp_that_the_target_does_not_take(servers, stack, topics, delivery):
    """Kafka takes an hour ahead by default: what a source took with more is parked, its neighbours arrive in order."""
    ahead = int(time.time() * 1000) + 3 * 3600 * 1000
    hour = {"message.timestamp.after.max.ms": "3600000"}
    source = topics("times", 1, {"message.timestamp.after.max.ms": str(10**15)})
    target, dead = (topics(name, 1, hour, [servers.target]) for name in ("times-out", "times-dead"))
    records = [{"key": b"k", "value": good(n), "partition": 0,
                "timestamp": ahead if n % 10 == 5 else ahead - 3 * 3600 * 1000} for n in range(60)]
    send(servers.source, source, records)
    stack.put_mapping(source, spec(source, target, delivery=delivery, on_error={"dead_letter": dead}))
    assert values(read(servers.target, target, 54, settle=0.5)) == [good(n) for n in range(60) if n % 10 != 5]
    assert values(read(servers.target, dead, 6)) == [good(n) for n in range(60) if n % 10 == 5]
    wait_totals(stack, source, out=54, dead_letter=6)

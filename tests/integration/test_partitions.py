# SPDX-License-Identifier: Apache-2.0
"""Order per key where source and target have different numbers of partitions, partitions that are added
under load, and tombstones, which close a key's story."""
import collections
import random

from confluent_kafka.admin import NewPartitions

from .copying import java_partition, read, send, spec, wait_totals
from .flows import End, Flows

KEYS = 300


def test_order_per_key_onto_fewer_and_more_partitions(servers, stack, topics):
    """4 partitions by four tasks onto 2 and onto 7, the same number where there is one and by key: all of a
    key is in one partition, complete and in its order."""
    source = topics("order", partitions=4, on=[servers.source])
    rng = random.Random(8)
    sent = [b"key-%d" % rng.randrange(KEYS) for _ in range(12_000)]
    send(servers.source, source, [{"key": key, "value": b"%d" % n} for n, key in enumerate(sent)])
    wanted = collections.defaultdict(list)
    for number, key in enumerate(sent):
        wanted[key].append(number)
    targets = {}
    for partitioning in ("same", "key"):
        for delivery in ("at_least_once", "exactly_once"):
            for count in (2, 7):
                target = topics(f"order-{partitioning}-{count}-{delivery[:2]}", partitions=count, on=[servers.target])
                targets[target] = (partitioning, count)
                stack.put_mapping(target, spec(source, target, partitioning=partitioning, delivery=delivery, tasks=4),
                                  wait=False)
    for target, (partitioning, count) in targets.items():
        found, homes = collections.defaultdict(list), collections.defaultdict(set)
        for one in read(servers.target, target, len(sent), timeout=60):
            found[one.key].append(int(one.value))
            homes[one.key].add(one.partition)
        assert found == wanted, target
        for key, home in homes.items():
            same = java_partition(key, 4)
            here = same if partitioning == "same" and same < count else java_partition(key, count)
            assert home == {here}, (target, key)


def test_partitions_added_under_load_are_read_from_their_beginning(servers, stack, topics):
    """Also by a mapping that began at the latest: what is in a new partition came after that."""
    def ends(delivery):
        topic = topics(f"growing-{delivery[:5]}", partitions=2, on=[servers.source])
        servers.create_topic(servers.target, topic, 5)
        return End("source", servers.source.bootstrap, topic), End("target", servers.target.bootstrap, topic)

    flows = Flows(stack, ends, start="latest")
    with flows.producing():
        flows.more(500)
        for name in flows.names:
            servers.admin(servers.source).create_partitions([NewPartitions(name, 5)])[name].result(30)
        flows.wait_until_in_use(5)
        flows.more(3000)
    flows.judge()
    for name, oracle in zip(flows.names, flows.oracles):
        firsts = {one.partition: one.offset for one in reversed(oracle.sent)}
        assert {partition: firsts[partition] for partition in (2, 3, 4)} == {2: 0, 3: 0, 4: 0}
        wait_totals(stack, name, out=len(oracle.sent), timeout=20)


def test_tombstones_pass_every_stage(servers, stack, topics):
    """Null stays null, never empty or "null": through a filter that lets it pass, sample, value map, mask,
    transform and headers. One that a filter does not let pass is dropped, and counted."""
    source = topics("tombs", partitions=2, on=[servers.source])
    send(servers.source, source, [record for n in range(50) for record in (
        {"key": b"k%d" % n, "value": b'{"n":%d,"name":"anna"}' % n, "partition": n % 2},
        {"key": b"k%d" % n, "value": None, "partition": n % 2})])
    stages = {"valid_jmespath": "value == null || value.n >= `0`", "sample": {"percent": 100, "by": "key"},
              "value_map": {"key": {"k3": "three"}, "value.n": {"3": 33}},
              "mask": [{"path": "value.name", "how": "redact"}], "transform_jmespath": "{n: value.n}",
              "headers": {"add": {"origin": "prod"}, "provenance": True}}
    for delivery in ("at_least_once", "exactly_once"):
        target = topics(f"tombs-{delivery[:5]}", partitions=2, config={"cleanup.policy": "compact"}, on=[servers.target])
        stack.put_mapping(target, spec(source, target, delivery=delivery, **stages))
        found = read(servers.target, target, 100, settle=0.3)
        for partition in range(2):
            assert [(one.key, one.value) for one in found if one.partition == partition] == [
                (b"three" if n == 3 else b"k%d" % n, value) for n in range(partition, 50, 2)
                for value in (b'{"n":%d}' % (33 if n == 3 else n), None)]
    dropped = topics("tombs-dropped", partitions=2, on=[servers.target])
    stack.put_mapping(dropped, spec(source, dropped, valid_jmespath="value.n >= `0`"))
    assert all(one.value is not None for one in read(servers.target, dropped, 50, settle=0.3))
    wait_totals(stack, dropped, out=50, filter=50)

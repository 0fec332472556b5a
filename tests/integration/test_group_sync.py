# SPDX-License-Identifier: Apache-2.0
"""group_sync: a service that moves from the source to the target goes on where it was, through a filter."""
import confluent_kafka
from confluent_kafka import TopicPartition

from support.servers import unique_name

from .copying import group_offsets, mapping_path, read, send, spec, wait_until


def commit(broker, group, topic, offset):
    consumer = confluent_kafka.Consumer({"bootstrap.servers": broker.bootstrap, "group.id": group})
    consumer.commit(offsets=[TopicPartition(topic, 0, offset)], asynchronous=False)
    consumer.close()


def condition(stack, name):
    conditions = stack.rest.get(mapping_path(name, "status"))["conditions"]
    return next((c for c in conditions if c["type"] == "GroupsSynced"), {})


def test_groups_follow_to_the_target(stack, servers, topics):
    topic, group, other = topics("groups", partitions=1), unique_name("svc"), unique_name("other")
    send(servers.source, topic, [{"value": b"%d" % i, "partition": 0} for i in range(300)])
    stack.put_mapping(topic, spec(topic, offset_map=True, sample={"percent": 50, "by": "record"},
                                  group_sync={"groups": ["svc*"], "interval_ms": 1000}))
    target = read(servers.target, topic, 100, settle=1)

    def arrives_at(source):
        """Where a reader of the target has to go on who has read the source up to @source."""
        return next(r.offset for r in target if int(r.value) >= source)

    def is_at(source):
        wait_until(lambda: group_offsets(servers, servers.target, group, topic) == {0: arrives_at(source)}, 20,
                   f"{group} to follow to {source}")

    commit(servers.source, group, topic, 100)
    commit(servers.source, other, topic, 100)
    is_at(100)
    commit(servers.source, group, topic, 150)
    is_at(150)
    assert group_offsets(servers, servers.target, other, topic) == {}      # not asked for
    wait_until(lambda: condition(stack, topic).get("reason") == "Synced", 10, "the condition")
    # It has run on the target since: its own position counts, also when it is away again.
    own = arrives_at(250)
    commit(servers.target, group, topic, own)
    commit(servers.source, group, topic, 200)
    service = confluent_kafka.Consumer({"bootstrap.servers": servers.target.bootstrap, "group.id": group,
                                        "enable.auto.commit": False, "auto.offset.reset": "error"})
    service.subscribe([topic])
    first = None

    def polled():
        nonlocal first
        first = first or service.poll(0.2)
        return first is not None
    wait_until(polled, 20, "the service to read on")
    assert first.error() is None and first.offset() == own
    commit(servers.source, group, topic, 290)
    done = condition(stack, topic)["last_transition"]
    wait_until(lambda: condition(stack, topic)["message"].startswith("0 groups"), 15, "it to be left alone")
    assert group_offsets(servers, servers.target, group, topic) == {0: own} and done
    service.close()
    is_at(290)


def test_all_topics_of_a_pattern_follow(stack, servers):
    """Two topics that are there and one that comes later; their offsets differ on the target."""
    prefix, group = unique_name("groups"), unique_name("svc")

    def begin(topic, older):
        for broker in (servers.source, servers.target):
            servers.create_topic(broker, topic, 1)
        send(servers.target, topic, [{"value": b"older"}] * older)
        send(servers.source, topic, [{"value": b"%d" % i} for i in range(100)])

    def is_at(topic, offset):
        wait_until(lambda: group_offsets(servers, servers.target, group, topic) == {0: offset}, 20, f"{topic} to follow")

    begin(f"{prefix}.a", 3)
    begin(f"{prefix}.b", 0)
    stack.put_mapping(prefix, {
        "source": {"cluster": "source", "pattern": f"^{prefix}\\."}, "target": {"cluster": "target"}, "start": "earliest",
        "offset_map": True, "group_sync": {"groups": ["svc*"], "interval_ms": 1000}})
    commit(servers.source, group, f"{prefix}.a", 50)
    commit(servers.source, group, f"{prefix}.b", 70)
    is_at(f"{prefix}.a", 53)
    is_at(f"{prefix}.b", 70)
    begin(f"{prefix}.c", 7)
    commit(servers.source, group, f"{prefix}.c", 10)
    is_at(f"{prefix}.c", 17)
    answer = stack.rest.call("POST", mapping_path(prefix, "offsets", "translate"),
                             {"offsets": {f"{prefix}.a": {"0": 20}, f"{prefix}.c": {"0": 30}}}).json["partitions"]
    assert [(p["to_topic"], p["to_offset"], p["exact"]) for p in answer] == \
        [(f"{prefix}.a", "23", True), (f"{prefix}.c", "37", True)]

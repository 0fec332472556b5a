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

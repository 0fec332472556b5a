# SPDX-License-Identifier: Apache-2.0
"""Writing and reading single records, for tests that look at each of them."""
import collections
import time

import confluent_kafka

from support.citizenk import api_path
from support.procs import wait_until

Read = collections.namedtuple("Read", "partition offset key value headers timestamp")


def mapping_path(name, *more):
    return api_path("teams", "default", "mappings", name, *more)


def spec(source, target=None, **more):
    """A mapping's spec from topic to topic (the same name by default), from the beginning."""
    return {"source": {"cluster": "source", "topic": source}, "start": "earliest",
            "target": {"cluster": "target", "topic": target or source}, **more}


def send(broker, topic, records, **settings):
    """Writes @records ({key, value, partition, headers, timestamp}, any of them absent) in order."""
    producer = confluent_kafka.Producer({
        "bootstrap.servers": broker.bootstrap, "linger.ms": 2, "message.max.bytes": 2_000_000,
        "enable.idempotence": True, "partitioner": "murmur2_random", **settings})
    failed = []
    for record in records:
        while True:
            try:
                producer.produce(topic, on_delivery=lambda e, _: failed.append(e) if e else None, **record)
                break
            except BufferError:
                producer.poll(0.1)
    assert producer.flush(60) == 0 and not failed, failed


def read(broker, topic, count, timeout=30, settle=0.0, isolation="read_committed", settings=None):
    """Everything in @topic by partition, when @count records (or more) are there; @settle seconds
    more for what should not come."""
    consumer = confluent_kafka.Consumer({
        "bootstrap.servers": broker.bootstrap, "group.id": "copying", "enable.auto.commit": False,
        "isolation.level": isolation, "fetch.wait.max.ms": 50, "fetch.message.max.bytes": 2_000_000, **(settings or {})})
    try:
        parts = consumer.list_topics(topic, 20).topics[topic].partitions
        consumer.assign([confluent_kafka.TopicPartition(topic, p, 0) for p in parts])
        found, deadline, end = [], time.monotonic() + timeout, None
        while end is None or time.monotonic() < end:
            for message in consumer.consume(5000, 0.05):
                if message.error():
                    assert message.error().retriable() or message.error().code() < 0, message.error()
                    continue
                found.append(Read(message.partition(), message.offset(), message.key(), message.value(),
                                  message.headers() or [], message.timestamp()[1]))
            if end is None and len(found) >= count:
                end = time.monotonic() + settle
            assert end is not None or time.monotonic() < deadline, \
                f"{len(found)} of {count} records on {topic} after {timeout} s"
        return sorted(found)
    finally:
        consumer.close()


def values(found):
    return [one.value for one in found]


def totals(stack, name):
    return stack.status(name)["totals"]


def wait_totals(stack, name, timeout=10, **wanted):
    """Until the counters of @name are as @wanted; `filter`, `error`… are reasons of drops."""
    def reached():
        now = totals(stack, name)
        both = {**now["dropped"], **{k: v for k, v in now.items() if k != "dropped"}}
        return all(int(both[key]) == value for key, value in wanted.items())
    stack._wait(reached, timeout, f"{name!r} to have counted {wanted}", lambda: totals(stack, name))


def wait_lag(stack, name, lag=0, timeout=15):
    stack._wait(lambda: stack.status(name)["lag"] in (lag, str(lag)), timeout,
                f"the lag of {name!r} to be {lag}", lambda: stack.status(name)["partitions"])


def group_offsets(servers, broker, group, topic):
    """{partition: committed offset} of @group."""
    request = confluent_kafka.ConsumerGroupTopicPartitions(group)
    answer = servers.admin(broker).list_consumer_group_offsets([request])[group].result(20)
    return {one.partition: one.offset for one in answer.topic_partitions
            if one.topic == topic and one.offset >= 0}


def murmur2(data):
    """Kafka's hash of keys, from its description; checked below against the Java client's vectors."""
    mask, m, length = 0xFFFFFFFF, 0x5BD1E995, len(data)
    h = (0x9747B28C ^ length) & mask
    whole = length & ~3
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at:at + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = (h * m & mask) ^ k
    tail = data[whole:]
    if tail:
        h = (h ^ int.from_bytes(tail, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


def java_partition(key, partitions):
    return (murmur2(key) & 0x7FFFFFFF) % partitions


__all__ = ["Read", "group_offsets", "java_partition", "mapping_path", "murmur2", "read", "send", "spec",
           "totals", "values", "wait_lag", "wait_totals", "wait_until"]

# SPDX-License-Identifier: Apache-2.0
"""A replicator in thirty lines of Python, right or wrong in a chosen way: what the oracle is tested on."""
import confluent_kafka


def copy(source, source_topic, target, target_topic, count, damage=None):
    """Copies @count records; @damage(number, record) gives the list of records to send instead."""
    consumer = confluent_kafka.Consumer({
        "bootstrap.servers": source, "group.id": f"copier-{target_topic}",
        "auto.offset.reset": "earliest", "enable.auto.commit": False})
    producer = confluent_kafka.Producer({
        "bootstrap.servers": target, "enable.idempotence": True, "linger.ms": 5,
        "queue.buffering.max.messages": 200_000})
    partitions = consumer.list_topics(source_topic, 10).topics[source_topic].partitions
    consumer.assign([confluent_kafka.TopicPartition(source_topic, p, 0) for p in partitions])
    number = 0
    while number < count:
        for message in consumer.consume(1000, 1.0):
            assert message.error() is None, message.error()
            record = {"key": message.key(), "value": message.value(),
                      "headers": message.headers() or [], "timestamp": message.timestamp()[1],
                      "partition": message.partition()}
            for one in damage(number, record) if damage else [record]:
                producer.produce(target_topic, **one)
            number += 1
    assert producer.flush(30) == 0
    consumer.close()

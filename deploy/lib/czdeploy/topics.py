# SPDX-License-Identifier: Apache-2.0
"""Topics that are there when the call returns (needs confluent_kafka)."""
import confluent_kafka
import confluent_kafka.admin

from .procs import wait_until


def admin_client(bootstrap):
    """Keep it while its requests are under way: a client that is dropped ends them."""
    # Level 2: a broker that a test has stopped is no news.
    return confluent_kafka.admin.AdminClient({"bootstrap.servers": bootstrap, "log_level": 2})


def create(admin, name, partitions=4, config=None, exist_ok=False):
    """Creates @name and waits until the broker itself shows it.

    The controller acknowledges a new topic before the broker knows of it; just after a broker's
    start that was seen to take two seconds, in which others are told that there is no such topic.
    """
    topic = confluent_kafka.admin.NewTopic(name, partitions, config=config or {})
    try:
        admin.create_topics([topic])[name].result(30)
    except confluent_kafka.KafkaException as error:
        code = error.args[0].code()
        if code != confluent_kafka.KafkaError.TOPIC_ALREADY_EXISTS or not exist_ok:
            raise
    wait_until(lambda: visible(admin, name), 30, f"topic {name} to appear")


def visible(admin, name):
    """Whether the broker that @admin talks to shows @name with a leader for each partition."""
    topic = admin.list_topics(name, 10).topics.get(name)
    return (topic is not None and topic.error is None and topic.partitions
            and all(part.leader >= 0 for part in topic.partitions.values()))

# SPDX-License-Identifier: Apache-2.0
"""The demo of deploy/quickstart: clusters, topics, a feed of orders, one mapping with a filter."""
import confluent_kafka
import confluent_kafka.admin

from .citizenk import api_path
from .quickstack import FEED_TOPIC

MAPPING = "orders to staging"
_MAPPING = {
    "group": "demo",
    "labels": {"env": "staging"},
    "description": "Sales only, for the staging environment. Made by deploy/quickstart.",
    "spec": {
        "enabled": True,
        "source": {"cluster": "source", "topic": FEED_TOPIC},
        "target": {"cluster": "target", "topic": FEED_TOPIC},
        "start": "earliest",
        "valid_jmespath": "value.event.type == 'sale'",
    },
}
_TOPIC_CONFIG = {"retention.ms": str(6 * 3600 * 1000), "retention.bytes": str(256 << 20)}


def create_clusters(stack, client):
    """`source` and `target` in team default; changed only when a port moved."""
    for name, broker in (("source", stack.source), ("target", stack.target)):
        now = client.call("GET", api_path("teams", "default", "clusters", name))
        if (now.status == 200
                and now.json.get("spec", {}).get("bootstrap_servers") == broker.bootstrap):
            continue
        client.put_cluster(name, broker.bootstrap)


def start(stack, client):
    """Topics, feed and mapping, each only if it is not there: what a user changed stays changed."""
    for broker in (stack.source, stack.target):
        _create_topic(broker.bootstrap)
    if not stack.feed.alive():
        stack.feed.start()
    path = api_path("teams", "default", "mappings", MAPPING)
    if client.call("GET", path).status == 404:
        client.put(path, _MAPPING, {"If-None-Match": "*"})


def _create_topic(bootstrap):
    admin = confluent_kafka.admin.AdminClient(
        {"bootstrap.servers": bootstrap, "log_level": 4})   # no chatter when it is dropped
    topic = confluent_kafka.admin.NewTopic(FEED_TOPIC, 4, 1, config=_TOPIC_CONFIG)
    try:
        admin.create_topics([topic])[FEED_TOPIC].result(30)
    except confluent_kafka.KafkaException as error:
        if error.args[0].code() != confluent_kafka.KafkaError.TOPIC_ALREADY_EXISTS:
            raise

# SPDX-License-Identifier: Apache-2.0
"""The demo of deploy/quickstart: clusters, topics, a feed of orders, one mapping with a filter."""
from . import topics
from .citizenk import api_path
from .procs import wait_until
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
        topics.create(topics.admin_client(broker.bootstrap), FEED_TOPIC, config=_TOPIC_CONFIG,
                      exist_ok=True)
    if not stack.feed.alive():
        stack.feed.start()
    path = api_path("teams", "default", "mappings", MAPPING)
    if client.call("GET", path).status == 404:
        client.put(path, _MAPPING, {"If-None-Match": "*"})
        wait_until(lambda: client.get(path)["status"]["state"] == "RUNNING", 60,
                   f"the mapping {MAPPING!r} to run")

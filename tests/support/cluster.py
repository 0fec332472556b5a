# SPDX-License-Identifier: Apache-2.0
"""A cluster of three brokers, for what one broker cannot show: coordinators and leaders that move."""
import concurrent.futures
import pathlib

from czdeploy import topics

from .kafka import KafkaBroker, new_cluster_id
from .ports import find_free
from .procs import wait_until

BROKERS = 3
INTERNAL = ("__consumer_offsets", "__transaction_state")


class Cluster:
    """Three copies of everything, two of which must be written.  The internal topics have one partition,
    so that its leader is the coordinator of every group, or of every transaction."""

    def __init__(self, folder):
        ports = find_free(2 * BROKERS)
        voters = ",".join(f"{n + 1}@127.0.0.1:{ports[BROKERS + n]}" for n in range(BROKERS))
        cluster_id = new_cluster_id()
        self._admin = None
        self.bootstrap = ",".join(f"127.0.0.1:{port}" for port in ports[:BROKERS])
        self.brokers = [KafkaBroker(
            pathlib.Path(folder) / f"kafka-{n + 1}", ports[n], ports[BROKERS + n], heap="256m", name=f"kafka-{n + 1}",
            die_with_parent=True, short_lived=True, cluster_id=cluster_id, properties={
                "node.id": n + 1, "controller.quorum.voters": voters,
                "default.replication.factor": BROKERS, "min.insync.replicas": 2,
                "offsets.topic.replication.factor": BROKERS, "offsets.topic.num.partitions": 1,
                "transaction.state.log.replication.factor": BROKERS, "transaction.state.log.min.isr": 2,
                "transaction.state.log.num.partitions": 1,
            }) for n in range(BROKERS)]

    def start(self):
        # The children die with the thread that starts them, so none may be a pool's thread.
        with concurrent.futures.ThreadPoolExecutor() as pool:
            list(pool.map(lambda broker: broker.prepare(), self.brokers))
        for broker in self.brokers:
            broker.start(wait=False)
        for broker in self.brokers:
            broker.wait_ready()
        return self

    def stop(self):
        """Killed: the last ones of a cluster that is to end wait long for one another."""
        for broker in self.brokers:
            broker.kill9()

    @property
    def admin(self):
        """Kept: a client that is dropped ends its own requests."""
        if self._admin is None:
            self._admin = topics.admin_client(self.bootstrap)
        return self._admin

    def create_topic(self, name, partitions=4, config=None):
        """Each broker knows of it: a client that is told its name may ask any."""
        topics.create(self.admin, name, partitions, config)
        for broker in self.brokers:
            client = topics.admin_client(broker.bootstrap)      # knows no other one yet
            wait_until(lambda client=client: topics.visible(client, name), 30, f"{name} to appear everywhere")

    def _topics(self):
        return self.admin.list_topics(timeout=20).topics

    def leader(self, topic, partition=0):
        """The broker that leads @partition; None while nobody does."""
        number = self._topics()[topic].partitions[partition].leader
        return self.brokers[number - 1] if number > 0 else None

    def wait_moved(self, topic, old, timeout=30):
        """Until another broker than @old leads the first partition of @topic."""
        wait_until(lambda: self.leader(topic) not in (None, old), timeout, f"{topic} to be led by another broker")

    def wait_in_sync(self, timeout=60):
        """Until every copy of every partition is there again: one more broker may go."""
        def whole():
            return all(len(part.isrs) == BROKERS for topic in self._topics().values()
                       for part in topic.partitions.values())
        wait_until(whole, timeout, "all replicas to be in sync", 0.2)

    def ensure(self):
        """Starts again what a test left killed."""
        for broker in self.brokers:
            if not broker.alive():
                broker.start()
        self.wait_in_sync()

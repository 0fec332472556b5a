# SPDX-License-Identifier: Apache-2.0
"""A cluster of three brokers as source and target of both deliveries: coordinators that move for good, and
brokers restarted one after another."""
import contextlib
import threading

import pytest

from support.cluster import Cluster
from support.servers import unique_name

from .flows import End, Flows

RECOVERY_S = 60     # of a broker's loss


@pytest.fixture(scope="module")
def _started_cluster(run_folder):
    cluster = Cluster(run_folder / "three")
    try:
        yield cluster.start()
    finally:
        cluster.stop()


@pytest.fixture
def cluster(_started_cluster):
    _started_cluster.ensure()
    return _started_cluster


@pytest.fixture(scope="module")
def on_three(start_stack, _started_cluster):
    """A worker; the cluster `three`."""
    stack = start_stack()
    stack.rest.put_cluster("three", _started_cluster.bootstrap)
    return stack


def flows_on(cluster, stack, name):
    def ends(delivery):
        topic = unique_name(f"{name}-{delivery[:5]}")
        for one in (topic, f"{topic}-out"):
            cluster.create_topic(one, 4)
        return End("three", cluster.bootstrap, topic), End("three", cluster.bootstrap, f"{topic}-out")
    return Flows(stack, ends)


def kill_leader(cluster, what, flows):
    """kill -9 of the broker that leads @what: another one does, and all goes on before it comes back."""
    broker = cluster.leader(what)
    print(f"{broker.process.name} killed, which leads {what}")
    broker.kill9()
    cluster.wait_moved(what, broker)
    print(f"led by {cluster.leader(what).process.name}, caught up after {flows.recovered(RECOVERY_S):.1f} s")
    broker.start()


def test_coordinators_move(on_three, cluster, lasting):
    """Of transactions, then of groups, by kill -9 of the broker that is it; --long: again and again."""
    flows = flows_on(cluster, on_three, "coordinators")
    with flows.producing():
        flows.more(1000)
        for _ in range(lasting(1, 4)):
            for what in ("__transaction_state", "__consumer_offsets"):
                cluster.wait_in_sync()
                kill_leader(cluster, what, flows)
    flows.judge()


@contextlib.contextmanager
def watched(flows):
    """The states that any task was seen in while the body runs."""
    seen, over = set(), threading.Event()

    def look():
        while not over.wait(0.2):
            for name in flows.names:
                seen.update(flows.stack.task_states(name))
    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def test_rolling_restart(on_three, cluster):
    """Broker after broker is stopped in order and started again: nobody notices, no task fails."""
    flows = flows_on(cluster, on_three, "rolling")
    with flows.producing(), watched(flows) as states:
        flows.more(1000)
        for broker in cluster.brokers:
            cluster.wait_in_sync()
            broker.stop()
            print(f"{broker.process.name} stopped, caught up after {flows.recovered(RECOVERY_S):.1f} s")
            broker.start()
    flows.judge()
    assert states == {"RUNNING"}, states

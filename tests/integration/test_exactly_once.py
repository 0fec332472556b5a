# SPDX-License-Identifier: Apache-2.0
"""delivery: exactly_once, judged by the oracle with a read_committed reader: nothing lost, nothing
twice, whatever is killed in between."""

import json
import os

import confluent_kafka
import pytest

from support.oracle import Mix, Oracle
from support.procs import wait_until

from .copying import read, send, spec, values, wait_totals

RATE = 1500


class Flow:
    """An exactly-once mapping under load, with its oracle."""

    def __init__(self, servers, stack, topics, name, **more):
        self.topic = topics(name)
        self.oracle = Oracle(servers.source.bootstrap, self.topic, servers.target.bootstrap, self.topic,
                             mix=Mix.plain(sale=0.7))
        stack.put_mapping(self.topic, spec(self.topic, delivery="exactly_once", **more))

    def more(self, count):
        self.oracle.wait_arrived(self.oracle.arrived() + count, timeout=90)

    def judge(self):
        self.oracle.verdict(timeout=90).assert_exactly_once()


def test_plain_copy(servers, stack, topics):
    flow = Flow(servers, stack, topics, "eos-plain")
    with flow.oracle.producing(rate=RATE):
        flow.more(5000)
    flow.judge()


def test_worker_killed_twice(servers, make_stack, topics):
    stack = make_stack(workers=1)
    flow = Flow(servers, stack, topics, "eos-kill")
    with flow.oracle.producing(rate=RATE):
        for _ in range(2):
            flow.more(1500)
            stack.workers[0].kill9()
            stack.workers[0].start()
        flow.more(1500)
    flow.judge()


def test_stopped_past_its_lease(servers, make_stack, topics):
    """Another worker takes over; the sleeper wakes with a transaction of its own open: fenced."""
    stack = make_stack(workers=0)
    for _ in range(2):
        stack.add_worker(extra=("--lease-ms", "4000"))
    stack.wait_workers(2)
    flow = Flow(servers, stack, topics, "eos-sleeper")
    with flow.oracle.producing(rate=RATE):
        flow.more(1500)
        tasks = stack.status(flow.topic)["tasks"]
        owner = next(w for w in stack.workers if w.process.name == tasks[0]["worker"])
        owner.process.suspend()
        flow.more(RATE * 12)
        owner.process.resume()
        flow.more(3000)
    flow.judge()


def test_target_killed(servers, stack, topics):
    flow = Flow(servers, stack, topics, "eos-target")
    with flow.oracle.producing(rate=RATE):
        flow.more(1500)
        servers.target.kill9()
        servers.target.start()
        flow.more(3000)
    flow.judge()


@pytest.mark.parametrize("point", ["txn-before-commit", "txn-after-commit", "txn-after-init"])
def test_killed_at(servers, make_stack, topics, point):
    stack = make_stack(workers=1)
    flow = Flow(servers, stack, topics, f"eos-{point}")
    worker = stack.workers[0]
    with flow.oracle.producing(rate=RATE):
        flow.more(1500)
        worker.kill9()
        worker.process.env = {"CITIZENK_FAULT": point}
        worker.start(wait=False)    # it may die before it is ready
        wait_until(lambda: not worker.alive(), 30, f"the worker to die at {point}")
        worker.process.env = None
        worker.start()
        flow.more(1500)
    flow.judge()


def test_change_of_delivery_and_tasks_keeps_the_position(servers, stack, topics):
    """At least once, exactly once, one task, at least once: no record again, none missing."""
    topic = topics("eos-switch")
    sent = []
    for number, more in enumerate([{}, {"delivery": "exactly_once", "tasks": 4},
                                   {"delivery": "exactly_once", "tasks": 1}, {}]):
        stack.put_mapping(topic, spec(topic, **more), wait=False)
        batch = [{"value": b"%d-%d" % (number, i), "partition": i % 4} for i in range(200)]
        send(servers.source, topic, batch)
        sent += [one["value"] for one in batch]
        read(servers.target, topic, len(sent))
        wait_totals(stack, topic, out=len(sent))
    assert sorted(values(read(servers.target, topic, len(sent), settle=2))) == sorted(sent)


def test_refused_record_goes_to_dead_letters(servers, stack, topics):
    source, dead = topics("eos-poison", 1), topics("eos-poison-dead", 1)
    target = topics("eos-poison-small", 1, {"max.message.bytes": "20000"}, [servers.target])
    stack.put_mapping(source, spec(source, target, delivery="exactly_once",
                                   on_error={"dead_letter": dead}))
    big = [os.urandom(100_000) for _ in range(2)]   # no compression helps these
    good = [b"%d" % i for i in range(300)]
    sent = good[:100] + big[:1] + good[100:200] + big[1:] + good[200:]
    send(servers.source, source, [{"value": v, "partition": 0} for v in sent])
    assert values(read(servers.target, target, 300, settle=1)) == good
    assert values(read(servers.target, dead, 2, settle=1)) == big
    wait_totals(stack, source, out=300, dead_letter=2)


def test_open_transaction_hides_positions(servers, make_stack, topics):
    """A start waits for what it cannot see; it never takes it for no position."""
    stack = make_stack(workers=1)
    topic = topics("eos-hidden", 1)
    stack.put_mapping(topic, spec(topic, delivery="exactly_once"))
    send(servers.source, topic, [{"value": b"a%d" % i, "partition": 0} for i in range(100)])
    read(servers.target, topic, 100)
    offsets = f"{stack.group_id}.offsets"
    found = read(servers.target, offsets, 1)
    wait_totals(stack, topic, out=100)
    assert json.loads(found[-1].value)["v"] == 1
    foreign = confluent_kafka.Producer({"bootstrap.servers": servers.target.bootstrap,
                                        "transactional.id": topic, "transaction.timeout.ms": 120000})
    foreign.init_transactions(30)
    foreign.begin_transaction()
    foreign.produce(offsets, b"foreign", b"foreign", partition=found[-1].partition)
    assert foreign.flush(30) == 0
    stack.workers[0].restart()
    stack.wait_state(topic, "FAILED", timeout=60)
    assert "open transaction" in str(stack.status(topic)["tasks"])
    foreign.abort_transaction(30)
    send(servers.source, topic, [{"value": b"b%d" % i, "partition": 0} for i in range(100)])
    assert len(read(servers.target, topic, 200, timeout=90, settle=1)) == 200

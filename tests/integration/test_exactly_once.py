# SPDX-License-Identifier: Apache-2.0
"""delivery: exactly_once, judged by the oracle with a read_committed reader: nothing lost, nothing
twice, whatever is killed in between."""

import json
import os
import time

import confluent_kafka
import pytest

from support.oracle import Mix, Oracle
from support.procs import wait_until

from .copying import mapping_path, read, send, spec, values, wait_totals

RATE = 1500
POINTS = ("txn-before-commit", "txn-after-commit", "txn-after-init")


class Flow:
    """An exactly-once mapping under load, with its oracle."""

    def __init__(self, servers, stack, topics, name, **more):
        self.topic = topics(name)
        self.oracle = Oracle(servers.source.bootstrap, self.topic, servers.target.bootstrap, self.topic,
                             mix=Mix.plain(sale=0.7))
        self.stack = stack
        stack.put_mapping(self.topic, spec(self.topic, delivery="exactly_once", **more))

    def more(self, count):
        self.oracle.wait_arrived(self.oracle.arrived() + count, timeout=90)

    def owner(self):
        """A worker that runs some of it."""
        task = self.stack.status(self.topic)["tasks"][0]
        return next(w for w in self.stack.workers if w.process.name == task["worker"])

    def moved_from(self, worker):
        def moved():
            tasks = self.stack.status(self.topic)["tasks"]
            return all(t["state"] == "RUNNING" and t["worker"] != worker.process.name for t in tasks)
        wait_until(moved, 40, "other workers to run all of it", 0.2)

    def judge(self):
        self.oracle.verdict(timeout=90).assert_exactly_once()


@pytest.fixture(scope="module")
def pair(start_stack):
    """Two workers with a short lease."""
    return start_stack(workers=2, lease_s=4)


def test_planned_moves(servers, pair, topics):
    """A worker that stops in order hands over; the one that comes back gets its share again."""
    flow = Flow(servers, pair, topics, "eos-moves")
    with flow.oracle.producing(rate=RATE):
        flow.more(2000)
        for _ in range(2):
            owner = flow.owner()
            assert owner.stop()
            flow.moved_from(owner)
            flow.more(1000)
            owner.start()
    flow.judge()


def test_stopped_past_its_lease(servers, pair, topics, lasting):
    """Another worker takes over; the sleeper wakes with a transaction of its own open: fenced.  --long:
    past the time limit of that transaction."""
    flow = Flow(servers, pair, topics, "eos-sleeper")
    with flow.oracle.producing(rate=RATE):
        flow.more(1500)
        owner = flow.owner()
        owner.process.suspend()
        flow.moved_from(owner)
        flow.more(1500)
        time.sleep(lasting(0, 35))
        owner.process.resume()
        flow.more(3000)
    flow.judge()


def test_killed_at_every_point(servers, stack, topics):
    """kill -9 of the worker at any time and at three chosen ones, and of the target."""
    flow = Flow(servers, stack, topics, "eos-kill")
    worker = stack.workers[0]
    with flow.oracle.producing(rate=RATE):
        flow.more(1000)
        for point in POINTS:
            print(f"killed, then killed at {point}")
            worker.kill9()
            worker.process.env = {"CITIZENK_FAULT": point}
            worker.start(wait=False)    # it may die before it is ready
            wait_until(lambda: not worker.alive(), 30, f"the worker to die at {point}")
            worker.process.env = None
            worker.start()
            flow.more(1000)
        print("target killed")
        servers.target.kill9()
        servers.target.start()
        flow.more(2000)
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
    assert sorted(values(read(servers.target, topic, len(sent), settle=1))) == sorted(sent)


def test_stages_in_one_cluster_without_a_group(servers, stack, topics):
    """Filter, sample and value map, from a topic to one beside it; the position needs no group, also
    when the worker is killed.  What has to arrive is told by a twin that is at least once."""
    source = topics("eos-stages", on=[servers.source])
    shaped = {"valid_jmespath": "value.side == 'a'", "sample": {"percent": 50, "by": "key"},
              "value_map": {"value.country": {"DE": "XA"}}}
    here = {"cluster": "source", "topic": source}

    def put(kind, **more):
        target = topics(f"eos-stages-{kind}", on=[servers.source])
        stack.put_mapping(target, {**spec(source), "source": here, **shaped, **more,
                                   "target": {"cluster": "source", "topic": target}})
        return target

    def more(begin):
        send(servers.source, source, [
            {"key": b"k%d" % (i % 97), "partition": i % 4,
             "value": json.dumps({"n": i, "side": "ab"[i % 2], "country": "DE"}).encode()}
            for i in range(begin, begin + 1000)])

    exact = put("exact", delivery="exactly_once", consumer_group="")
    more(0)
    wait_totals(stack, exact, **{"in": 1000})
    stack.workers[0].kill9()
    more(1000)
    stack.workers[0].start()
    twin = put("twin")
    wait_totals(stack, twin, timeout=30, **{"in": 2000})
    wanted = read(servers.source, twin, int(stack.status(twin)["totals"]["out"]))
    assert 300 < len(wanted) < 700 and all(b'"XA"' in one.value for one in wanted)
    found = read(servers.source, exact, len(wanted), settle=1)
    for partition in range(4):
        assert [one.value for one in found if one.partition == partition] == \
            [one.value for one in wanted if one.partition == partition]


def test_on_change_latest(servers, stack, topics):
    """What came while it was off is left out; the rest is there once."""
    topic = topics("eos-change")
    spec_of = {**spec(topic, delivery="exactly_once"), "on_change": {"offset": "latest"}}

    def batch(letter):
        sent = [b"%s%d" % (letter, i) for i in range(200)]
        send(servers.source, topic, [{"value": v, "partition": i % 4} for i, v in enumerate(sent)])
        return sent

    stack.put_mapping(topic, spec_of)
    wanted = batch(b"a")
    wait_totals(stack, topic, out=200)
    stack.put_mapping(topic, {**spec_of, "enabled": False})
    stack.wait_state(topic, "STOPPED")
    batch(b"b")
    stack.put_mapping(topic, spec_of)
    wanted += batch(b"c")
    assert sorted(values(read(servers.target, topic, 400, settle=1))) == sorted(wanted)


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
    assert values(read(servers.target, dead, 2)) == big
    wait_totals(stack, source, out=300, dead_letter=2)


def test_open_transaction_hides_positions(servers, stack, topics):
    """A start waits for what it cannot see; it never takes it for no position."""
    topic = topics("eos-hidden", 1)
    stack.put_mapping(topic, spec(topic, delivery="exactly_once"))
    send(servers.source, topic, [{"value": b"a%d" % i, "partition": 0} for i in range(100)])
    wait_totals(stack, topic, out=100)
    offsets = f"{stack.group_id}.offsets"
    uid = stack.rest.get(mapping_path(topic))["uid"].encode()
    found = [one for one in read(servers.target, offsets, 1, settle=0.5) if one.key.startswith(uid)]
    assert json.loads([one for one in found if not one.key.endswith(b"/owner")][-1].value)["offset"] == 100
    foreign = confluent_kafka.Producer({"bootstrap.servers": servers.target.bootstrap,
                                        "transactional.id": topic, "transaction.timeout.ms": 120000})
    foreign.init_transactions(30)
    foreign.begin_transaction()
    foreign.produce(offsets, b"foreign", b"foreign", partition=found[-1].partition)
    assert foreign.flush(30) == 0
    stack.workers[0].kill9()
    stack.workers[0].start()
    send(servers.source, topic, [{"value": b"b%d" % i, "partition": 0} for i in range(100)])
    assert len(read(servers.target, topic, 100, settle=4)) == 100
    assert stack.task_states(topic) != ["RUNNING"]
    assert stack.workers[0].stop()      # in order, while it waits
    stack.workers[0].start()
    foreign.abort_transaction(30)
    assert len(read(servers.target, topic, 200, timeout=90, settle=1)) == 200

# SPDX-License-Identifier: Apache-2.0
"""Faults in mid-stream, each judged by the oracle: nothing lost, nothing altered, first deliveries
of a key in order.  Duplicates are allowed (at-least-once) and printed."""
import functools
import time

import pytest

from support.citizenk import api_path, status_of
from support.oracle import Mix, Oracle
from support.procs import wait_until

RATE = 1500
LEASE_SECONDS = 4


def spec(topic, **more):
    return {"source": {"cluster": "source", "topic": topic},
            "target": {"cluster": "target", "topic": topic}, "start": "earliest", **more}


class Flow:
    """A mapping under load, with its oracle."""

    def __init__(self, servers, stack, topics, name, **more):
        self.topic = topics(name)
        self.oracle = Oracle(servers.source.bootstrap, self.topic, servers.target.bootstrap, self.topic,
                             mix=Mix.plain(sale=0.7))
        self.stack = stack
        stack.put_mapping(self.topic, spec(self.topic, **more))

    def more(self, count, timeout=90):
        """@count records more have arrived."""
        self.oracle.wait_arrived(self.oracle.arrived() + count, timeout=timeout)

    def judge(self, capsys=None, timeout=120):
        verdict = self.oracle.verdict(timeout=timeout)
        verdict.assert_at_least_once()
        print(f"{self.topic}: {verdict}")
        return verdict


@pytest.fixture
def quick_stack(make_stack):
    """Workers with a short lease, so that a test does not wait for the default one."""
    return functools.partial(make_stack, workers=2, lease_s=LEASE_SECONDS)


def test_worker_killed_in_mid_stream(servers, quick_stack, topics):
    stack = quick_stack()
    flow = Flow(servers, stack, topics, "kill-worker")
    with flow.oracle.producing(rate=RATE):
        for round_number in range(4):
            flow.more(1500)
            victim = stack.workers[round_number % 2]
            victim.kill9()
            time.sleep(0.3 * round_number)
            victim.start()
        flow.more(1500)
    flow.judge()


def test_worker_stopped_past_its_lease(servers, quick_stack, topics):
    """SIGSTOP, another worker takes over, SIGCONT: the sleeper must not go on where it was."""
    stack = quick_stack()
    flow = Flow(servers, stack, topics, "sleeper")
    with flow.oracle.producing(rate=RATE):
        flow.more(1500)
        tasks = stack.status(flow.topic)["tasks"]
        owner = next(w for w in stack.workers if w.process.name == tasks[0]["worker"])
        owner.process.suspend()
        # Its partitions must go on elsewhere while it sleeps.
        flow.more(RATE * (LEASE_SECONDS + 8))
        owner.process.resume()
        flow.more(3000)
    flow.judge()


def test_leader_killed(servers, quick_stack, topics):
    stack = quick_stack(controlplanes=2, workers=1)
    flow = Flow(servers, stack, topics, "kill-leader")
    with flow.oracle.producing(rate=RATE):
        flow.more(1500)
        leader = leading(stack)
        leader.kill9()
        started = time.monotonic()
        other = topics("kill-leader-other")
        stack.put_mapping(other, spec(other))      # needs a leader that acts
        took = time.monotonic() - started
        leader.start()
        flow.more(1500)
    flow.judge()
    assert took < 15, f"a new leader took {took:.1f} s to act"


def leads(stack, program):
    return "\ncitizenk_leader 1\n" in stack.client(program).call("GET", "/metrics").text


def leading(stack):
    """The control plane that leads, by its metrics."""
    def find():
        return next((p for p in stack.controlplanes if p.alive() and leads(stack, p)), None)
    wait_until(find, 30, "a leader")
    return find()


def states(rest, name):
    return [task["state"] for task in rest.get(api_path("teams", "default", "mappings", name, "status"))["tasks"]]


def test_two_leaders_at_once(servers, quick_stack, topics):
    """The leader is stopped past its lease, another one leads; woken up, the old one must not write."""
    stack = quick_stack(controlplanes=2, workers=1)
    flow = Flow(servers, stack, topics, "two-leaders")
    with flow.oracle.producing(rate=RATE):
        flow.more(1500)
        old = leading(stack)
        old.process.suspend()
        new = next(program for program in stack.controlplanes if program is not old)
        rest = stack.client(new)
        wait_until(lambda: leads(stack, new), 30, "a second leader")
        second = topics("two-leaders-second")
        rest.put_mapping(second, spec(second))
        wait_until(lambda: states(rest, second) == ["RUNNING"], 30,
                   "the second mapping to run")
        old.process.resume()
        flow.more(3000)
        third = topics("two-leaders-third")
        rest.put_mapping(third, spec(third))
        wait_until(lambda: states(rest, third) == ["RUNNING"], 30,
                   "the third mapping to run")
        assert [leads(stack, p) for p in (old, new)] == [False, True]
    flow.judge()


def test_target_broker_stopped_and_started(servers, quick_stack, topics):
    stack = quick_stack()
    flow = Flow(servers, stack, topics, "target-down")
    with flow.oracle.producing(rate=RATE):
        flow.more(1500)
        servers.target.stop()
        time.sleep(6)
        servers.target.start()
        flow.more(6000, timeout=120)
    flow.judge()


def test_target_broker_killed(servers, quick_stack, topics):
    stack = quick_stack()
    flow = Flow(servers, stack, topics, "target-killed")
    with flow.oracle.producing(rate=RATE):
        flow.more(1500)
        servers.target.kill9()
        servers.target.start()
        flow.more(4000, timeout=120)
    flow.judge()


def test_postgres_stopped_and_started(servers, quick_stack, topics):
    """The workers do not notice; the API says 503 and recovers by itself."""
    stack = quick_stack(workers=1)
    flow = Flow(servers, stack, topics, "postgres-down")
    with flow.oracle.producing(rate=RATE):
        flow.more(1500)
        servers.postgres.stop()
        flow.more(RATE * 4)                         # goes on
        wait_until(lambda: status_of(stack.rest.url + "/readyz") == 503, 10, "readyz to say 503")
        assert stack.rest.call("GET", "/api/v1/teams/default/mappings").status == 503
        servers.postgres.start()
        wait_until(lambda: status_of(stack.rest.url + "/readyz") == 200, 20, "the API to recover")
        other = topics("postgres-down-other")
        stack.put_mapping(other, spec(other))
        flow.more(1500)
    flow.judge()


def test_config_topic_deleted(servers, quick_stack, topics):
    """Nobody stops, and the topic heals: a later change and a fresh worker find all of it."""
    stack = quick_stack(workers=1)
    flow = Flow(servers, stack, topics, "config-deleted")
    with flow.oracle.producing(rate=RATE):
        flow.more(1500)
        servers.delete_topic(servers.target, f"{stack.group_id}.config")
        flow.more(RATE * 3)
        other = topics("config-deleted-other")
        stack.put_mapping(other, spec(other))       # reaches the worker through the new topic
        stack.workers[0].kill9()
        stack.workers[0].start()
        flow.more(3000)
    flow.judge()


def test_sigterm_repeats_nothing(servers, quick_stack, topics):
    """A clean stop drains and commits: at-least-once without a single duplicate."""
    stack = quick_stack()
    flow = Flow(servers, stack, topics, "sigterm")
    with flow.oracle.producing(rate=RATE):
        for round_number in range(3):
            flow.more(1500)
            victim = stack.workers[round_number % 2]
            assert victim.stop()
            victim.start()
        flow.more(1500)
    flow.oracle.verdict(timeout=90).assert_exactly_once()

# SPDX-License-Identifier: Apache-2.0
"""Connections that are cut, reset or slow, and clusters that go away, for both deliveries.  Each is judged
by the oracle; --seed N makes another plan, --long lets the faults last as long as the product is judged by."""
import random
import time

import pytest

from support import oracle
from support.citizenk import api_path
from support.oracle import Mix, Oracle

from .copying import spec, wait_totals
from .test_worker_edges import rss_mib

RATE = 1000
MEMORY_MIB = 300


@pytest.fixture(scope="module")
def linked(start_stack, _started_links):
    """One worker, and the clusters `source-link` and `target-link` beside the usual two."""
    stack = start_stack()
    for link in (_started_links.source, _started_links.target):
        stack.rest.put_cluster(f"{link.name}-link", link.bootstrap)
    return stack


class Flows:
    """The same records by an exactly-once and by an at-least-once mapping, from @source to @target."""

    def __init__(self, servers, stack, topics, name, source="source-link", target="target-link"):
        self.stack, self.oracles = stack, []
        broker = {"source": servers.source, "target": servers.target}
        for delivery in ("exactly_once", "at_least_once"):
            topic = topics(f"{name}-{delivery[:5]}")
            out = f"{topic}-out" if source.split("-")[0] == target.split("-")[0] else topic
            if out != topic:
                servers.create_topic(broker[target.split("-")[0]], out, 4)
            self.oracles.append(Oracle(
                broker[source.split("-")[0]].bootstrap, topic, broker[target.split("-")[0]].bootstrap, out,
                mix=Mix.plain()))
            stack.put_mapping(topic, {**spec(topic, out, delivery=delivery),
                                      "source": {"cluster": source, "topic": topic},
                                      "target": {"cluster": target, "topic": out}})

    def more(self, count, timeout=60):
        for one in self.oracles:
            one.wait_arrived(one.arrived() + count, timeout=timeout)

    def judge(self, timeout=90):
        exact, least = [one.verdict(timeout=timeout, settle=0.3) for one in self.oracles]
        print(f"exactly once: {exact}\nat least once: {least}")
        exact.assert_exactly_once()
        least.assert_at_least_once()


class producing:
    """Records for all flows while the body runs."""

    def __init__(self, flows, rate=RATE):
        self.contexts = [one.producing(rate=rate) for one in flows.oracles]

    def __enter__(self):
        for one in self.contexts:
            one.__enter__()

    def __exit__(self, *why):
        for one in self.contexts:
            one.__exit__(*why)


@pytest.mark.parametrize("side", ["source", "target"])
def test_unreachable(servers, linked, links, topics, lasting, side):
    """Nothing is lost, nothing read again by the exactly-once one, and memory stays bounded."""
    flows = Flows(servers, linked, topics, f"cut-{side}")
    with producing(flows):
        flows.more(500)
        getattr(links, side).down()
        worst, end = 0, time.monotonic() + lasting(4, 120)
        while time.monotonic() < end:
            worst = max(worst, rss_mib(linked.workers[0]))
            time.sleep(0.2)
        if side == "target":
            behind = [linked.status(one.source_topic)["lag_seconds"] for one in flows.oracles]
            assert min(behind) > 2, behind
            assert b"citizenk_mapping_lag_seconds" in linked.rest.call("GET", "/metrics").text.encode()
            stats = {one["name"]: one for one in linked.rest.get(api_path("stats"))["items"]}
            assert min(stats[one.source_topic]["lag_seconds"] for one in flows.oracles) > 2
        getattr(links, side).up()
        flows.more(1000)
    flows.judge()
    for one in flows.oracles:       # counted rightly, too
        wait_totals(linked, one.source_topic, **{"in": len(one.sent), "out": len(one.sent)})
    assert worst < MEMORY_MIB, f"{worst:.0f} MiB while the {side} was away"


@pytest.mark.alone
def test_slow(servers, linked, links, topics, lasting):
    """200 ms with 100 ms of jitter, both clusters."""
    flows = Flows(servers, linked, topics, "slow")
    for link in (links.source, links.target):
        link.slow(200, 100)
    with producing(flows):
        flows.more(1000)
        share = min(kept_up(flows.oracles, lasting(4, 60)))
    flows.judge()
    assert share > 0.5, f"{share:.2f} of the records came in the time in which they were sent"


def test_resets(servers, linked, links, topics, lasting):
    """Connections of either side are cut every second or two."""
    flows = Flows(servers, linked, topics, "resets")
    rng = random.Random(oracle.SEED)
    with producing(flows):
        flows.more(500)
        end = time.monotonic() + lasting(4, 120)
        while time.monotonic() < end:
            rng.choice((links.source, links.target)).reset()
            time.sleep(rng.uniform(0.5, 2))
        flows.more(1000)
    flows.judge()


def test_source_killed(servers, linked, links, topics):
    flows = Flows(servers, linked, topics, "source-killed", "source", "target")
    with producing(flows):
        flows.more(1000)
        servers.source.kill9()
        servers.source.start()
        flows.more(2000)
    flows.judge()


def test_positions_cannot_be_read_at_the_start(servers, linked, links, topics):
    """The target, with the offsets topic, is away while the worker starts: nothing is copied from a
    position that nobody could read."""
    flows = Flows(servers, linked, topics, "hidden", "target", "source-link")
    with producing(flows):
        flows.more(1000)
        linked.workers[0].kill9()
        links.source.down()
        linked.workers[0].start()
        time.sleep(2)
        links.source.up()
        flows.more(1000)
    flows.judge()


def kept_up(oracles, seconds):
    """What share of the records that were sent in the next @seconds also arrived in them, by flow."""
    before = [(len(one.sent), one.arrived()) for one in oracles]
    time.sleep(seconds)
    return [(one.arrived() - arrived) / (len(one.sent) - sent) for one, (sent, arrived) in zip(oracles, before)]


@pytest.mark.alone
def test_one_target_away_does_not_slow_the_others(servers, linked, links, topics, lasting):
    """Two mappings whose target goes away, and two in the same worker whose target does not."""
    away = Flows(servers, linked, topics, "away", "target", "source-link")
    others = Flows(servers, linked, topics, "others", "target", "target")
    seconds = lasting(4, 60)
    with producing(away), producing(others):
        away.more(500)
        others.more(500)
        links.source.down()
        shares = kept_up(others.oracles, seconds)
        links.source.up()
        away.more(RATE)
    print(f"of the records sent while the other target was away arrived {shares}")
    # What was under way at the beginning and at the end, a transaction's worth or two, is noise of a short run.
    assert min(shares) > 1 - 0.8 / seconds, shares
    away.judge()
    others.judge()

# SPDX-License-Identifier: Apache-2.0
"""Mappings under load, each with its oracle, for faults that are to be stood by both deliveries at once."""
import collections
import contextlib
import time

from support.oracle import Mix, Oracle

from .copying import mapping_path, spec, wait_until

DELIVERIES = ("exactly_once", "at_least_once")
End = collections.namedtuple("End", "cluster bootstrap topic")


class Flows:
    """The same kind of records by an exactly-once and by an at-least-once mapping."""

    def __init__(self, stack, ends, rate=1000, oracle=Oracle, **more):
        """@param ends  (source, target) of a delivery: two of End"""
        self.stack, self.rate, self.oracles, self.names, self.specs = stack, rate, [], [], []
        for delivery in DELIVERIES:
            source, target = ends(delivery)
            self.oracles.append(oracle(source.bootstrap, source.topic, target.bootstrap, target.topic,
                                       mix=Mix.plain()))
            self.names.append(source.topic)
            self.specs.append({**spec(source.topic, delivery=delivery, **more),
                               "source": {"cluster": source.cluster, "topic": source.topic},
                               "target": {"cluster": target.cluster, "topic": target.topic}})
            stack.put_mapping(source.topic, self.specs[-1])

    @contextlib.contextmanager
    def producing(self):
        """Records for all while the body runs."""
        with contextlib.ExitStack() as all_of_them:
            for one in self.oracles:
                all_of_them.enter_context(one.producing(rate=self.rate))
            yield self

    def more(self, count, timeout=60):
        for one in self.oracles:
            one.wait_arrived(one.arrived() + count, timeout=timeout)

    def wait_until_in_use(self, partitions, timeout=30):
        """Until records go to @partitions of each source."""
        for one in self.oracles:
            wait_until(lambda one=one: len({sent.partition for sent in list(one.sent)}) == partitions, timeout,
                       f"{partitions} partitions of {one.source_topic} to be in use")

    def recovered(self, within):
        """While records are produced: all are less than a second behind again, after how long."""
        began = time.monotonic()
        for one in self.oracles:
            wait_until(lambda one=one: len(one.sent) - one.arrived() < self.rate, within,
                       f"{one.source_topic} to have caught up")
        return time.monotonic() - began

    def judge(self, timeout=90):
        """Complete, unique (exactly once), in order and intact; and the positions are at the end."""
        exact, least = [one.verdict(timeout=timeout, settle=0.3) for one in self.oracles]
        print(f"exactly once: {exact}\nat least once: {least}")
        exact.assert_exactly_once()
        least.assert_at_least_once()
        self.wait_at_the_end()

    def wait_at_the_end(self):
        """Until every position is committed at the source's end."""
        for name in self.names:
            def places(name=name):
                return self.stack.rest.get(mapping_path(name, "offsets"))["partitions"]
            self.stack._wait(lambda places=places: all(p["committed"] == p["end"] for p in places()), 30,
                             f"the positions of {name} to be at the end", places)

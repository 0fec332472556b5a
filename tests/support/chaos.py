# SPDX-License-Identifier: Apache-2.0
"""Workers killed and brokers restarted at random under load, judged by the oracle.  The same seed
gives the same plan; when each step meets the programs is up to the machine."""
import dataclasses
import random
import time

from .citizenk import api_path
from .oracle import Oracle

SETTLE_S = 3        # of each end of the plan: nothing is broken there


@dataclasses.dataclass
class Plan:
    seed: int
    seconds: float
    kills: int              # kill -9 of a worker, started again within 2 s
    restarts: int           # of a broker, each second one killed
    rate: int
    delivery: str = "exactly_once"
    workers: int = 2
    partitions: int = 4

    def steps(self):
        """[(second, what, who, pause)] in order."""
        rng = random.Random(self.seed)
        begin, end = SETTLE_S, self.seconds - SETTLE_S
        steps = [(rng.uniform(begin, end), "worker", rng.randrange(self.workers), rng.uniform(0, 2))
                 for _ in range(self.kills)]
        steps += [(rng.uniform(begin, end), ("broker killed", "broker stopped")[n % 2],
                   rng.choice(("source", "target")), rng.uniform(0, 2)) for n in range(self.restarts)]
        return sorted(steps)


@dataclasses.dataclass
class Outcome:
    plan: Plan
    verdict: object
    per_second: float       # acknowledged by the source, over the whole run
    drained_s: float        # from the last record sent to all of them there and judged

    def __str__(self):
        return (f"seed {self.plan.seed}, {self.plan.delivery}: {self.plan.kills} kill -9 of workers, "
                f"{self.plan.restarts} broker restarts in {self.plan.seconds:g} s at {self.per_second:.0f} "
                f"records/s, judged {self.drained_s:.0f} s later: {self.verdict}")

    def check(self):
        if self.plan.delivery == "exactly_once":
            self.verdict.assert_exactly_once()
        else:
            self.verdict.assert_at_least_once()


def _worker(stack, number, pause):
    worker = stack.workers[number]
    if worker.alive():
        worker.kill9()
    time.sleep(pause)
    worker.start(wait=False)


def _broker(broker, kill, pause):
    if kill:
        broker.kill9()
    else:
        broker.stop()
    time.sleep(pause)
    broker.start()


def run(plan, servers, stack, topic, say=print):
    """@stack has plan.workers workers and the clusters; @topic is on both brokers."""
    oracle = Oracle(servers.source.bootstrap, topic, servers.target.bootstrap, topic, seed=plan.seed, quick=True)
    stack.put_mapping(topic, {
        "source": {"cluster": "source", "topic": topic}, "start": "earliest",
        "target": {"cluster": "target", "topic": topic}, "delivery": plan.delivery})
    began = time.monotonic()
    with oracle.producing(rate=plan.rate):
        for at, what, who, pause in plan.steps():
            time.sleep(max(0.0, began + at - time.monotonic()))
            say(f"{time.monotonic() - began:6.1f} s: {what} {who}, back after {pause:.1f} s")
            if what == "worker":
                _worker(stack, who, pause)
            else:
                _broker(getattr(servers, who), what == "broker killed", pause)
        time.sleep(max(0.0, began + plan.seconds - time.monotonic()))
    ended = time.monotonic()
    for worker in stack.workers:
        worker.wait_ready()
    verdict = oracle.verdict(timeout=60 + plan.seconds)
    stack.rest.delete(api_path("teams", "default", "mappings", topic), {"If-Match": "*"})
    oracle.close()
    return Outcome(plan, verdict, len(oracle.sent) / (ended - began), time.monotonic() - ended)

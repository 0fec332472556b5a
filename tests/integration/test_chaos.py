# SPDX-License-Identifier: Apache-2.0
"""The short form of tests/bench/chaos, which has the figures of the product: 20 kills and 5 restarts in
5 minutes at 10,000 records a second."""
import pytest

from support import oracle
from support.chaos import Plan, run


@pytest.mark.parametrize("delivery", ["exactly_once"])
def test_chaos(servers, make_stack, topics, delivery):
    plan = Plan(oracle.SEED, seconds=20, kills=4, restarts=1, rate=3000, delivery=delivery)
    stack = make_stack(workers=plan.workers, lease_s=4)
    outcome = run(plan, servers, stack, topics("chaos", plan.partitions))
    print(outcome)
    outcome.check()

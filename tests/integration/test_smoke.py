# SPDX-License-Identifier: Apache-2.0
"""A mapping from REST to records on the target, judged by the oracle.  The first test to read."""
from support.oracle import Mix, Oracle, only_matching


def between(servers, topic, **options):
    return Oracle(servers.source.bootstrap, topic, servers.target.bootstrap, topic, **options)


def spec(topic, **more):
    return {"source": {"cluster": "source", "topic": topic},
            "target": {"cluster": "target", "topic": topic}, "start": "earliest", **more}


def test_raw_copy_keeps_every_byte(servers, stack, topics):
    topic = topics("raw")
    oracle = between(servers, topic)
    oracle.produce(5000)
    stack.put_mapping(topic, spec(topic))
    oracle.produce(2000)
    verdict = oracle.verdict(timeout=60)
    verdict.assert_exactly_once()       # no fault, so not even at-least-once may repeat
    assert verdict.delivered == 7000


def test_filter_lets_only_matching_records_pass(servers, stack, topics):
    topic = topics("filtered")
    oracle = between(servers, topic, mix=Mix.plain(sale=0.7), expect=only_matching)
    oracle.produce(5000)
    stack.put_mapping(topic, spec(topic, valid_jmespath="value.event.type == 'sale'"))
    oracle.produce(2000)
    verdict = oracle.verdict(timeout=60)
    verdict.assert_exactly_once()
    assert 0 < verdict.delivered < 7000


def test_a_killed_worker_loses_nothing(servers, make_stack, topics):
    topic = topics("killed")
    stack = make_stack(workers=2, lease_s=4)
    oracle = between(servers, topic)
    stack.put_mapping(topic, spec(topic))
    with oracle.producing(rate=1000):
        oracle.wait_arrived(2000)
        stack.workers[0].kill9()
        stack.workers[0].start()
        oracle.wait_arrived(6000)
        stack.workers[1].kill9()
        oracle.wait_arrived(len(oracle.sent) + 2000, timeout=90)
    oracle.verdict(timeout=90).assert_at_least_once()

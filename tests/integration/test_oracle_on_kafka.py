# SPDX-License-Identifier: Apache-2.0
"""The oracle on real brokers: a faithful copy passes, and each kind of unfaithful one is named."""
import pytest

from support.oracle import Mix, Oracle

from .copier import copy

COUNT = 2000


@pytest.fixture
def run(servers, topics):
    """run(damage) copies COUNT records between two topics and returns the oracle's verdict."""
    topic = topics("oracle")

    def go(damage=None, **options):
        oracle = Oracle(servers.source.bootstrap, topic, servers.target.bootstrap, topic, **options)
        oracle.produce(COUNT)
        copy(servers.source.bootstrap, topic, servers.target.bootstrap, topic, COUNT, damage)
        verdict = oracle.verdict(timeout=2, settle=0.2)
        oracle.close()
        return verdict

    return go


def test_faithful_copy(run):
    verdict = run()
    verdict.assert_exactly_once()
    assert verdict.sent == verdict.delivered == COUNT


def test_filtered_copy(run):
    mix = Mix.plain()
    verdict = run(lambda _, record: [record] if b'"type": "sale"' in record["value"] else [],
                  mix=mix, expect=lambda record: record if record.matches else None)
    verdict.assert_exactly_once()
    assert 0 < verdict.expected == verdict.delivered < COUNT


def lose(number, record):
    return [] if number == 700 else [record]


def double(number, record):
    return [record, record] if number == 700 else [record]


def alter(change):
    def damage(number, record):
        return [{**record, **change(record)}] if number == 700 else [record]
    return damage


def invent(number, record):
    return [record, {**record, "headers": []}] if number == 700 else [record]


def reorder():
    """Holds back one record of a key until two later ones of that key have gone."""
    held, state = [], {"later": 0}

    def damage(number, record):
        if number >= 50 and record["key"] and not held:
            held.append(record)
            return []
        if held and state["later"] < 2 and record["key"] == held[0]["key"]:
            state["later"] += 1
            return [record, held[0]] if state["later"] == 2 else [record]
        return [record]
    return damage


def move(number, record):
    return [{**record, "partition": (record["partition"] + 1) % 4}] if number == 700 else [record]


@pytest.mark.parametrize("name, damage", [
    ("lost", lose),
    ("duplicated", double),
    ("altered", alter(lambda r: {"value": (r["value"] or b"") + b" "})),
    ("altered", alter(lambda r: {"timestamp": r["timestamp"] + 1})),
    ("altered", alter(lambda r: {"headers": [*r["headers"], ("added", b"1")]})),
    ("unexpected", invent),
    ("out_of_order", reorder()),
], ids=["lost", "double", "value", "timestamp", "headers", "invented", "reordered"])
def test_damage_is_named(run, name, damage):
    # Few keys: whichever record is held back, later ones of its key follow.
    verdict = run(damage, mix=Mix(keys=10))
    assert verdict.faults() == [name], str(verdict)
    assert len(getattr(verdict, name)) == 1


def test_a_moved_record_is_misplaced(run):
    # The record may also be first or late on the foreign partition; its place is what counts.
    assert "misplaced" in run(move).faults()


def test_null_becoming_empty_is_altered(run):
    state = []

    def damage(_, record):
        if record["value"] is None and not state:
            state.append(1)
            return [{**record, "value": b""}]
        return [record]

    verdict = run(damage)
    assert verdict.faults() == ["altered"] and len(verdict.altered) == 1


def test_records_produced_during_a_broker_restart_are_all_accounted_for(servers, topics):
    topic = topics("restart")
    oracle = Oracle(servers.source.bootstrap, topic, servers.source.bootstrap, topic)
    with oracle.producing(rate=500):
        oracle.wait_arrived(200)
        servers.source.kill9()
        servers.source.start()
        oracle.wait_arrived(800)
    verdict = oracle.verdict(timeout=30)
    verdict.assert_exactly_once()
    oracle.close()

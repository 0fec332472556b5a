# SPDX-License-Identifier: Apache-2.0
"""The oracle must be able to fail: every kind of damage, done to lists, is seen and named."""
import random

import pytest

from support.oracle import ID_HEADER, Mix, RecordMaker, only_matching
from support.verdict import Delivered, Sent, fingerprint, judge
from support.versions import Bounds, assign

KEYS = [b"a", b"b", b"c", None]


def sent_list(count=40, expected=lambda number: True):
    """Records in source order: key n on partition n % 4, keyless ones on partition 3."""
    offsets, out = [0] * 4, []
    for number in range(count):
        key, partition = KEYS[number % 4], number % 4
        out.append(Sent(f"r-{number}", key, 1000 + number, partition, offsets[partition],
                        expected(number)))
        offsets[partition] += 1
    return out


def copy(sent):
    """A faithful target."""
    ends, out = [0] * 4, []
    for record in sent:
        if record.expected:
            out.append(Delivered(record.id, record.key, record.crc, record.partition,
                                 ends[record.partition]))
            ends[record.partition] += 1
    return out


def test_faithful_copy_is_clean():
    sent = sent_list()
    verdict = judge(sent, copy(sent), partition_of=lambda s: s.partition)
    verdict.assert_exactly_once()
    assert (verdict.sent, verdict.expected, verdict.delivered) == (40, 40, 40)


def test_interleaving_of_partitions_does_not_matter():
    sent = sent_list()
    verdict = judge(sent, sorted(copy(sent), key=lambda d: (d.partition, d.offset)))
    verdict.assert_exactly_once()


@pytest.mark.parametrize("number", [0, 17, 39])
def test_a_lost_record_is_seen(number):
    sent = sent_list()
    found = [d for d in copy(sent) if d.id != f"r-{number}"]
    verdict = judge(sent, found)
    assert verdict.faults() == ["lost"]
    assert verdict.lost[0].startswith(f"r-{number} ")
    with pytest.raises(AssertionError, match="1 lost"):
        verdict.assert_at_least_once()


def test_nothing_delivered_is_all_lost():
    verdict = judge(sent_list(), [])
    assert len(verdict.lost) == 40


def test_nothing_expected_is_no_success():
    verdict = judge([], [])
    with pytest.raises(AssertionError, match="nothing was tested"):
        verdict.assert_at_least_once()


def test_a_double_is_seen_and_allowed_by_at_least_once():
    sent = sent_list()
    found = copy(sent)
    found.append(found[5])
    verdict = judge(sent, found)
    assert verdict.faults() == ["duplicated"]
    verdict.assert_at_least_once()
    with pytest.raises(AssertionError, match="1 duplicated"):
        verdict.assert_exactly_once()


def test_replay_of_a_run_is_doubles_but_not_disorder():
    sent = sent_list()
    found = copy(sent)
    verdict = judge(sent, found[:20] + found[8:])
    assert verdict.faults() == ["duplicated"] and len(verdict.duplicated) == 12


def test_a_first_delivery_out_of_order_is_seen():
    sent = sent_list()
    found = copy(sent)
    found[4], found[8] = found[8], found[4]     # both of key a
    verdict = judge(sent, found)
    assert verdict.faults() == ["out_of_order"]
    assert verdict.out_of_order[0].startswith("r-4 ")
    with pytest.raises(AssertionError):
        verdict.assert_at_least_once()


def test_order_between_keys_is_free():
    sent = sent_list()
    found = copy(sent)
    found[4], found[5] = found[5], found[4]
    judge(sent, found).assert_exactly_once()


def test_keyless_records_keep_the_order_of_their_partition():
    sent = sent_list()
    found = copy(sent)
    found[3], found[7] = found[7], found[3]
    assert judge(sent, found).faults() == ["out_of_order"]


def test_an_altered_record_is_seen_and_not_also_lost():
    sent = sent_list()
    found = copy(sent)
    found[11].crc ^= 1
    verdict = judge(sent, found)
    assert verdict.faults() == ["altered"]
    assert verdict.altered[0].startswith("r-11 ")


def test_an_altered_double_is_seen():
    sent = sent_list()
    found = copy(sent)
    damaged = Delivered(found[0].id, found[0].key, found[0].crc ^ 1, 0, 99)
    assert judge(sent, [*found, damaged]).faults() == ["altered", "duplicated"]


def test_records_that_should_be_dropped_are_unexpected():
    sent = sent_list(expected=lambda number: number % 3 != 0)
    found = copy(sent)
    judge(sent, found).assert_exactly_once()
    leak = Delivered("r-3", None, 1003, 3, 50)
    verdict = judge(sent, [*found, leak])
    assert verdict.faults() == ["unexpected"]


@pytest.mark.parametrize("ident", [None, "stranger-1"])
def test_unknown_records_are_unexpected(ident):
    sent = sent_list()
    verdict = judge(sent, [*copy(sent), Delivered(ident, b"a", 1, 0, 77)])
    assert verdict.faults() == ["unexpected"]


def test_unacknowledged_records_may_be_there_or_not():
    sent = sent_list()
    extra = Delivered("r-maybe", b"a", 5, 0, 77)
    judge(sent, [*copy(sent), extra], uncertain=["r-maybe"]).assert_exactly_once()
    judge(sent, copy(sent), uncertain=["r-maybe"]).assert_exactly_once()


def test_a_wrong_partition_is_seen():
    sent = sent_list()
    found = copy(sent)
    found[6].partition = 0
    verdict = judge(sent, found, partition_of=lambda s: s.partition)
    assert verdict.faults() == ["misplaced"]


def test_a_key_on_two_partitions_is_misplaced_under_any_partitioner():
    sent = sent_list()
    found = copy(sent)
    for delivered in found:
        delivered.partition = (delivered.partition + 1) % 4
    judge(sent, found, partition_of=None).assert_exactly_once()
    found[9].partition = 0
    assert judge(sent, found, partition_of=None).faults() == ["misplaced"]


def base():
    return {"key": b"k", "value": b"v", "headers": [("a", b"1"), ("b", b"2")], "timestamp": 5}


@pytest.mark.parametrize("change", [
    {"key": None}, {"key": b""}, {"key": b"K"}, {"value": None}, {"value": b""}, {"value": b"v "},
    {"headers": []}, {"headers": [("b", b"2"), ("a", b"1")]}, {"headers": [("a", b"1")]},
    {"headers": [("a", b"1"), ("b", None)]}, {"headers": [("a", b"1"), ("b", b"")]},
    {"headers": [("A", b"1"), ("b", b"2")]}, {"timestamp": 6},
    {"key": b"kv", "value": b""}, {"key": b"", "value": b"kv"},
])
def test_fingerprint_sees_every_change(change):
    assert fingerprint(**base()) != fingerprint(**{**base(), **change})


def test_fingerprint_tells_null_from_empty():
    seen = {fingerprint(key, value, (), 0) for key in (None, b"") for value in (None, b"")}
    assert len(seen) == 4


def test_the_same_seed_makes_the_same_records():
    one, two, other = (RecordMaker(seed, Mix(), 1_700_000_000_000) for seed in (3, 3, 4))
    first = [one.make() for _ in range(300)]
    assert first == [two.make() for _ in range(300)]
    assert first != [other.make() for _ in range(300)]


def test_the_mix_holds_every_odd_kind():
    maker = RecordMaker(1, Mix(), 1_700_000_000_000)
    records = [maker.make() for _ in range(3000)]
    assert any(r.value is None for r in records) and any(r.value == b"" for r in records)
    assert any(r.key is None for r in records)
    assert any(r.key and r.key.startswith(b"\x00\xff") for r in records)
    assert any(value is None for r in records for _, value in r.headers)
    assert any(value == b"" for r in records for _, value in r.headers)
    assert any(b.timestamp < a.timestamp for a, b in zip(records, records[1:]))
    assert not any(name == ID_HEADER for r in records for name, _ in r.headers)
    share = sum(only_matching(r) is not None for r in records) / len(records)
    assert 0.6 < share < 0.72


def test_plain_records_all_decode():
    maker = RecordMaker(random.randrange(99), Mix.plain(sale=1.0), 1_700_000_000_000)
    for _ in range(200):
        record = maker.make()
        assert record.document()["event"]["type"] == "sale" and record.matches and record.key


# ---- versions of a mapping -----------------------------------------------------------------------

def even(one):
    return int(one.id[2:]) // 4 % 2 == 0


def odd(one):
    return not even(one)


def versions_list():
    """40 records; even ones until offset 4 of each partition, odd ones from there on."""
    return sent_list(40, lambda number: even(Sent(f"r-{number}", None, 0, 0, 0)) == (number // 4 < 4))


def judged(sent, delivered, bounds=lambda one: Bounds(0, 1)):
    begins = assign(sent, {one.id for one in delivered}, [even, odd], bounds)
    return judge(sent, delivered), begins


def test_each_version_is_judged_by_its_own_filter():
    sent = versions_list()
    verdict, begins = judged(sent, copy(sent))
    verdict.assert_exactly_once()
    assert verdict.delivered == 20
    assert all(begins[partition] == {1: 4} for partition in range(4))


@pytest.mark.parametrize("offset", [0, 2, 5, 9])
def test_a_record_that_a_version_should_have_copied_is_lost(offset):
    sent = versions_list()
    gone = next(one for one in sent if one.partition == 1 and one.offset == offset)
    assert gone.expected
    verdict, _ = judged(sent, [one for one in copy(sent) if one.id != gone.id],
                        lambda one: Bounds(0, 0) if one.offset < 4 else Bounds(1, 1))
    assert verdict.faults() == ["lost"]


def test_a_version_that_begins_too_late_or_too_early_is_seen():
    sent = versions_list()
    delivered = copy(sent)
    late, _ = judged(sent, delivered, lambda one: Bounds(0, 0) if one.offset < 2 else Bounds(1, 1))
    assert late.faults() == ["lost", "unexpected"]
    early, _ = judged(versions_list(), delivered, lambda one: Bounds(0, 0) if one.offset < 6 else Bounds(1, 1))
    assert early.faults() == ["lost", "unexpected"]


def test_a_version_does_not_come_back():
    sent = sent_list(40, lambda number: even(Sent(f"r-{number}", None, 0, 0, 0)) != (4 <= number // 4 < 7))
    verdict, _ = judged(sent, copy(sent))
    assert verdict.faults()

# SPDX-License-Identifier: Apache-2.0
"""The oracle's judgement: what was sent against what was delivered.  Pure, knows nothing of Kafka.

Every record carries its id in a header.  A record is *altered* when the fingerprint of its key, value,
headers and timestamp is not the one that was expected.  Order is judged per key, keyless records per
source partition, on first deliveries only: at-least-once may repeat what it has sent, but a record's
first delivery must not come before that of an earlier record of the same key.
"""
import dataclasses
import zlib


def fingerprint(key, value, headers, timestamp):
    """CRC of all that a replicator must keep.  Null, empty and absent are different things."""
    crc = 0
    for part in (key, value):
        crc = _mix(crc, part)
    for name, content in headers:
        crc = _mix(_mix(crc, name.encode()), content)
    return zlib.crc32(b"@%d" % timestamp, crc)


def _mix(crc, part):
    if part is None:
        return zlib.crc32(b"-", crc)
    return zlib.crc32(part, zlib.crc32(b"+%d:" % len(part), crc))


@dataclasses.dataclass(slots=True)
class Sent:
    """A record whose write the source acknowledged, and what the target should get of it."""
    id: str
    key: bytes | None       # as expected on the target
    crc: int                # fingerprint as expected on the target
    partition: int          # of the source
    offset: int             # of the source
    expected: bool = True   # False: the mapping drops it


@dataclasses.dataclass(slots=True)
class Delivered:
    """A record found on the target, in the order of its partition."""
    id: str | None          # None: it carries no id
    key: bytes | None
    crc: int
    partition: int
    offset: int


@dataclasses.dataclass
class Verdict:
    sent: int = 0
    expected: int = 0
    delivered: int = 0
    lost: list = dataclasses.field(default_factory=list)
    duplicated: list = dataclasses.field(default_factory=list)
    out_of_order: list = dataclasses.field(default_factory=list)
    altered: list = dataclasses.field(default_factory=list)
    unexpected: list = dataclasses.field(default_factory=list)
    misplaced: list = dataclasses.field(default_factory=list)

    FAULTS = ("lost", "altered", "unexpected", "out_of_order", "misplaced", "duplicated")

    def __str__(self):
        counts = ", ".join(f"{len(getattr(self, fault))} {fault.replace('_', ' ')}"
                           for fault in self.FAULTS)
        text = f"{self.sent} sent, {self.expected} expected, {self.delivered} delivered: {counts}"
        for fault in self.FAULTS:
            for example in getattr(self, fault)[:3]:
                text += f"\n  {fault.replace('_', ' ')}: {example}"
        return text

    def faults(self, ignore=()):
        return [fault for fault in self.FAULTS if fault not in ignore and getattr(self, fault)]

    def assert_at_least_once(self):
        """Nothing lost, altered, invented or misplaced, per-key first deliveries in order."""
        assert self.expected > 0, f"nothing was to be delivered, so nothing was tested: {self}"
        assert not self.faults(ignore=("duplicated",)), str(self)

    def assert_exactly_once(self):
        assert self.expected > 0, f"nothing was to be delivered, so nothing was tested: {self}"
        assert not self.faults(), str(self)


def judge(sent, delivered, *, uncertain=(), partition_of=None):
    """States what went wrong.

    @param uncertain     ids whose write was not acknowledged: they may be there or not
    @param partition_of  target partition for a Sent (default: the source's); None for any, then
                         only a key on more than one target partition counts as misplaced
    """
    by_id = {record.id: record for record in sent}
    uncertain = set(uncertain)
    verdict = Verdict(sent=len(by_id), expected=sum(record.expected for record in sent))
    first, newest, home = set(), {}, {}
    for found in delivered:
        verdict.delivered += 1
        if found.id in uncertain:
            continue
        origin = by_id.get(found.id)
        if origin is None or not origin.expected:
            verdict.unexpected.append(_where(found))
            continue
        if found.crc != origin.crc:
            verdict.altered.append(_where(found))
        if found.id in first:
            verdict.duplicated.append(_where(found))
            continue
        first.add(found.id)
        _check_order(verdict, origin, found, newest)
        _check_place(verdict, origin, found, partition_of, home)
    verdict.lost = [f"{record.id} (source {record.partition}@{record.offset})"
                    for record in sent if record.expected and record.id not in first]
    return verdict


def _group(origin):
    return origin.key if origin.key is not None else origin.partition


def _check_order(verdict, origin, found, newest):
    group = (_group(origin), found.partition)
    if origin.offset < newest.get(group, -1):
        verdict.out_of_order.append(
            f"{_where(found)} after the later source offset {newest[group]} of its key")
    else:
        newest[group] = origin.offset


def same_partition(origin):
    return origin.partition


def _check_place(verdict, origin, found, partition_of, home):
    if partition_of is not None:
        wanted = partition_of(origin)
    elif origin.key is not None:
        wanted = home.setdefault(origin.key, found.partition)
    else:
        wanted = found.partition
    if wanted != found.partition:
        verdict.misplaced.append(f"{_where(found)}, belongs to partition {wanted}")


def _where(found):
    return f"{found.id} (target {found.partition}@{found.offset}, key {found.key!r})"

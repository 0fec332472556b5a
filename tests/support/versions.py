# SPDX-License-Identifier: Apache-2.0
"""A mapping that is changed under load, judged against every version of it.

Each record was copied, or dropped, by one version, and in a partition the versions follow one another.
Where a version begins is up to the worker, within what is known from outside: a record that was written
after a version was reported as applied belongs to that one or to a later one; a record below the mapping's
position when a version was asked for, to an earlier one.
"""
import dataclasses
import time

from .oracle import Oracle
from .verdict import judge


@dataclasses.dataclass(slots=True)
class Bounds:
    first: int      # versions that may have met the record
    last: int


def assign(sent, seen, versions, bounds):
    """Sets `expected` of each of @sent by the version that met it.

    The earliest version that explains a record is taken: it leaves the most for those behind it.  A record
    that none explains is judged by the version at hand, and so comes out as lost or as unexpected.
    @param seen      ids that were delivered
    @param versions  whether a version lets a record (its Sent) pass, in the order of the versions
    @param bounds    of a Sent
    @return the offset at which each version after the first begins, by partition
    """
    begins = {}
    at = {}
    for one in sorted(sent, key=lambda one: (one.partition, one.offset)):
        limits = bounds(one)
        now = max(at.get(one.partition, 0), limits.first)
        last = max(now, limits.last)
        chosen = next((v for v in range(now, last + 1) if versions[v](one) == (one.id in seen)), now)
        for version in range(at.get(one.partition, 0) + 1, chosen + 1):
            begins.setdefault(one.partition, {})[version] = one.offset
        at[one.partition] = chosen
        one.expected = versions[chosen](one)
    return begins


class VersionedOracle(Oracle):
    """asked() before a version is asked for, applied() when it is reported; then verdict_of(versions)."""

    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        self._applied, self._born, self.kinds = 0, {}, {}
        self._positions = []        # where the mapping stood when version 1, 2… was asked for

    def _produce_one(self):
        self._born[self.maker.number + 1] = self._applied
        super()._produce_one()

    def _expectation(self, ident, record, message):
        self.kinds[ident] = record.matches
        return super()._expectation(ident, record, message)

    def asked(self, positions):
        """@param positions  by partition: what stands before them is decided"""
        self._positions.append(positions)

    def applied(self):
        self._applied = len(self._positions)

    def _bounds(self, one):
        born = self._born[int(one.id.rsplit("-", 1)[1])]
        decided = next((version for version, positions in enumerate(self._positions)
                        if one.offset < positions.get(one.partition, 0)), len(self._positions))
        return Bounds(born, decided)

    def verdict_of(self, versions, settle=0.5):
        """When the mapping stands at the source's end.
        @param versions  functions from a record's `matches` to whether it passes
        @return the verdict on what the version in charge lets pass, and where each begins"""
        self.arrived()
        time.sleep(settle)
        self.arrived()
        by_kind = [lambda one, passes=passes: passes(self.kinds[one.id]) for passes in versions]
        begins = assign(self.sent, self._seen, by_kind, self._bounds)
        verdict = judge(self.sent, self.delivered, uncertain=self.uncertain, partition_of=self.partition_of)
        return verdict, begins

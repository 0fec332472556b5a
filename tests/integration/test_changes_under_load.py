# SPDX-License-Identifier: Apache-2.0
"""A mapping that is changed, paused, resumed, deleted and made again while records come in.  Each record is
judged by the version of the mapping that met it, and where a version begins has bounds (support/versions.py)."""
import contextlib

from support.versions import VersionedOracle

from .copying import mapping_path
from .flows import End, Flows

SALES = {"valid_jmespath": "value.event.type == 'sale'"}
OTHERS = {"valid_jmespath": "value.event.type != 'sale'"}
ALL = {}


class Changing(Flows):
    def __init__(self, servers, stack, topics, name, first):
        def ends(delivery):
            topic = topics(f"{name}-{delivery[:5]}")
            return End("source", servers.source.bootstrap, topic), End("target", servers.target.bootstrap, topic)
        super().__init__(stack, ends, oracle=VersionedOracle, **first)
        for one in self.specs:
            del one["valid_jmespath"]

    @contextlib.contextmanager
    def another_version(self):
        """The body asks for it, and returns when it is reported as applied."""
        for name, oracle in zip(self.names, self.oracles):
            oracle.asked(self._positions(name))
        yield
        for oracle in self.oracles:
            oracle.applied()

    def _positions(self, name):
        if self.stack.rest.call("GET", mapping_path(name)).status == 404:
            return {}
        return {p["partition"]: int(p["position"] or 0) for p in self.stack.status(name)["partitions"]}

    def put(self, version):
        with self.another_version():
            for name, spec in zip(self.names, self.specs):
                now = self.stack.rest.call("GET", mapping_path(name))
                headers = {"If-Match": now.etag} if now.status == 200 else {"If-None-Match": "*"}
                self.stack.rest.put(f"{mapping_path(name)}?wait=applied", {"spec": {**spec, **version}}, headers)

    def all_of_them(self, verb, state):
        for name in self.names:
            self.stack.rest.post(f"{mapping_path(name, verb)}?wait=applied")
        for name in self.names:
            self.stack.wait_state(name, state)

    def delete(self):
        for name in self.names:
            self.stack.rest.delete(f"{mapping_path(name)}?wait=applied", {"If-Match": "*"})

    def judge_versions(self, *versions):
        self.wait_at_the_end()
        for oracle, assertion in zip(self.oracles, ("assert_exactly_once", "assert_at_least_once")):
            verdict, begins = oracle.verdict_of(versions)
            print(f"{oracle.source_topic}: {verdict}\nversions begin at {begins}")
            getattr(verdict, assertion)()
            assert all(set(of_one) == set(range(1, len(versions))) for of_one in begins.values()), begins
            yield verdict


def test_edited_paused_resumed_deleted_and_made_again(servers, stack, topics):
    flows = Changing(servers, stack, topics, "changing", SALES)
    with flows.producing():
        flows.more(700)
        flows.put(OTHERS)
        flows.more(300)
        flows.all_of_them("pause", "PAUSED")
        flows.put(SALES)
        sent = [len(one.sent) for one in flows.oracles]
        flows.all_of_them("resume", "RUNNING")
        flows.more(700)
        flows.delete()
        flows.put(ALL)
        flows.more(1000)
        assert all(len(one.sent) > before for one, before in zip(flows.oracles, sent))
    sales, others, everything = (lambda sale: sale), (lambda sale: not sale), (lambda sale: True)
    for verdict in flows.judge_versions(sales, others, sales, everything):
        assert not verdict.duplicated, "no version that begins in order repeats a record"

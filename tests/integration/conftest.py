# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the integration tests.

`servers`      two brokers and PostgreSQL, once per process that runs tests, under a temporary folder
`topics`       makes topics with names that no other test has: topics("orders", partitions=4)
`stack`        one control plane and one worker, shared by the tests of a module, clusters created
`make_stack`   a stack of the test's own: make_stack(controlplanes=2, workers=2)

The logs of all processes are printed when a test fails, and only then.  --keep leaves the folder.

Several processes (pytest-xdist) run whole files side by side, each with servers, ports and a folder of
its own.  A test that a clock judges is marked `alone`: tests/run runs those by themselves afterwards.
"""
import pathlib
import shutil
import signal
import tempfile

import pytest

from support import oracle
from support.links import Links
from support.ports import take_share
from support.servers import Servers, Stack, unique_name

_LOG_LINES = 60

# The files that take longest, the longest first: begun late, one of them would be waited for at the end.
_LONGEST = ("test_faults", "test_exactly_once", "test_links", "test_three_brokers", "test_files", "test_fidelity",
            "test_avro", "test_worker_edges", "test_bounded", "test_verify", "test_quickstart", "test_scheduler",
            "test_gaps", "test_chaos", "test_partitions", "test_seed", "test_seed_environment")


def pytest_addoption(parser):
    parser.addoption("--keep", action="store_true", help="keep the servers' data and the logs")
    parser.addoption("--seed", type=int, default=oracle.SEED, help="of the oracle's records and of fault plans")
    parser.addoption("--long", action="store_true", help="faults last as long as the product is judged by")


def pytest_configure(config):
    oracle.SEED = config.getoption("--seed")
    if worker := getattr(config, "workerinput", None):      # this is one of several processes
        take_share(int(worker["workerid"].removeprefix("gw")), worker["workercount"])


def pytest_collection_modifyitems(config, items):
    if hasattr(config, "workerinput"):
        ranks = {name: rank for rank, name in enumerate(_LONGEST)}
        items.sort(key=lambda item: ranks.get(item.path.stem, len(ranks)))


def pytest_report_header(config):
    return f"seed {oracle.SEED}"


def pytest_keyboard_interrupt(excinfo):
    """What tidies up from here on is not to be interrupted in turn: execnet would after 5 s."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    """What another process cannot print."""
    if kept := getattr(node, "workeroutput", {}).get("kept"):
        print(f"\nkept: {kept}")


@pytest.fixture(scope="session")
def run_folder(request):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="cz-test-"))
    folder.chmod(0o711)     # PostgreSQL's user must get to its own folder below
    yield folder
    if request.config.getoption("--keep"):
        if hasattr(request.config, "workeroutput"):
            request.config.workeroutput["kept"] = str(folder)
        else:
            print(f"\nkept: {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def _started_servers(run_folder):
    started = Servers(run_folder)
    try:
        yield started.start()
    finally:
        started.stop()


@pytest.fixture
def servers(_started_servers):
    """The shared servers, all running: a fault test before this one may have left one stopped."""
    _started_servers.ensure()
    yield _started_servers
    _started_servers.ensure()


@pytest.fixture(scope="session")
def _started_links(_started_servers):
    started = Links(_started_servers)
    yield started
    started.stop()


@pytest.fixture
def links(_started_links):
    """Connections that can be cut; a stack needs the clusters of add_links() for them."""
    _started_links.heal()
    yield _started_links
    _started_links.heal()


@pytest.fixture
def lasting(request):
    """lasting(short, long): how many seconds a fault lasts, with and without --long."""
    return lambda short, long: long if request.config.getoption("--long") else short


@pytest.fixture
def topics(servers):
    """topics(name, …) creates a topic on both brokers (on=[…] for fewer) and returns its full name."""
    def make(name="topic", partitions=4, config=None, on=None):
        full = unique_name(name)
        for broker in on or (servers.source, servers.target):
            servers.create_topic(broker, full, partitions, config)
        return full

    return make


class _Maker:
    """Makes stacks, started and ready, and stops them all at the end."""

    def __init__(self, servers, folder):
        self.servers, self.folder, self.made = servers, folder, []

    def __call__(self, controlplanes=1, workers=1, clusters=True, lease_s=None):
        self.servers.ensure()
        name = unique_name("s")
        one = Stack(self.servers, name, self.folder / name, lease_s)
        self.made.append(one)
        one.start(controlplanes, workers)
        if clusters and controlplanes:
            one.create_clusters()
        return one

    def stop(self):
        for one in self.made:
            one.stop()


@pytest.fixture(scope="module")
def start_stack(_started_servers, run_folder):
    """As make_stack, for fixtures of a module."""
    maker = _Maker(_started_servers, run_folder)
    yield maker
    maker.stop()


@pytest.fixture(scope="module")
def stack(start_stack):
    return start_stack()


@pytest.fixture
def make_stack(servers, run_folder):
    """make_stack(controlplanes=1, workers=1, clusters=True, lease_s=None): started and ready."""
    maker = _Maker(servers, run_folder)
    yield maker
    maker.stop()


def _logs_of(item):
    """(name, path) of every process that the test's fixtures had."""
    for value in item.funcargs.values() if hasattr(item, "funcargs") else ():
        if isinstance(value, Stack):
            yield from value.logs()
        elif hasattr(value, "made"):
            for one in value.made:
                yield from one.logs()
        elif isinstance(value, Servers):
            for server in value.all():
                yield server.process.name, server.process.log


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if not report.failed or call.when == "teardown":
        return
    for name, path in dict.fromkeys(_logs_of(item)):
        try:
            lines = path.read_text(errors="replace").splitlines()
        except OSError:
            continue
        report.sections.append((f"log of {name}", "\n".join(lines[-_LOG_LINES:])))

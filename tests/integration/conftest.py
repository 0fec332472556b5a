# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the integration tests.

`servers`      two brokers and PostgreSQL, once per test run, under a temporary folder
`topics`       makes topics with names that no other test has: topics("orders", partitions=4)
`stack`        one control plane and one worker, shared by the tests of a module, clusters created
`make_stack`   a stack of the test's own: make_stack(controlplanes=2, workers=2)

The logs of all processes are printed when a test fails, and only then.  --keep leaves the folder.
"""
import pathlib
import shutil
import tempfile

import pytest

from support.servers import Servers, Stack, unique_name

_LOG_LINES = 60


def pytest_addoption(parser):
    parser.addoption("--keep", action="store_true", help="keep the servers' data and the logs")


@pytest.fixture(scope="session")
def run_folder(request):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="cz-test-"))
    folder.chmod(0o711)     # PostgreSQL's user must get to its own folder below
    yield folder
    if request.config.getoption("--keep"):
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


@pytest.fixture
def topics(servers):
    """topics(name, …) creates a topic on both brokers (on=[…] for fewer) and returns its full name."""
    def make(name="topic", partitions=4, config=None, on=None):
        full = unique_name(name)
        for broker in on or (servers.source, servers.target):
            servers.create_topic(broker, full, partitions, config)
        return full

    return make


@pytest.fixture(scope="module")
def stack(_started_servers, run_folder):
    _started_servers.ensure()
    name = unique_name("s")
    made = Stack(_started_servers, name, run_folder / name)
    try:
        made.start()
        made.create_clusters()
        yield made
    finally:
        made.stop()


@pytest.fixture
def make_stack(servers, run_folder):
    """make_stack(controlplanes=1, workers=1, clusters=True): started and ready."""
    made = []

    def make(controlplanes=1, workers=1, clusters=True):
        name = unique_name("s")
        one = Stack(servers, name, run_folder / name)
        made.append(one)
        one.start(controlplanes, workers)
        if clusters and controlplanes:
            one.create_clusters()
        return one

    make.made = made
    yield make
    for one in made:
        one.stop()


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

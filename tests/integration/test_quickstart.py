# SPDX-License-Identifier: Apache-2.0
"""deploy/quickstart as a user meets it: start, look, kill and restart, stop, start again, clean."""
import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from support.citizenk import RestClient, api_path
from support.paths import REPO
from support.ports import find_free, is_free
from support.procs import start_time, wait_until

SECONDS_FOR_SECOND_START = 20
MAPPING = "orders to staging"


class Quickstart:
    """Calls of one data folder.  The script behind deploy/quickstart, without install and build."""

    def __init__(self, data):
        self.data = data
        self.base = free_base()

    def argv(self, *args):
        return [sys.executable, str(REPO / "deploy" / "quickstart.py"), "--data", str(self.data), *args]

    def call(self, *args, check=True):
        done = subprocess.run(self.argv(*args), capture_output=True, text=True, timeout=120,
                              check=False)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def up(self, *args, **options):
        return self.call("--detach", "--ports", str(self.base), *args, **options)

    def status(self):
        return json.loads(self.call("--status").stdout)

    def client(self, number=0):
        status = self.status()
        with open(status["token_file"], encoding="ascii") as token:
            return RestClient(status["rest"][number], token.read().strip())


def free_base():
    """A base port with 42 free ones behind it."""
    for _ in range(200):
        base = find_free(1)[0]
        if all(is_free(base + offset) for offset in range(42)):
            return base
    raise AssertionError("no free block of ports")


@pytest.fixture(scope="module")
def quickstart(run_folder):
    one = Quickstart(run_folder / "quick start")
    yield one
    one.call("--clean")


@pytest.fixture
def running(quickstart):
    quickstart.up()
    return quickstart


def total_out(client):
    return int(client.get(api_path("stats"))["totals"]["out"])


def test_up_shows_records_flowing_and_the_change_in_the_history(running):
    client = running.client()
    wait_until(lambda: total_out(client) > 100, 30, "records on the target")
    status = running.status()
    assert set(status["pids"]) == {
        "postgres", "kafka-source", "kafka-target", "controlplane-1", "controlplane-2",
        "worker-1", "worker-2", "feed"}
    stats = client.get(api_path("stats"))["totals"]
    assert int(stats["in"]) > int(stats["out"]) > 0, "the filter drops returns and quotes"
    changes = client.get(api_path("teams", "default", "changes"))["items"]
    assert [change["actor"] for change in changes] == ["admin"] * 3     # two clusters, one mapping
    made = client.get(api_path("changes", changes[0]["seq"]))
    assert MAPPING in json.dumps(made, ensure_ascii=False)
    assert running.client(1).get(api_path("teams", "default", "mappings", MAPPING))["name"] == MAPPING


def test_files_with_secrets_are_private(running):
    for name in ("admin.token", "cli.json", "postgres.password"):
        assert (running.data / name).stat().st_mode & 0o777 == 0o600, name


def test_a_second_up_changes_nothing(running):
    before = running.status()["pids"]
    running.up()
    assert running.status()["pids"] == before


@pytest.mark.parametrize("name", ["worker-1", "controlplane-1", "kafka-target", "postgres"])
def test_restart_of_a_killed_process(running, name):
    pid = running.status()["pids"][name]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: name not in running.status()["pids"], 10, f"{name} to be gone")
    running.call("--restart", name)
    assert running.status()["pids"][name] != pid
    client = running.client()
    wait_until(lambda: client.call("GET", "/readyz").status == 200, 30, "readiness")
    before = total_out(client)
    wait_until(lambda: total_out(client) > before, 40, "records to flow again")


def test_restart_of_an_unknown_name_says_which_there_are(running):
    done = running.call("--restart", "worker-9", check=False)
    assert done.returncode == 1 and "worker-1" in done.stderr


@pytest.mark.alone
def test_stop_ends_everything_and_the_second_start_is_quick(running):
    pids = running.status()["pids"]
    running.call("--stop")
    assert running.status()["pids"] == {}
    assert not any(start_time(pid) for pid in pids.values())
    began = time.monotonic()
    running.up()
    assert time.monotonic() - began < SECONDS_FOR_SECOND_START
    client = running.client()
    before = total_out(client)
    wait_until(lambda: total_out(client) > before, 30, "records to flow again")


def test_ctrl_c_stops_everything(quickstart):
    quickstart.call("--stop")
    process = subprocess.Popen(quickstart.argv(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True)
    try:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "running  workers 2" in line:
                break
        pids = quickstart.status()["pids"]
        assert len(pids) == 8, "".join(lines)
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.wait(60) == 0
    finally:
        process.kill()
    assert not any(start_time(pid) for pid in pids.values())


def test_a_port_in_use_is_named(quickstart):
    quickstart.call("--stop")
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", quickstart.base + 20))
        taken.listen()
        done = quickstart.up(check=False)
    assert done.returncode == 1
    assert f"{quickstart.base + 20} (kafka-target)" in done.stderr and "--ports" in done.stderr
    assert quickstart.status()["pids"] == {}


def test_a_folder_that_is_not_ours_is_left_alone(run_folder):
    folder = run_folder / "precious"
    folder.mkdir()
    (folder / "file").write_text("mine")
    other = Quickstart(folder)
    assert other.up(check=False).returncode == 1
    other.call("--clean")
    assert (folder / "file").read_text() == "mine"

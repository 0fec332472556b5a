# SPDX-License-Identifier: Apache-2.0
"""Processes: what was started is stopped, and nothing else ever is."""
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from support.ports import find_free, is_free
from support.procs import Process, ProcessError, wait_until

SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
STUBBORN = [sys.executable, "-c",
            "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
            "print('up', flush=True); time.sleep(60)"]


@pytest.fixture
def make(tmp_path):
    made = []

    def one(argv=None, **options):
        process = Process("it", argv or SLEEPER, tmp_path / "it.log",
                          pid_file=tmp_path / "it.pid", **options)
        made.append(process)
        return process

    yield one
    for process in made:
        process.stop(1)


def started(process):
    process.start()
    wait_until(lambda: process.log_contains("up"), 10, "the process", process=process)
    return process


def test_stop_ends_it_and_removes_the_pid_file(make, tmp_path):
    process = started(make())
    pid = process.pid
    assert (tmp_path / "it.pid").read_text().split()[0] == str(pid)
    assert process.stop() is True
    assert not os.path.exists(f"/proc/{pid}") and not (tmp_path / "it.pid").exists()
    assert process.stop() is True       # once more does no harm


def test_one_that_ignores_sigterm_is_killed_and_reported(make):
    process = started(make(STUBBORN))
    assert process.stop(timeout=0.3) is False
    assert not process.alive()


def test_another_run_finds_it_and_can_stop_it(make):
    first = started(make())
    second = make()
    assert second.alive() and second.pid == first.pid
    second.stop()
    assert not first.alive()


def test_the_first_run_finds_what_another_started_again(make):
    first = started(make())
    first.kill9()
    second = started(make())
    assert first.alive() and first.pid == second.pid


def test_a_recycled_pid_is_not_taken_for_ours(make, tmp_path):
    """The pid file names a pid that now belongs to another process: it must not be touched."""
    started(make()).kill9()
    bystander = subprocess.Popen(SLEEPER, stdout=subprocess.DEVNULL)
    try:
        _, start, boot = (tmp_path / "it.pid").read_text().split()
        (tmp_path / "it.pid").write_text(f"{bystander.pid} {int(start) - 1} {boot}\n")
        late = make()
        assert not late.alive()
        late.stop()
        late.kill9()
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


@pytest.mark.parametrize("text", ["", "x", "12", "1 2", "-5 1 boot", "99999999 1 boot"])
def test_a_damaged_pid_file_is_nobody(make, tmp_path, text):
    (tmp_path / "it.pid").write_text(text)
    assert not make().alive()


def test_suspend_and_resume(make):
    process = started(make())
    process.suspend()
    state = lambda: open(f"/proc/{process.pid}/stat").read().rpartition(")")[2].split()[0]  # noqa: E731
    wait_until(lambda: state() == "T", 5, "it to be suspended")
    assert process.alive()
    process.resume()
    wait_until(lambda: state() != "T", 5, "it to go on")


def test_a_suspended_one_can_be_stopped(make):
    process = started(make())
    process.suspend()
    assert process.stop(5) is True


def test_waiting_ends_when_the_process_does(make):
    process = make([sys.executable, "-c", "print('reason'); raise SystemExit(3)"])
    process.start()
    began = time.monotonic()
    with pytest.raises(ProcessError, match="(?s)ended while waiting.*reason"):
        wait_until(lambda: False, 30, "readiness", process=process)
    assert time.monotonic() - began < 10
    assert process.returncode() == 3


def test_die_with_parent(tmp_path):
    """A test run that is killed leaves nothing behind."""
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from czdeploy.procs import Process\n"
        f"p = Process('it', {SLEEPER!r}, sys.argv[2], die_with_parent=True).start()\n"
        "print(p.pid, flush=True); import time; time.sleep(60)\n")
    import czdeploy
    lib = os.path.dirname(os.path.dirname(czdeploy.__file__))
    parent = subprocess.Popen([sys.executable, "-c", script, lib, str(tmp_path / "log")],
                              stdout=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    wait_until(lambda: not os.path.exists(f"/proc/{pid}")
               or open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0] == "Z",
               5, "the child to end")


def test_free_ports():
    ports = find_free(5)
    assert len(set(ports)) == 5
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", ports[0]))
        taken.listen()
        assert not is_free(ports[0]) and is_free(ports[1])

# SPDX-License-Identifier: Apache-2.0
"""A process with a log file, a pid file and an end.

Everything that is started here is stopped here, by process id and only after checking that the id
still belongs to the process that was started: a pid file holds `pid start-time boot-id`, and
signals go through a pidfd, so a recycled pid is never hit.
"""
import ctypes
import os
import pathlib
import signal
import subprocess
import threading
import time

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1


# Set by a signal handler: ends every wait_until().  Not an exception raised in the handler, because
# that could come between the start of a process and the writing of its pid file.
CANCEL = threading.Event()


class Cancelled(Exception):
    """CANCEL was set."""


class ProcessError(RuntimeError):
    """A process did not start, did not become ready or did not end; the text says which and why."""


def start_time(pid):
    """The kernel's start time of @pid in clock ticks since boot; None when gone or a zombie."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            fields = stat.read().rpartition(b")")[2].split()
    except OSError:
        return None
    if fields[0] in (b"Z", b"X"):
        return None
    return int(fields[19])


def boot_id():
    return pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def send_signal(pid, started, signum):
    """Signals @pid if it still is the process that started at @started.  Returns whether it was."""
    try:
        fd = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        if start_time(pid) != started:
            return False
        signal.pidfd_send_signal(fd, signum)
        return True
    except ProcessLookupError:
        return False
    finally:
        os.close(fd)


def wait_until(predicate, timeout, what, interval=0.05, process=None):
    """Calls @predicate until it returns something true and returns that.

    Fails with the tail of @process's log when that process ends, or when @timeout seconds are over.
    """
    deadline = time.monotonic() + timeout
    while True:
        if CANCEL.is_set():
            raise Cancelled
        value = predicate()
        if value:
            return value
        if process is not None and not process.alive():
            raise ProcessError(f"{process.name} ended while waiting for {what}:\n{process.tail()}")
        if time.monotonic() >= deadline:
            tail = f"\n{process.tail()}" if process is not None else ""
            raise ProcessError(f"timed out after {timeout:g} s waiting for {what}{tail}")
        time.sleep(interval)


class Process:
    """One child process.  With a pid_file it can be found again by another run of the program."""

    def __init__(self, name, argv, log, *, pid_file=None, env=None, cwd=None, user=None,
                 stop_signal=signal.SIGTERM, die_with_parent=False):
        self.name = name
        self.argv = [str(arg) for arg in argv]
        self.log = pathlib.Path(log)
        self.pid_file = pathlib.Path(pid_file) if pid_file else None
        self.env = env
        self.cwd = cwd
        self.user = user
        self.stop_signal = stop_signal
        self.die_with_parent = die_with_parent
        self.pid = None
        self._started = None
        self._child = None
        self._log_from = 0
        if self.pid_file:
            self._adopt()

    def _adopt(self):
        """Takes over the process named by the pid file, if it still runs.  Returns whether."""
        try:
            pid, started, boot = self.pid_file.read_text(encoding="ascii").split()[:3]
            pid, started = int(pid), int(started)
        except (OSError, ValueError):
            return False
        if boot != boot_id() or start_time(pid) != started:
            return False
        self.pid, self._started, self._child = pid, started, None
        return True

    def start(self):
        """Starts the process; readiness is the caller's to wait for."""
        if self.alive():
            raise ProcessError(f"{self.name} runs already as pid {self.pid}")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        env = dict(os.environ)
        env.update(self.env or {})
        with open(self.log, "ab") as log:
            self._log_from = log.tell()
            try:
                self._child = subprocess.Popen(
                    self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                    env=env, cwd=self.cwd, start_new_session=True, **self._who(),
                    preexec_fn=_end_with_parent if self.die_with_parent else None)
            except OSError as error:
                raise ProcessError(f"cannot start {self.name}: {error}") from error
        self.pid = self._child.pid
        self._started = start_time(self.pid)
        if self._started is None:
            raise ProcessError(f"{self.name} ended at once:\n{self.tail()}")
        self._write_pid_file()
        return self

    def _who(self):
        if self.user is None or os.geteuid() != 0:
            return {}
        return {"user": self.user, "group": self.user, "extra_groups": []}

    def _write_pid_file(self):
        if self.pid_file is None:
            return
        self.pid_file.parent.mkdir(parents=True, exist_ok=True)
        half = self.pid_file.with_suffix(".tmp")
        half.write_text(f"{self.pid} {self._started} {boot_id()}\n", encoding="ascii")
        half.replace(self.pid_file)

    def alive(self):
        if self._child is not None:
            self._child.poll()      # reaps, so that an ended child is not seen as a zombie
        if self.pid is not None and start_time(self.pid) == self._started:
            return True
        # Another run of the program may have started it again.
        return self.pid_file is not None and self._adopt()

    def signal(self, signum):
        return self.alive() and send_signal(self.pid, self._started, signum)

    def suspend(self):
        """SIGSTOP: the process keeps its sockets and its locks but does nothing."""
        self.signal(signal.SIGSTOP)

    def resume(self):
        self.signal(signal.SIGCONT)

    def kill9(self):
        """Ends it as a crash would, and waits until it is gone.  The pid file stays."""
        if self.signal(signal.SIGKILL):
            self.wait(20)
        self._gone(keep_pid_file=True)

    def stop(self, timeout=20):
        """Asks it to end, waits, and kills it if it does not.  Returns True for a clean end."""
        clean = True
        if self.signal(self.stop_signal):
            self.signal(signal.SIGCONT)
            if not self._ended_within(timeout):
                clean = False
                self.signal(signal.SIGKILL)
                self.wait(20)
        self._gone(keep_pid_file=False)
        return clean

    def _ended_within(self, timeout):
        deadline = time.monotonic() + timeout
        while self.alive():
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)
        return True

    def wait(self, timeout):
        if not self._ended_within(timeout):
            raise ProcessError(f"{self.name} (pid {self.pid}) did not end within {timeout:g} s")

    def returncode(self):
        """Exit status of an ended child of this program, else None."""
        return self._child.poll() if self._child is not None else None

    def _gone(self, keep_pid_file):
        self.pid = self._started = None
        if self.pid_file and not keep_pid_file:
            self.pid_file.unlink(missing_ok=True)

    def tail(self, lines=30):
        return "\n".join(self.output().splitlines()[-lines:])

    def output(self):
        """What it has written since its last start."""
        try:
            with open(self.log, "rb") as log:
                log.seek(self._log_from)
                return log.read().decode(errors="replace")
        except OSError:
            return ""

    def log_contains(self, text):
        return text in self.output()


def _end_with_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)

# SPDX-License-Identifier: Apache-2.0
"""A private PostgreSQL cluster: a unix socket and one loopback port, nothing else.

PostgreSQL refuses to run as root.  Then it runs as the user `postgres` (created when absent), and its
files are put where that user can reach them: below data_dir if every folder above lets it pass,
otherwise in /var/tmp/citizenk-<hash of data_dir>.

The socket lies in a folder of mode 0700, so only root and the owner reach it; there every role is
trusted.  The TCP port asks for a password (SCRAM), and only the role `citizenk` has one.
"""
import glob
import hashlib
import os
import pathlib
import pwd
import re
import secrets
import shutil
import signal
import stat
import subprocess
import tempfile

from .procs import Process, ProcessError, start_time, wait_until

ROLE = "citizenk"               # what the control plane runs as
OWNER = "citizenk_owner"        # owns the database and its tables; used for migrations only
UNPRIVILEGED_USER = "postgres"
SOCKET_PATH_MAX = 100           # of 108 that the kernel has room for

_HBA = """\
local all all trust
host all all 127.0.0.1/32 scram-sha-256
"""


def find_bin(program):
    """Path of a server program: PATH, or Debian's versioned folders (the newest)."""
    found = glob.glob(f"/usr/lib/postgresql/*/bin/{program}")
    if found:
        return max(found, key=lambda path: int(re.search(r"/(\d+)/bin/", path).group(1)))
    path = shutil.which(program)
    if path is None:
        raise ProcessError(f"PostgreSQL's {program} is not installed: run deploy/deps")
    return path


def server_user():
    """The user the server runs as: None for ourselves; as root an unprivileged one, made if absent."""
    if os.geteuid() != 0:
        return None
    try:
        pwd.getpwnam(UNPRIVILEGED_USER)
    except KeyError:
        subprocess.run(["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin",
                        UNPRIVILEGED_USER], check=True)
    return UNPRIVILEGED_USER


def _as_user(user):
    return {"user": user, "group": user, "extra_groups": []} if user else {}


def _passable(folder, user):
    """Whether @user may go into @folder (asked of the kernel, so ACLs count too)."""
    return subprocess.run(["test", "-x", str(folder)], cwd="/", check=False,
                          **_as_user(user)).returncode == 0


def _short_hash(path):
    return hashlib.sha256(str(path).encode()).hexdigest()[:12]


class Postgres:
    """initdb, start, stop and kill a cluster; its files stay, so a restart finds its data."""

    def __init__(self, data_dir, port, *, name="postgres", log=None, pid_file=None,
                 die_with_parent=False, settings=None):
        self.data_dir = pathlib.Path(data_dir).absolute()
        self.port = port
        self.user = server_user()
        self.settings = settings or {}
        self.home = self._choose_home()
        self.pgdata = self.home / "data"
        self.socket_dir = self._choose_socket_dir()
        self.process = Process(
            name, [find_bin("postgres"), "-D", self.pgdata],
            log or self.data_dir / "postgres.log", pid_file=pid_file, user=self.user, cwd="/",
            stop_signal=signal.SIGINT,      # "fast": does not wait for clients to leave
            die_with_parent=die_with_parent)

    def _choose_home(self):
        """Where the cluster is; for a new one, where the server's user can reach it."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        below = self.data_dir / "pg"
        elsewhere = pathlib.Path("/var/tmp") / f"citizenk-{_short_hash(self.data_dir)}"
        for home in (below, elsewhere):
            if (home / "initialized").exists():
                return home
        if self.user is None or _passable(self.data_dir, self.user):
            return below
        return elsewhere

    def _choose_socket_dir(self):
        folder = self.home / "socket"
        if len(str(folder / f".s.PGSQL.{self.port}")) <= SOCKET_PATH_MAX:
            return folder
        return pathlib.Path("/var/tmp") / f"citizenk-{_short_hash(self.home)}-s"

    def _owned_folder(self, folder):
        """Makes @folder for the server alone; refuses one that somebody else put there."""
        uid = pwd.getpwnam(self.user).pw_uid if self.user else os.geteuid()
        gid = pwd.getpwnam(self.user).pw_gid if self.user else os.getegid()
        try:
            os.mkdir(folder, 0o700)
            os.chown(folder, uid, gid)
        except FileExistsError:
            info = os.lstat(folder)
            if not stat.S_ISDIR(info.st_mode) or info.st_uid != uid:
                raise ProcessError(f"{folder} exists and is not a folder of uid {uid}") from None
            os.chmod(folder, 0o700)

    def prepare(self):
        """Makes the cluster if there is none, and writes its configuration."""
        self._owned_folder(self.home)
        self._owned_folder(self.socket_dir)
        if not (self.home / "initialized").exists():
            self._initdb()
        own = {"port": self.port, "listen_addresses": "127.0.0.1",
               "unix_socket_directories": self.socket_dir, "max_connections": 100,
               "password_encryption": "scram-sha-256"}
        lines = [f"{key} = '{value}'\n" for key, value in {**own, **self.settings}.items()]
        self._write(self.pgdata / "postgresql.auto.conf", "".join(lines))
        self._write(self.pgdata / "pg_hba.conf", _HBA)

    def _initdb(self):
        # A run that was cut may have left half a cluster; the stamp below is written last.
        shutil.rmtree(self.pgdata, ignore_errors=True)
        done = subprocess.run(
            [find_bin("initdb"), "-D", str(self.pgdata), "-U", "postgres", "--auth=trust",
             "-E", "UTF8", "--no-locale", "--no-sync"],
            cwd="/", capture_output=True, text=True, check=False, **_as_user(self.user))
        if done.returncode != 0:
            raise ProcessError(f"initdb failed: {done.stdout}{done.stderr}")
        self._write(self.home / "initialized", "")

    def _write(self, path, text):
        """Writes a file that the server reads, whole or not at all."""
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as half:
            half.write(text)
        if self.user:
            shutil.chown(half.name, self.user, self.user)
        os.replace(half.name, path)

    def start(self, wait=True):
        self.prepare()
        self._clear_after_kill()
        self.process.start()
        if wait:
            self.wait_ready()
        return self

    def _clear_after_kill(self):
        """A killed postmaster leaves children, which soon see it and end, and its lock files.

        PostgreSQL itself removes those, unless the killed process still has an entry in the
        process table: a container's first process does not always collect the dead at once.
        """
        wait_until(lambda: not self._own_processes(), 30, "PostgreSQL's old processes to end")
        for lock in (self.pgdata / "postmaster.pid",
                     self.socket_dir / f".s.PGSQL.{self.port}.lock"):
            try:
                pid = int(lock.read_text(encoding="ascii").splitlines()[0])
            except (OSError, ValueError, IndexError):
                continue
            if start_time(pid) is None:
                lock.unlink(missing_ok=True)

    def _own_processes(self):
        """The living processes whose working folder is the data folder: server and children."""
        found = []
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                if os.readlink(f"/proc/{entry}/cwd") == str(self.pgdata) and start_time(entry):
                    found.append(int(entry))
            except OSError:
                continue
        return found

    def wait_ready(self, timeout=120):
        wait_until(self._accepts, timeout, f"PostgreSQL at port {self.port}", process=self.process)

    def _accepts(self):
        return subprocess.run(
            [find_bin("pg_isready"), "-q", "-h", str(self.socket_dir), "-p", str(self.port),
             "-U", "postgres", "-d", "postgres"],
            check=False).returncode == 0

    def alive(self):
        return self.process.alive()

    def stop(self, timeout=30):
        self.process.stop(timeout)

    def kill9(self):
        """Kills the postmaster and waits for its children, which leave when they see it gone."""
        self.process.kill9()
        wait_until(lambda: not self._own_processes(), 30, "PostgreSQL's children to end")

    def suspend(self):
        self.process.suspend()

    def resume(self):
        self.process.resume()

    def restart(self):
        if self.process.alive():
            self.stop()
        self.start()

    def conninfo(self, role=ROLE, database=ROLE):
        host = str(self.socket_dir)
        if " " in host:
            host = f"'{host}'"
        return f"host={host} port={self.port} dbname={database} user={role}"

    def psql(self, sql, database="postgres", role="postgres"):
        """Runs @sql over the socket and returns psql's unadorned output."""
        done = subprocess.run(
            [find_bin("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1",
             "-d", self.conninfo(role, database)],
            input=sql, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ProcessError(f"SQL failed: {done.stderr.strip()}\n{sql}")
        return done.stdout

    def create_database(self, database=ROLE):
        """The two roles and a database of the owner's, if they are not there."""
        if self.psql(f"SELECT 1 FROM pg_roles WHERE rolname = '{ROLE}'").strip() != "1":
            self.psql(f"CREATE ROLE {OWNER} LOGIN; CREATE ROLE {ROLE} LOGIN")
        if self.psql(f"SELECT 1 FROM pg_database WHERE datname = '{database}'").strip() != "1":
            self.psql(f'CREATE DATABASE "{database}" OWNER {OWNER}')

    def set_password(self, path):
        """Gives the run-time role a password for the TCP port, kept in @path (mode 0600)."""
        if not os.path.exists(path):
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w",
                      encoding="ascii") as out:
                out.write(secrets.token_urlsafe(24))
        password = pathlib.Path(path).read_text(encoding="ascii").strip()
        self.psql(f"ALTER ROLE {ROLE} PASSWORD '{password}'")

    def remove(self):
        """Deletes the cluster's files; the server must have ended."""
        for folder in (self.socket_dir, self.home):
            shutil.rmtree(folder, ignore_errors=True)

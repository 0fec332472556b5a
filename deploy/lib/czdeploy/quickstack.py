# SPDX-License-Identifier: Apache-2.0
"""The processes of deploy/quickstart: which there are, on which ports, started and stopped in order.

Everything lies under one data folder: quickstart.json (ports and program folder, so that later calls
need no options), admin.token, cli.json, run/*.pid, log/*.log, and the servers' data.
"""
import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import shutil
import sys

from . import ports as port_check
from .citizenk import ControlPlane, RestClient, Worker, status_of, write_token
from .kafka import KafkaBroker
from .postgres import OWNER, Postgres
from .procs import Process, ProcessError

SETTINGS = "quickstart.json"
DEFAULT_PORTS = {
    "rest-1": 8080, "rest-2": 8081, "kafka-source": 9092, "kafka-source-controller": 9093,
    "kafka-target": 9192, "kafka-target-controller": 9193, "postgres": 5433,
    "worker-1": 8090, "worker-2": 8091,
}
_OFFSETS = {
    "rest-1": 0, "rest-2": 1, "kafka-source": 10, "kafka-source-controller": 11,
    "kafka-target": 20, "kafka-target-controller": 21, "postgres": 30,
    "worker-1": 40, "worker-2": 41,
}
FEED_TOPIC = "orders"
FEED_RATE = 200


def ports_from(base):
    if base is None:
        return dict(DEFAULT_PORTS)
    if not 1024 <= base <= 65535 - max(_OFFSETS.values()):
        raise ProcessError(f"--ports {base}: must be between 1024 and "
                           f"{65535 - max(_OFFSETS.values())}")
    return {name: base + offset for name, offset in _OFFSETS.items()}


class QuickStack:
    def __init__(self, data, settings):
        self.data = pathlib.Path(data)
        self.settings = settings
        self.ports = settings["ports"]
        self.token_file = self.data / "admin.token"
        self.context_file = self.data / "cli.json"
        self.source = self._broker("kafka-source")
        self.target = self._broker("kafka-target")
        self.postgres = Postgres(self.data / "postgres", self.ports["postgres"],
                                 **self._files("postgres"))
        self.controlplanes = [self._controlplane(number) for number in (1, 2)]
        self.workers = [self._worker(number) for number in (1, 2)]
        self.feed = Process(
            "feed", [sys.executable, "-m", "czdeploy.feed", "--bootstrap", self.source.bootstrap,
                     "--topic", FEED_TOPIC, "--rate", FEED_RATE],
            env={"PYTHONPATH": str(pathlib.Path(__file__).resolve().parents[1])},
            **self._files("feed"))

    # ---- what there is ----------------------------------------------------------------------

    def _files(self, name):
        return {"log": self.data / "log" / f"{name}.log",
                "pid_file": self.data / "run" / f"{name}.pid"}

    def _broker(self, name):
        # What the demo leaves behind stays small, however long it runs.
        keep = {"log.retention.hours": 24, "log.segment.bytes": 67108864}
        return KafkaBroker(self.data / name, self.ports[name], self.ports[f"{name}-controller"],
                           name=name, properties=keep, **self._files(name))

    @property
    def group_id(self):
        return "citizenk"

    def _controlplane(self, number):
        name = f"controlplane-{number}"
        return ControlPlane(
            name=name, postgres=self.postgres.conninfo(),
            postgres_admin=self.postgres.conninfo(role=OWNER), bootstrap=self.target.bootstrap,
            group_id=self.group_id, port=self.ports[f"rest-{number}"],
            token_file=self.token_file, **self._files(name))

    def _worker(self, number):
        name = f"worker-{number}"
        return Worker(name=name, bootstrap=self.target.bootstrap, group_id=self.group_id,
                      port=self.ports[name], **self._files(name))

    def parts(self):
        """Name → whatever has alive(), start() and stop(), in the order of starting."""
        parts = {"postgres": self.postgres, "kafka-source": self.source,
                 "kafka-target": self.target}
        for program in [*self.controlplanes, *self.workers]:
            parts[program.process.name] = program
        parts["feed"] = self.feed
        return parts

    def pid_of(self, part):
        process = getattr(part, "process", part)
        return process.pid if process.alive() else None

    def status(self):
        pids = {name: pid for name, part in self.parts().items()
                if (pid := self.pid_of(part)) is not None}
        return {
            "rest": [program.url for program in self.controlplanes],
            "source": self.source.bootstrap, "target": self.target.bootstrap,
            "postgres": self.postgres.conninfo(), "token_file": str(self.token_file), "pids": pids,
            "context_file": str(self.context_file), "data": str(self.data),
            "workers": [program.url for program in self.workers],
        }

    def client(self):
        """A client of the first control plane that is ready; None when none is."""
        for program in self.controlplanes:
            if status_of(f"{program.url}/readyz") == 200:
                return RestClient(program.url, write_token(self.token_file))
        return None

    # ---- starting and stopping --------------------------------------------------------------

    def check_ports(self):
        """Fails when another program holds one of our ports; says which and what to do."""
        owners = {"rest-1": "controlplane-1", "rest-2": "controlplane-2"}
        parts, taken = self.parts(), []
        for name, port in self.ports.items():
            owner = parts[owners.get(name, name.removesuffix("-controller"))]
            if not owner.alive() and not port_check.is_free(port):
                taken.append(f"{port} ({name})")
        if taken:
            raise ProcessError(
                f"in use by another program: port {', '.join(taken)}.\n"
                "Stop that program, or move all ports: deploy/quickstart --ports 18000")

    def start_servers(self):
        servers = [self.postgres, self.source, self.target]
        for server in servers:
            if not server.alive():
                server.start(wait=False)
        for server in servers:
            server.wait_ready()
        self.postgres.create_database()
        self.postgres.set_password(self.data / "postgres.password")

    def start_programs(self):
        token = write_token(self.token_file)
        self._write_context(token)
        programs = [*self.controlplanes, *self.workers]
        for program in programs:
            if not program.alive():
                program.start(wait=False)
        for program in programs:
            program.wait_ready()

    def _write_context(self, token):
        """The CLI's context file: citizenk --context-file <data>/cli.json get mappings."""
        write_private(self.context_file, json.dumps({
            "current": "quickstart",
            "contexts": {"quickstart": {"servers": [program.url for program in self.controlplanes],
                                        "team": "default", "token_file": str(self.token_file)}},
        }, indent=2) + "\n")

    def restart(self, name):
        parts = self.parts()
        if name not in parts:
            raise ProcessError(f"no process {name!r}; there are: {', '.join(parts)}")
        part = parts[name]
        if part.alive():
            part.stop()
        part.start()

    def stop(self):
        for part in [self.feed, *self.workers, *self.controlplanes, self.postgres,
                     self.source, self.target]:
            part.stop()

    def remove(self):
        """Deletes everything; call stop() before."""
        self.postgres.remove()
        shutil.rmtree(self.data)


def write_private(path, text):
    half = f"{path}.tmp"
    with open(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w",
              encoding="utf-8") as out:
        out.write(text)
    os.replace(half, path)


def load(data):
    """The stack of an earlier start in @data, or None."""
    try:
        settings = json.loads((pathlib.Path(data) / SETTINGS).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return QuickStack(data, settings)


def create(data, base):
    """The stack in @data: as it was started before, or new; @base moves the ports."""
    data = pathlib.Path(data)
    if set(str(data)) & set(",'\"\\\n"):
        raise ProcessError(f"--data {data}: quotes, commas and backslashes do not work in this path")
    old = load(data)
    if old is not None and base is None:
        return old
    settings = {"ports": ports_from(base)}
    if old is not None and old.ports != settings["ports"] and old.status()["pids"]:
        raise ProcessError("it runs on other ports: deploy/quickstart --stop first")
    if old is None and data.exists() and any(data.iterdir()):
        raise ProcessError(f"--data {data} is not empty and was not made by quickstart")
    if not data.exists():
        data.mkdir(parents=True)
        data.chmod(0o711)       # others may pass (PostgreSQL's user must), not look around
    write_private(data / SETTINGS, json.dumps(settings, indent=2) + "\n")
    return QuickStack(data, settings)


@contextlib.contextmanager
def locked(data):
    """One start, stop or restart of a data folder at a time.  The lock lies beside the folder's
    files, in the system's temporary folder, because --clean deletes the folder itself."""
    name = hashlib.sha256(str(data).encode()).hexdigest()[:16]
    path = f"/tmp/citizenk-{os.geteuid()}-{name}.lock"
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("quickstart: waiting for another quickstart that starts or stops here",
                  file=sys.stderr)
            fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)

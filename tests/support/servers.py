# SPDX-License-Identifier: Apache-2.0
"""What the integration tests run against: two brokers and PostgreSQL, started once per test run, and
stacks of our own programs, each with its own deployment id and database."""
import concurrent.futures
import itertools
import pathlib
import time

from czdeploy import topics

from .citizenk import ControlPlane, RestClient, RestError, Worker, api_path, write_token
from .kafka import KafkaBroker
from .ports import find_free
from .postgres import Postgres
from .procs import ProcessError, wait_until


def link_listener(port, controller, listens, advertised):
    """A second listener of a broker, whose clients are told another port: that of support/links.py."""
    return {"listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller},"
                         f"LINK://127.0.0.1:{listens}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port},LINK://127.0.0.1:{advertised}",
            "listener.security.protocol.map":
                "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,LINK:PLAINTEXT",
            # Records of tests bear old times, and every five minutes the broker looks what is past its days.
            "log.retention.ms": "-1"}


class Servers:
    """The shared servers of a test run."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self._admins = {}
        ports = find_free(9)
        # fsync costs tests time and proves nothing: a killed process loses nothing that the
        # kernel has, and no test pulls the plug.
        self.source = KafkaBroker(self.folder / "kafka-source", ports[0], ports[1],
                                  name="kafka-source", die_with_parent=True, short_lived=True,
                                  properties=link_listener(ports[0], ports[1], *ports[5:7]))
        self.target = KafkaBroker(self.folder / "kafka-target", ports[2], ports[3],
                                  name="kafka-target", die_with_parent=True, short_lived=True,
                                  properties=link_listener(ports[2], ports[3], *ports[7:9]))
        self.links = {"source": ports[5:7], "target": ports[7:9]}    # (listens, is told to clients)
        self.postgres = Postgres(self.folder / "postgres", ports[4], die_with_parent=True,
                                 settings={"fsync": "off", "full_page_writes": "off",
                                           "max_connections": 200})

    def all(self):
        return (self.source, self.target, self.postgres)

    def start(self):
        # The children die with the thread that starts them, so none may be a pool's thread.
        with concurrent.futures.ThreadPoolExecutor() as pool:
            list(pool.map(lambda server: server.prepare(), self.all()))
        for server in self.all():
            server.start(wait=False)
        for server in self.all():
            server.wait_ready()
        return self

    def stop(self):
        """Brokers are killed: nobody needs what they would tidy up in seconds."""
        self.source.kill9()
        self.target.kill9()
        self.postgres.stop()
        self.postgres.remove()

    def ensure(self):
        """Starts again what a fault test left stopped or killed."""
        for server in self.all():
            server.resume()
            if not server.alive():
                server.start()

    def admin(self, broker):
        """The admin client of @broker.  Kept: a client that is dropped ends its own requests."""
        if broker.port not in self._admins:
            self._admins[broker.port] = topics.admin_client(broker.bootstrap)
        return self._admins[broker.port]

    def create_topic(self, broker, name, partitions=4, config=None):
        topics.create(self.admin(broker), name, partitions, config)

    def delete_topic(self, broker, name):
        self.admin(broker).delete_topics([name])[name].result(30)


class Stack:
    """Control planes and workers of one deployment."""

    def __init__(self, servers, name, folder, lease_s=None):
        """@param lease_s  of its workers: a short one, so that a test does not wait for the default"""
        self.servers, self.name = servers, name
        self._worker_extra = ("--lease-ms", str(lease_s * 1000)) if lease_s else ()
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.group_id = f"cz-{name}"
        self.database = name.replace("-", "_")
        self.token_file = self.folder / "admin.token"
        self.token = write_token(self.token_file)
        self.controlplanes, self.workers = [], []
        servers.postgres.create_database(self.database)

    def start(self, controlplanes=1, workers=1, wait=True):
        for _ in range(controlplanes):
            self.add_controlplane(wait=False)
        for _ in range(workers):
            self.add_worker(wait=False)
        if wait:
            for program in self.programs():
                program.wait_ready()
            self.wait_workers(workers)
        return self

    def add_controlplane(self, wait=True, extra=(), env=None):
        name = f"controlplane-{len(self.controlplanes) + 1}"
        postgres = self.servers.postgres
        program = ControlPlane(
            name=name, postgres=postgres.conninfo(database=self.database),
            postgres_admin=postgres.conninfo("citizenk_owner", self.database),
            bootstrap=self.servers.target.bootstrap, group_id=self.group_id,
            port=find_free(1)[0], token_file=self.token_file, extra=extra, env=env,
            log=self.folder / f"{name}.log", die_with_parent=True)
        self.controlplanes.append(program)
        program.start(wait)
        return program

    def add_worker(self, wait=True, extra=(), env=None):
        name = f"worker-{len(self.workers) + 1}"
        program = Worker(
            name=name, bootstrap=self.servers.target.bootstrap, group_id=self.group_id,
            port=find_free(1)[0], extra=(*self._worker_extra, *extra), env=env,
            log=self.folder / f"{name}.log", die_with_parent=True)
        self.workers.append(program)
        program.start(wait)
        return program

    def programs(self):
        return [*self.controlplanes, *self.workers]

    def stop(self):
        """Stops everything; returns the names of those that had to be killed."""
        return [program.process.name for program in reversed(self.programs())
                if not program.stop()]

    def logs(self):
        return [(program.process.name, program.process.log) for program in self.programs()]

    @property
    def rest(self):
        """A client of the first control plane that runs."""
        for program in self.controlplanes:
            if program.alive():
                return self.client(program)
        raise AssertionError("no control plane runs")

    def client(self, program, token=None):
        return RestClient(program.url, self.token if token is None else token)

    # ---- what most tests do ---------------------------------------------------------------

    def create_clusters(self, team="default"):
        """The clusters `source` and `target`, as in deploy/quickstart."""
        self.rest.put_cluster("source", self.servers.source.bootstrap, team)
        self.rest.put_cluster("target", self.servers.target.bootstrap, team)

    def put_mapping(self, name, spec, team="default", wait=True, **fields):
        answer = self.rest.put_mapping(name, spec, team=team, **fields)
        if wait and spec.get("enabled", True):
            self.wait_state(name, "RUNNING", team)
        return answer

    def status(self, name, team="default"):
        return self.rest.get(api_path("teams", team, "mappings", name, "status"))

    def task_states(self, name, team="default"):
        return [task.get("state") for task in self.status(name, team).get("tasks") or []]

    def wait_state(self, name, state, team="default", timeout=30):
        """Waits until the mapping has tasks and every one is in @state."""
        def reached():
            states = self.task_states(name, team)
            return states and all(one == state for one in states)
        self._wait(reached, timeout, f"mapping {name!r} to be {state}",
                   lambda: self.status(name, team))

    def wait_workers(self, count, timeout=30):
        def alive():
            workers = self.rest.get(api_path("workers"))
            items = workers.get("items", []) if isinstance(workers, dict) else workers
            return len(items) >= count
        if count:
            self._wait(alive, timeout, f"{count} workers", lambda: self.rest.get(api_path("workers")))

    def _wait(self, reached, timeout, what, now):
        try:
            wait_until(reached, timeout, what)
        except (ProcessError, RestError) as error:
            raise AssertionError(f"{what}: {error}; now: {now()}") from error


_numbers = itertools.count(1)


def unique_name(prefix="t"):
    """Never twice in one run; short, and good as topic, database and deployment name."""
    return f"{prefix}{int(time.time()) % 1_000_000}-{next(_numbers)}"

# SPDX-License-Identifier: Apache-2.0
"""A KRaft broker (broker and controller in one process) on loopback ports: a cluster of its own, unless its
properties name others."""
import base64
import pathlib
import shutil
import socket
import struct
import subprocess
import uuid

from .paths import kafka_libs
from .procs import Process, ProcessError, wait_until

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={logs}
auto.create.topics.enable=false
num.partitions=4
offsets.topic.replication.factor=1
offsets.topic.num.partitions=10
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
num.network.threads=2
num.io.threads=4
# A broker that was killed may register again only when its old session is over (9 s by default).
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
# The cleaner's default buffer of 128 MiB is a third of the heap that we give a broker.
log.cleaner.dedupe.buffer.size=16777216
"""

_LOG4J = """\
log4j.rootLogger=WARN, out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=%d{ISO8601} %p %m (%c)%n
log4j.logger.kafka.server.KafkaRaftServer=INFO
"""


def new_cluster_id():
    """In Kafka's form; a first letter, as an id may not begin with a dash on the command line."""
    return "c" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")[1:]


class KafkaBroker:
    """Start, stop and kill a broker; its data stay in data_dir, so a restart finds its topics."""

    def __init__(self, data_dir, port, controller_port, *, heap="384m", name="kafka",
                 log=None, pid_file=None, die_with_parent=False, properties=None,
                 cluster_id=None, short_lived=False):
        """@param short_lived  compiled lightly: sooner there, with less work, and slower once it is warm"""
        self.data_dir = pathlib.Path(data_dir)
        self.port = port
        self.controller_port = controller_port
        self.properties = properties or {}      # one of a name that we set, too, replaces ours
        self.cluster_id = cluster_id or new_cluster_id()
        self.config = self.data_dir / "server.properties"
        self.short_lived = short_lived
        self.process = Process(
            name,
            [*self._java(heap), "kafka.Kafka", self.config],
            log or self.data_dir / "broker.log", pid_file=pid_file,
            die_with_parent=die_with_parent)

    def _java(self, heap):
        return [
            shutil.which("java") or "java", f"-Xmx{heap}", "-Xms128m", "-XX:+UseSerialGC",
            *(["-XX:TieredStopAtLevel=1"] if self.short_lived else []),
            "-Djava.awt.headless=true", f"-Dlog4j.configuration=file:{self.data_dir}/log4j.properties",
            "-cp", f"{kafka_libs()}/*",
        ]

    @property
    def bootstrap(self):
        return f"127.0.0.1:{self.port}"

    def prepare(self):
        """Writes the configuration and formats the storage if that was not done before."""
        if not kafka_libs().is_dir():
            raise ProcessError(f"no Kafka broker in {kafka_libs()}: run deploy/deps")
        self.data_dir.mkdir(parents=True, exist_ok=True)
        (self.data_dir / "log4j.properties").write_text(_LOG4J)
        text = _PROPERTIES.format(port=self.port, controller_port=self.controller_port,
                                  logs=self.data_dir / "logs")
        text += "".join(f"{key}={value}\n" for key, value in self.properties.items())
        self.config.write_text(text)
        if not (self.data_dir / "logs" / "meta.properties").exists():
            self._format()

    def _format(self):
        done = subprocess.run(
            [*self._java("128m"), "kafka.tools.StorageTool", "format",
             "-t", self.cluster_id, "-c", str(self.config)],
            capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ProcessError(f"cannot format {self.data_dir}: {done.stdout}{done.stderr}")

    def start(self, wait=True):
        self.prepare()
        self.process.start()
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, timeout=120):
        wait_until(lambda: answers(self.port), timeout, f"Kafka at {self.bootstrap}",
                   process=self.process)

    def alive(self):
        return self.process.alive()

    def stop(self, timeout=30):
        self.process.stop(timeout)

    def kill9(self):
        self.process.kill9()

    def suspend(self):
        self.process.suspend()

    def resume(self):
        self.process.resume()

    def restart(self):
        if self.process.alive():
            self.stop()
        self.start()


def answers(port, host="127.0.0.1"):
    """Whether a broker answers a Metadata request and names a broker that is not fenced.

    The request is written by hand (Metadata v1, no topics): nothing but the standard library is
    needed, and a broker that listens but is not registered yet does not count as ready.
    """
    client = b"cz"
    body = struct.pack(">hhih", 3, 1, 1, len(client)) + client + struct.pack(">i", 0)
    try:
        with socket.create_connection((host, port), timeout=2) as sock:
            sock.sendall(struct.pack(">i", len(body)) + body)
            size = struct.unpack(">i", _read(sock, 4))[0]
            answer = _read(sock, size)
    except (OSError, EOFError, struct.error):
        return False
    correlation, brokers = struct.unpack_from(">ii", answer)
    return correlation == 1 and brokers > 0


def _read(sock, size):
    data = b""
    while len(data) < size:
        part = sock.recv(size - len(data))
        if not part:
            raise EOFError
        data += part
    return data

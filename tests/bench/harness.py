# SPDX-License-Identifier: Apache-2.0
"""What the measuring scripts share: the Python that has Kafka's client, servers, a stack of our own
programs, and what a process uses."""
import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "deploy" / "lib")]
BUILD = pathlib.Path(os.environ.get("CITIZENK_BUILD", ROOT / "build" / "release"))
READY = os.environ.get("CITIZENK_BIN")
os.environ.setdefault("CITIZENK_BIN", str(BUILD / "bin"))
TICKS = os.sysconf("SC_CLK_TCK")


def with_dependencies():
    """Starts this program again with the Python of deploy/deps, unless this is it."""
    try:
        import confluent_kafka  # noqa: F401 (only whether it is there)
    except ImportError:
        from czdeploy.paths import deps_root
        python = deps_root() / "venv" / "bin" / "python3"
        if pathlib.Path(sys.executable) == python or not python.exists():
            sys.exit(f"{sys.argv[0]}: run deploy/deps first")
        os.execv(python, [str(python), *sys.argv])


def say(text):
    print(text, file=sys.stderr, flush=True)


def build():
    """The programs, unless CITIZENK_BIN names ready ones."""
    if READY is None:
        subprocess.run(["ninja", "-C", BUILD, "citizenk-worker", "citizenk-controlplane"], check=True,
                       stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def bench_servers(heap="384m"):
    """Two brokers and PostgreSQL below a folder that goes away."""
    from tests.support.kafka import KafkaBroker
    from tests.support.servers import Servers
    with tempfile.TemporaryDirectory(prefix="citizenk-bench-") as folder:
        os.chmod(folder, 0o711)     # PostgreSQL's user must get to its own folder below
        servers = Servers(folder)
        for kind in ("source", "target"):
            broker = getattr(servers, kind)
            setattr(servers, kind, KafkaBroker(
                broker.data_dir, broker.port, broker.controller_port, heap=heap,
                name=f"kafka-{kind}", die_with_parent=True))
        try:
            yield servers.start()
        finally:
            servers.stop()


@contextlib.contextmanager
def bench_stack(servers, name, workers=1, extra=()):
    """One control plane and @workers with @extra options; clusters `source` and `target` are told."""
    from tests.support.servers import Stack
    stack = Stack(servers, name, servers.folder / name)
    try:
        stack.start(controlplanes=1, workers=0)
        for _ in range(workers):
            stack.add_worker(wait=False, extra=extra)
        stack.wait_workers(workers)
        stack.create_clusters()
        yield stack
    except Exception:
        for name, path in stack.logs():
            lines = [line for line in path.read_text(errors="replace").splitlines() if "msg\":\"request " not in line]
            say("\n".join([f"--- log of {name}", *lines[-25:]]))
        raise
    finally:
        stack.stop()


def machine():
    """The machine and its load now, for the record."""
    return {"cpus": os.cpu_count(), "load": [round(x, 2) for x in os.getloadavg()],
            "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}


def cpu_of(pid):
    """User and system time of @pid until now, in seconds."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def status_of_process(pid):
    """{"threads", "rss_mib", "peak_rss_mib"} of @pid."""
    lines = dict(line.split(":", 1) for line in
                 pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    return {"threads": int(lines["Threads"]),
            "rss_mib": round(int(lines["VmRSS"].split()[0]) / 1024, 1),
            "peak_rss_mib": round(int(lines["VmHWM"].split()[0]) / 1024, 1)}


def quantile(values, q):
    """Nearest rank; @values need not be sorted."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, int(len(ordered) * q + 0.9999) - 1))]


def verdict_line(name, value, bar, unit):
    ok = value <= bar
    print(f"{name:<58} {value:9.1f} {unit:<4} bar {bar:g} {unit}  {'ok' if ok else 'MISSED'}")
    return ok

# SPDX-License-Identifier: Apache-2.0
"""The control plane as a program: its document, and what it does when something is away or wrong."""
import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
import time

import jsonschema
import openapi_spec_validator
import pytest

from support.citizenk import status_of
from support.paths import bin_dir
from support.ports import find_free
from support.procs import wait_until
from support.servers import Stack, unique_name

TOKEN = "czk-test-0123456789abcdef"


class Plain:
    """A control plane of the test's own, with arguments of the test's own."""

    def __init__(self, folder, *args, wait=True):
        self.port = find_free(1)[0]
        self.log = folder / f"plain-{self.port}.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [str(bin_dir() / "citizenk-controlplane"), "--listen", f"127.0.0.1:{self.port}", *args],
                stdout=log, stderr=log, env={**os.environ, "CITIZENK_CONFIG": ""})
        if wait:
            wait_until(lambda: status_of(f"{self.url}/livez") == 200, 20, "no answer from /livez")

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def text(self):
        return self.log.read_text(errors="replace")

    def end(self, number=signal.SIGTERM, timeout=20):
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout)


@pytest.fixture
def plain(tmp_path):
    made = []

    def make(*args, wait=True):
        made.append(Plain(tmp_path, *args, wait=wait))
        return made[-1]

    yield make
    for one in made:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


@pytest.fixture
def token_file(tmp_path):
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    path.chmod(0o600)
    return str(path)


def away(token_file):
    """Arguments with a database and a broker that nobody listens for."""
    pg, kafka = find_free(2)
    return ["--postgres", f"host=127.0.0.1 port={pg} user=x dbname=x", "--bootstrap-servers",
            f"127.0.0.1:{kafka}", "--group-id", "away", "--admin-token-file", token_file]


# ---- the document ------------------------------------------------------------------------------

def _deref(schema, components):
    """OpenAPI's references into ones that jsonschema finds."""
    return {**schema, "components": components}


def _get_json(client, path):
    answer = client.call("GET", path)
    return answer.status, answer.json


@pytest.fixture(scope="module")
def stack(_started_servers, run_folder):
    """A control plane without workers is enough here."""
    _started_servers.ensure()
    name = unique_name("rest")
    made = Stack(_started_servers, name, run_folder / name)
    try:
        made.start(workers=0)
        made.create_clusters()
        yield made
    finally:
        made.stop()


def test_document_is_valid_and_answers_match_it(stack, topics):
    client = stack.rest
    document = client.get("/api/v1/openapi.json")
    openapi_spec_validator.validate(document)
    topic = topics("doc")
    mapping = stack_mapping(topic)
    client.put("/api/v1/teams/default/mappings/doc", mapping)
    client.post("/api/v1/teams/default/mappings/doc/pause", {"reason": "busy"})
    client.put("/api/v1/teams/default/value-maps/v", {"spec": {"key": {"1": "2"}}})
    client.put("/api/v1/teams/default/templates/t", {"spec": {"variables": {"A": {}}, "mappings": [
        {"name": "copy of {{A}}", "spec": stack_mapping("{{A}}")["spec"]}]}})
    client.put("/api/v1/teams/default/instances/i", {"spec": {"template": "t", "vars": {"A": topics("other")}}})
    client.put(f"/value-mappings/{topic}", {"key": {"1": "2"}})
    client.post("/api/v1/teams/default/sets/s/apply", {"commit": "c1", "objects": [
        {"kind": "value_map", "name": "of a set", "spec": {"key": {"1": "2"}}}]})
    service = client.post("/api/v1/principals", {"kind": "service", "name": "doc"}).json["id"]
    client.post("/api/v1/tokens", {"name": "doc", "principal": service, "scopes": ["read"],
                                   "expires_in_days": 1})
    fill = {"id": service, "team": "default", "seq": "1", "generation": "1", "other": "1", "topic": topic}
    client.put("/api/v1/teams/default/bindings/b", {"spec": {"principal": "p", "role": "viewer"}})
    client.put("/api/v1/teams/default/grants/g", {"spec": {
        "cluster": "source", "resource_type": "topic", "pattern_type": "literal", "pattern": topic, "modes": ["read"]}})
    names = {"bindings": "b", "grants": "g", "clusters": "source", "mappings": "doc", "templates": "t", "instances": "i",
             "value-maps": "v", "sets": "s"}
    checked = 0
    for path, methods in document["paths"].items():
        if "get" not in methods or path == "/api/v1/openapi.json":
            continue
        if path.endswith("/dead-letters"):      # of a mapping that writes some; see test_dead_letters.py
            continue
        if "application/json" not in methods["get"]["responses"].get("200", {"content": ()})["content"]:
            continue
        kind = re.search(r"\{team\}/([a-z-]+)", path)
        values = {**fill, "name": names.get(kind.group(1) if kind else "", "doc")}
        target = re.sub(r"\{(\w+)\}", lambda m, v=values: v[m.group(1)], path)
        if path.endswith("/dead-letters"): # this mapping has none, which is a conflict
            continue
        if path == "/consume":
            target += f"?topic={topic}"
        if path == "/api/v1/access":
            target += "?verb=mapping.write&team=default"
        status, body = _get_json(client, target)
        assert status == 200, (target, body)
        schema = methods["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        jsonschema.Draft202012Validator(_deref(schema, document["components"])).validate(body)
        checked += 1
    assert checked > 30
    status, problem = _get_json(client, "/api/v1/teams/default/mappings/none")
    assert status == 404
    ref = {"$ref": "#/components/schemas/Problem"}
    jsonschema.Draft202012Validator(_deref(ref, document["components"])).validate(problem)


def stack_mapping(topic):
    return {"spec": {"enabled": False, "source": {"cluster": "source", "topic": topic},
                     "target": {"cluster": "target", "topic": topic}}}


def test_metrics_are_prometheus_text(stack):
    answer = stack.rest.call("GET", "/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    families, seen = {}, set()
    for line in answer.text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert name not in families, f"{name} twice"
            families[name] = kind
        elif not line.startswith("#"):
            name = re.match(r"[a-zA-Z_:][a-zA-Z0-9_:]*", line).group(0)
            base = re.sub(r"_(bucket|sum|count)$", "", name)
            assert name in families or families.get(base) == "histogram", line
            assert re.fullmatch(r"[a-zA-Z_:][\w:]*(\{.*\})? [-+.\deEInfNa]+", line), line
            assert line.rsplit(" ", 1)[0] not in seen, line
            seen.add(line.rsplit(" ", 1)[0])
    assert families["citizenk_http_requests_total"] == "counter"
    assert stack.rest.call("GET", "/metrics", headers={"Authorization": "Bearer x"}).status == 401


# ---- away, wrong, stopping ---------------------------------------------------------------------

def test_serves_while_database_and_broker_are_away(plain, token_file):
    one = plain(*away(token_file))
    assert status_of(f"{one.url}/readyz", timeout=10) == 503
    connection = http.client.HTTPConnection("127.0.0.1", one.port, timeout=20)
    began = time.monotonic()
    connection.request("GET", "/api/v1/teams", headers={"Authorization": f"Bearer {TOKEN}"})
    answer = connection.getresponse()
    problem = json.loads(answer.read())
    assert answer.status == 503 and answer.headers["Retry-After"]
    assert time.monotonic() - began < 8
    assert "127.0.0.1" not in problem["detail"]     # what is inside stays inside
    assert one.end() == 0


@pytest.mark.parametrize("args, code, text", [
    ([], 64, "postgres"),
    (["--postgres", "host=x"], 64, "--bootstrap-servers"),
    (["--nonsense", "1"], 64, "--nonsense"),
    (["--postgres", "no conninfo", "--bootstrap-servers", "x:1", "--admin-token-file", "{token}"], 1, "malformed"),
    (["--postgres", "host=/nowhere", "--bootstrap-servers", "x:1", "--admin-token-file", "/no/such"], 1, "/no/such"),
    (["--postgres", "host=/nowhere", "--bootstrap-servers", "x:1", "--admin-token-file", "{short}"], 1, "16 char"),
    (["--postgres", "host=/nowhere", "--bootstrap-servers", "x:1", "--admin-token-file", "{token}",
      "--tls-cert", "/no/such"], 1, "TLS"),
])
def test_what_is_wrong_for_good_ends_it(plain, token_file, tmp_path, args, code, text):
    short = tmp_path / "short"
    short.write_text("secret")
    args = [arg.format(token=token_file, short=short) for arg in args]
    one = plain(*args, wait=False)
    assert one.process.wait(20) == code
    assert text in one.text()


def test_port_in_use_is_named(plain, token_file):
    first = plain(*away(token_file))
    second = plain(*away(token_file), "--listen", f"127.0.0.1:{first.port}", wait=False)
    assert second.process.wait(20) == 1
    assert f"127.0.0.1:{first.port}" in second.text()


def test_migrate_only(servers, tmp_path):
    database = f"migrate_{os.getpid()}"
    servers.postgres.create_database(database)
    args = [str(bin_dir() / "citizenk-controlplane"), "--migrate-only", "--postgres",
            servers.postgres.conninfo(database=database), "--postgres-admin",
            servers.postgres.conninfo("citizenk_owner", database)]
    for _ in range(2):
        done = subprocess.run(args, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
    denied = servers.postgres.psql(
        "SELECT has_table_privilege('citizenk','change','DELETE')", database=database)
    assert "f" in str(denied)


def test_sigterm_ends_long_polls_and_second_signal_ends_it_at_once(make_stack):
    stack = make_stack(workers=0, clusters=False)
    program = stack.controlplanes[0]
    client, got = stack.rest, []
    seq = client.get("/api/v1/changes")["seq"]
    poll = threading.Thread(target=lambda: got.append(
        client.call("GET", f"/api/v1/changes?after={seq}&wait=30")))
    poll.start()
    time.sleep(0.5)
    began = time.monotonic()
    assert program.stop()
    poll.join(10)
    assert got and got[0].status == 200
    assert time.monotonic() - began < 8


def test_drain_shows_not_ready_first_and_second_signal_ends_it(plain, token_file):
    one = plain(*away(token_file), "--drain-ms", "30000")
    one.process.send_signal(signal.SIGTERM)
    wait_until(lambda: "stopping" in one.text(), 10, "did not begin to stop")
    assert status_of(f"{one.url}/livez") == 200
    assert status_of(f"{one.url}/readyz", timeout=10) == 503
    assert one.end() == 130


@pytest.mark.filterwarnings("ignore::DeprecationWarning")     # of the old TLS that is refused
def test_tls(plain, token_file, tmp_path):
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    one = plain(*away(token_file), "--tls-cert", str(cert), "--tls-key", str(key), wait=False)
    context = ssl.create_default_context(cafile=str(cert))

    def get():
        connection = http.client.HTTPSConnection("127.0.0.1", one.port, timeout=5, context=context)
        try:
            connection.request("GET", "/livez")
            return connection.getresponse()
        except OSError:
            return None

    wait_until(get, 20, "no TLS")
    answer = get()
    assert answer.status == 200
    assert answer.headers["Strict-Transport-Security"]
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("127.0.0.1", one.port), timeout=5) as raw, pytest.raises((ssl.SSLError, OSError)):
        old.wrap_socket(raw)
    assert one.end() == 0

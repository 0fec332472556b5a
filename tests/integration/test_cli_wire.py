# SPDX-License-Identifier: Apache-2.0
"""The CLI against servers that misbehave: what is tried again and what never is, what a token is
sent to, certificates, answers that are none."""
import http.server
import json
import os
import ssl
import subprocess
import threading

import pytest

from support.paths import bin_dir
from support.ports import find_free

OK, ERROR, CONFLICT, INVALID = 0, 1, 3, 5
DOCUMENT = json.dumps({"api": "citizenk/v1", "kind": "mapping", "name": "x", "spec": {"enabled": True}})


class Fake(http.server.ThreadingHTTPServer):
    """Answers by `answers[method]`: (status, headers, body), or None to hang up without a word."""

    def __init__(self, answers, tls=None):
        super().__init__(("127.0.0.1", find_free(1)[0]), Handler)
        self.answers, self.seen = answers, []
        self.scheme = "https" if tls else "http"
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.socket = context.wrap_socket(self.socket, server_side=True)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        pass                # a client that does not like our certificate


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append((self.command, self.path, dict(self.headers), body))
        answer = self.server.answers.get(self.command, (404, {}, "{}"))
        if callable(answer):
            answer = answer(self.path)
        if answer is None:
            self.close_connection = True
            return
        status, headers, text = answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    do_GET = do_PUT = do_POST = do_DELETE = answer

    def log_message(self, *args):
        pass


@pytest.fixture
def fake():
    made = []

    def make(tls=None, **answers):
        made.append(Fake(answers, tls))
        return made[-1]

    yield make
    for one in made:
        one.shutdown()
        one.server_close()


def run(*args, servers, want, stdin=DOCUMENT, env=None):
    options = [part for server in servers for part in ("--server", server.url)]
    clean = {key: value for key, value in os.environ.items() if not key.startswith("CITIZENK_")}
    done = subprocess.run([str(bin_dir() / "citizenk"), *args, *options], input=stdin, text=True,
                          capture_output=True, timeout=60,
                          env={**clean, "HOME": "/nonexistent", "CITIZENK_TOKEN": "t0ken", **(env or {})})
    assert done.returncode == want, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


LIST = (200, {}, '{"items":[],"next":null,"seq":"1"}')
BROKEN = (503, {}, '{"title":"Unavailable","detail":"the database is away"}')


def test_reads_go_on_to_the_next_server(fake):
    away, good = fake(GET=BROKEN), fake(GET=LIST)
    run("get", "clusters", servers=[away, good], want=OK)
    assert len(away.seen) == 1 and len(good.seen) == 1
    silent = fake(GET=None)
    run("get", "clusters", servers=[silent, good], want=OK)
    said = run("get", "clusters", servers=[away, fake(GET=BROKEN)], want=ERROR).stderr
    assert "the database is away" in said


@pytest.mark.parametrize("answer", [BROKEN, None])
def test_a_write_that_may_have_arrived_is_not_sent_again(fake, answer):
    found = (200, {"ETag": '"7"'}, '{"version":"7"}')
    one, two = fake(GET=found, POST=answer), fake(GET=found, POST=(200, {}, "{}"))
    run("pause", "x", servers=[one, two], want=ERROR)
    assert [seen[0] for seen in one.seen] == ["POST"] and two.seen == []


def test_a_write_that_could_not_be_sent_goes_to_the_next(fake):
    gone = fake()
    gone.shutdown()
    gone.server_close()
    good = fake(POST=(200, {}, "{}"))
    run("pause", "x", servers=[gone, good], want=OK)
    method, path, headers, body = good.seen[0]
    assert (method, path, body) == ("POST", "/api/v1/teams/default/mappings/x/pause", b"{}")
    assert headers["Authorization"] == "Bearer t0ken" and headers["X-CitizenK-Client"] == "cli"


def test_a_change_in_between_is_a_conflict(fake):
    def put(path):
        if "dry_run=true" in path:
            return 200, {}, '{"unchanged":false}'
        return 412, {}, '{"title":"Stale","detail":"changed by alice at 2026-11-22T18:00:00Z (version 8)"}'

    server = fake(GET=(200, {"ETag": '"7"'}, "{}"), PUT=put)
    done = run("apply", "-f", "-", servers=[server], want=CONFLICT)
    assert "mapping/x: changed by alice at 2026-11-22T18:00:00Z" in done.stderr and done.stdout == ""
    assert [seen[0] for seen in server.seen] == ["GET", "PUT", "PUT"]
    assert all(seen[2]["If-Match"] == '"7"' for seen in server.seen[1:])
    assert json.loads(server.seen[2][3]) == {"spec": {"enabled": True}}


def test_a_new_object_is_only_created(fake):
    server = fake(PUT=(409, {}, '{"detail":"the name is taken"}'))
    run("apply", "-f", "-", servers=[server], want=CONFLICT)
    assert server.seen[1][2]["If-None-Match"] == "*" and "If-Match" not in server.seen[1][2]


def test_a_token_does_not_follow_a_redirect(fake):
    other = fake(GET=LIST)
    server = fake(GET=(302, {"Location": other.url + "/api/v1/teams"}, ""))
    run("get", "teams", servers=[server], want=ERROR)
    assert other.seen == []


def test_answers_that_are_none(fake):
    html = fake(GET=(200, {"Content-Type": "text/html"}, "<html>hello</html>"))
    assert "is not JSON" in run("get", "teams", servers=[html], want=ERROR).stderr
    failing = fake(GET=(500, {"X-Request-Id": "abc12345"}, '{"detail":"internal error\\u001b[2J"}'))
    said = run("get", "teams", servers=[failing], want=ERROR).stderr
    assert "request id abc12345" in said and "\x1b" not in said
    endless = fake(GET=lambda path: (200, {}, '{"items":[{"name":"x"}],"next":"same","seq":"1"}'))
    assert "again" in run("get", "clusters", servers=[endless], want=ERROR).stderr


def test_bad_requests_are_invalid_input(fake):
    server = fake(GET=(400, {}, '{"detail":"query parameter label must be key=value"}'))
    run("get", "clusters", "-l", "x", servers=[server], want=INVALID)


def test_certificates_are_verified(fake, tmp_path):
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert,
                    "-days", "2", "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"],
                   check=True, capture_output=True)
    server = fake(tls=(cert, key), GET=LIST)
    run("get", "clusters", servers=[server], want=ERROR)
    assert server.seen == []
    config = tmp_path / "cli.json"
    config.write_text(json.dumps({"current": "a", "contexts": {"a": {"servers": [server.url], "ca_file": str(cert)}}}))
    run("get", "clusters", servers=[], want=OK, env={"CITIZENK_CLI_CONFIG": str(config)})
    assert len(server.seen) == 1

# SPDX-License-Identifier: Apache-2.0
"""Our own programs as processes, and a small client of their REST API (standard library only)."""
import dataclasses
import http.client
import json
import os
import secrets
import urllib.error
import urllib.parse
import urllib.request

from .paths import bin_dir
from .procs import Process, ProcessError, wait_until


def write_token(path):
    """Makes the bootstrap admin token (mode 0600) if there is none; returns it."""
    if not os.path.exists(path):
        half = f"{path}.tmp"
        with open(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w",
                  encoding="ascii") as out:
            out.write(secrets.token_urlsafe(32) + "\n")
        os.replace(half, path)
    with open(path, encoding="ascii") as token:
        return token.read().strip()


class _Program:
    """What a control plane and a worker have in common: a process and a health endpoint."""

    def __init__(self, name, argv, port, log, **process_args):
        self.port = port
        self.process = Process(name, argv, log, **process_args)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self, wait=True):
        path = self.process.argv[0]
        if not os.access(path, os.X_OK):
            raise ProcessError(
                f"{path} is not built (cmake --preset release && ninja -C build/release)")
        self.process.start()
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, timeout=60):
        wait_until(lambda: status_of(f"{self.url}/readyz") == 200, timeout,
                   f"{self.process.name} at {self.url}/readyz", interval=0.15,
                   process=self.process)

    def alive(self):
        return self.process.alive()

    def stop(self, timeout=20):
        return self.process.stop(timeout)

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


class ControlPlane(_Program):
    def __init__(self, *, name, postgres, bootstrap, group_id, port, token_file, log,
                 postgres_admin=None, extra=(), **process_args):
        argv = [bin_dir() / "citizenk-controlplane",
                "--postgres", postgres, "--bootstrap-servers", bootstrap, "--group-id", group_id,
                "--listen", f"127.0.0.1:{port}", "--admin-token-file", token_file,
                "--instance", name]
        if postgres_admin:
            argv += ["--postgres-admin", postgres_admin]
        super().__init__(name, [*argv, *extra], port, log, **process_args)


class Worker(_Program):
    def __init__(self, *, name, bootstrap, group_id, port, log, extra=(), **process_args):
        argv = [bin_dir() / "citizenk-worker",
                "--bootstrap-servers", bootstrap, "--group-id", group_id, "--worker-id", name,
                "--listen", f"127.0.0.1:{port}"]
        super().__init__(name, [*argv, *extra], port, log, **process_args)


def status_of(url, timeout=2):
    """HTTP status of a GET, or 0 when nothing answers."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except (OSError, http.client.HTTPException):
        return 0


@dataclasses.dataclass
class Answer:
    status: int
    headers: dict       # names in lower case
    text: str

    @property
    def json(self):
        return json.loads(self.text)

    @property
    def etag(self):
        return self.headers.get("etag")


class RestError(RuntimeError):
    def __init__(self, what, answer):
        super().__init__(f"{what}: {answer.status} {answer.text.strip()}")
        self.answer = answer


def api_path(*parts):
    """/api/v1/<parts>, each part percent-encoded: names hold blanks and any UTF-8."""
    return "/api/v1/" + "/".join(urllib.parse.quote(str(part), safe="") for part in parts)


class RestClient:
    """Bearer-token client.  call() returns any answer; get() and the others fail on status >= 400."""

    def __init__(self, url, token, timeout=30):
        self.url = url.rstrip("/")
        self.token = token
        self.timeout = timeout

    def call(self, method, path, body=None, headers=None):
        data = None
        send = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            send["Content-Type"] = "application/json"
        send.update(headers or {})
        request = urllib.request.Request(self.url + path, data=data, method=method, headers=send)
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as answer:
                return _answer(answer)
        except urllib.error.HTTPError as error:
            return _answer(error)

    def _must(self, method, path, body=None, headers=None):
        answer = self.call(method, path, body, headers)
        if answer.status >= 400:
            raise RestError(f"{method} {path}", answer)
        return answer

    def get(self, path):
        return self._must("GET", path).json

    def put(self, path, body, headers=None):
        return self._must("PUT", path, body, headers)

    def post(self, path, body=None, headers=None):
        return self._must("POST", path, body, headers)

    def delete(self, path, headers=None):
        return self._must("DELETE", path, None, headers)

    def put_cluster(self, name, bootstrap, team="default"):
        """Creates the cluster, or changes it to @bootstrap."""
        path = api_path("teams", team, "clusters", name)
        return self.save(path, {"spec": {"bootstrap_servers": bootstrap}})

    def put_mapping(self, name, spec, *, team="default", **fields):
        """Creates or changes a mapping; @fields: group, labels, description."""
        return self.save(api_path("teams", team, "mappings", name), {**fields, "spec": spec})

    def save(self, path, body):
        """PUT as a create, or with the present ETag as an update."""
        now = self.call("GET", path)
        if now.status == 404:
            return self.put(path, body, {"If-None-Match": "*"})
        if now.status >= 400:
            raise RestError(f"GET {path}", now)
        return self.put(path, body, {"If-Match": now.etag})


def _answer(raw):
    headers = {name.lower(): value for name, value in raw.headers.items()}
    return Answer(raw.status, headers, raw.read().decode(errors="replace"))

# SPDX-License-Identifier: Apache-2.0
"""Schema registries for the tests: a real one (Apicurio, Confluent's API), and one of our own that fails
on request and counts what it is asked."""
import base64
import hashlib
import http.server
import json
import pathlib
import re
import shutil
import ssl
import threading
import time
import urllib.error
import urllib.request
import uuid

from czdeploy.paths import apicurio_home
from czdeploy.procs import Process, ProcessError, wait_until

from .ports import find_free

TYPE = "application/vnd.schemaregistry.v1+json"


class Client:
    """Confluent's API, as far as the tests need it."""

    def __init__(self, url):
        self.url = url

    def call(self, method, path, body=None):
        request = urllib.request.Request(
            self.url + path, method=method, headers={"Content-Type": TYPE},
            data=None if body is None else json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def register(self, subject, schema, references=(), kind="AVRO"):
        """The id of @schema (text, or an object) in @subject."""
        text = schema if isinstance(schema, str) else json.dumps(schema)
        return self.call("POST", f"/subjects/{subject}/versions",
                         {"schema": text, "schemaType": kind, "references": list(references)})["id"]

    def subjects(self):
        return sorted(self.call("GET", "/subjects"))

    def versions(self, subject):
        """The schemas of @subject, oldest first."""
        return [self.call("GET", f"/subjects/{subject}/versions/{version}")
                for version in self.call("GET", f"/subjects/{subject}/versions")]


class Apicurio(Client):
    """A real registry that forgets all when it ends."""

    def __init__(self, folder, name):
        self.port = find_free(1)[0]
        super().__init__(f"http://127.0.0.1:{self.port}/apis/ccompat/v7")
        jars = list(apicurio_home().glob("*-runner.jar"))
        if not jars:
            raise ProcessError(f"no schema registry in {apicurio_home()}: run deploy/deps")
        self.process = Process(
            name, [shutil.which("java") or "java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                   "-Dquarkus.http.host=127.0.0.1", f"-Dquarkus.http.port={self.port}", "-jar", jars[0]],
            pathlib.Path(folder) / f"{name}.log", cwd=folder, die_with_parent=True)

    def start(self):
        self.process.start()
        return self

    def wait_ready(self):
        def ready():
            try:
                return self.subjects() is not None
            except (OSError, ValueError):
                return False
        wait_until(ready, 120, f"the registry at {self.url}", process=self.process)
        return self

    def kill9(self):
        self.process.kill9()

    def stop(self):
        self.process.stop()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.do_GET()

    def do_GET(self):
        sent = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "null")
        status, body = self.server.fake.answer(self.path, self.headers, sent)
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", TYPE)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


class Fake:
    """Schemas by id and by GUID; new ones are registered from `next_id` on, with a GUID of their content.
    `broken`: (status, body) that every request gets instead; `delay`: seconds that each takes.
    `asked`: (status, path) of every request."""

    def __init__(self, port=None, auth=None, tls=None):
        self.port = port or find_free(1)[0]
        self.schemas, self.guids, self.asked = {}, {}, []
        self.next_id = 1000
        self.auth, self.tls, self.broken, self._server = auth, tls, None, None
        self.delay = 0
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    @staticmethod
    def guid_of(schema):
        return str(uuid.UUID(bytes=hashlib.md5(schema.encode()).digest()))

    def _register(self, schema):
        known = next((key for key, text in self.schemas.items() if text == schema), None)
        if known is None:
            known, self.next_id = self.next_id, self.next_id + 1
        guid = self.guid_of(schema)
        self.schemas[known] = self.guids[guid] = schema
        return 200, {"id": known, "guid": guid, "version": 1}

    def answer(self, path, headers, sent=None):
        time.sleep(self.delay)
        status, body = self._answer(path, headers, sent)
        self.asked.append((status, path))
        return status, body

    def _answer(self, path, headers, sent):
        if self.broken:
            return self.broken
        if self.auth and headers.get("Authorization") != "Basic " + base64.b64encode(self.auth.encode()).decode():
            return 401, {"error_code": 401, "message": "who are you?"}
        if sent and re.fullmatch(r"/subjects/[^/]+/versions", path):
            return self._register(sent["schema"])
        by_id = re.fullmatch(r"/schemas/ids/(\d+)", path)
        by_guid = re.fullmatch(r"/schemas/guids/([0-9a-f-]{36})", path)
        schema = self.schemas.get(int(by_id[1])) if by_id else self.guids.get(by_guid[1]) if by_guid else None
        if schema is None:
            return 404, {"error_code": 40403, "message": "Schema not found"}
        return 200, {"schema": schema if isinstance(schema, str) else json.dumps(schema)}

    def start(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), _Handler)
        server.fake = self
        server.daemon_threads = True
        if self.tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.tls)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        self._server = server
        return self

    def stop(self):
        if self._server:
            self._server.shutdown()
            self._server.server_close()
        self._server = None

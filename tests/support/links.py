# SPDX-License-Identifier: Apache-2.0
"""Network connections to the brokers that can be cut, delayed and reset: toxiproxy in front of the LINK
listener of each (servers.py).  Only clients of the clusters `source-link` and `target-link` go this way."""
import json
import urllib.request

from czdeploy.paths import toxiproxy
from czdeploy.procs import Process, wait_until

from .ports import find_free


class Link:
    def __init__(self, links, name, listens, advertised):
        self.links, self.name = links, name
        self.bootstrap = f"127.0.0.1:{advertised}"
        links.call("/proxies", {"name": name, "listen": self.bootstrap, "upstream": f"127.0.0.1:{listens}"})

    def down(self):
        """Cuts every connection and refuses new ones."""
        self.links.call(f"/proxies/{self.name}", {"enabled": False})

    def up(self):
        self.links.call(f"/proxies/{self.name}", {"enabled": True})

    def reset(self):
        """Cuts every connection; new ones are taken."""
        self.down()
        self.up()

    def slow(self, milliseconds, jitter):
        """Both ways each half of it."""
        for stream in ("upstream", "downstream"):
            self.links.call(f"/proxies/{self.name}/toxics", {
                "name": f"slow-{stream}", "type": "latency", "stream": stream,
                "attributes": {"latency": milliseconds // 2, "jitter": jitter // 2}})


class Links:
    def __init__(self, servers):
        port, = find_free(1)
        self.url = f"http://127.0.0.1:{port}"
        self.process = Process("toxiproxy", [toxiproxy(), "-port", port], servers.folder / "toxiproxy.log",
                               die_with_parent=True)
        self.process.start()
        wait_until(self._answers, 20, "toxiproxy", process=self.process)
        self.source, self.target = (Link(self, name, *servers.links[name]) for name in ("source", "target"))

    def _answers(self):
        try:
            return self.call("/version")
        except OSError:
            return False

    def call(self, path, body=None):
        request = urllib.request.Request(self.url + path, json.dumps(body).encode() if body is not None else None)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read()

    def heal(self):
        """All connections as they should be."""
        self.call("/reset", {})

    def stop(self):
        self.process.stop()

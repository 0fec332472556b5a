# SPDX-License-Identifier: Apache-2.0
"""Where things lie: the repository, the dependency cache of deploy/deps, the built programs."""
import os
import pathlib

REPO = pathlib.Path(__file__).resolve().parents[3]
KAFKA_VERSION = "3.9.1"     # as in deploy/kafka/pom.xml and deploy/deps
APICURIO_VERSION = "2.6.13.Final"   # as in deploy/deps
TOXIPROXY_VERSION = "2.12.0"    # as in deploy/deps


def deps_root():
    if "CITIZENK_DEPS" in os.environ:
        return pathlib.Path(os.environ["CITIZENK_DEPS"])
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return pathlib.Path(cache) / "citizenk" / "deps"


def kafka_libs():
    return deps_root() / f"kafka-{KAFKA_VERSION}" / "libs"


def apicurio_home():
    return deps_root() / f"apicurio-registry-{APICURIO_VERSION}"


def toxiproxy():
    return deps_root() / f"toxiproxy-{TOXIPROXY_VERSION}" / "toxiproxy-server"


def bin_dir():
    """The folder of our programs; CITIZENK_BIN points the tests at another build."""
    return pathlib.Path(os.environ.get("CITIZENK_BIN", REPO / "build" / "release" / "bin"))

# SPDX-License-Identifier: Apache-2.0
"""with_postgres.py COMMAND…: runs COMMAND beside a throw-away PostgreSQL.

CITIZENK_TEST_POSTGRES holds the conninfo of its superuser: what the unit tests of storage/postgres
want.  Standard library only."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "deploy" / "lib"))

from czdeploy.ports import find_free        # noqa: E402
from czdeploy.postgres import Postgres      # noqa: E402


def main(command):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="cz-unit-"))
    folder.chmod(0o711)
    server = Postgres(folder, find_free(1)[0], die_with_parent=True,
                      settings={"fsync": "off", "max_connections": 200})
    try:
        server.start()
        env = {**os.environ, "CITIZENK_TEST_POSTGRES": server.conninfo("postgres", "postgres")}
        return subprocess.run(command, env=env, check=False).returncode
    finally:
        server.stop()
        server.remove()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

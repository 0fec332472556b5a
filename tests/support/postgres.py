# SPDX-License-Identifier: Apache-2.0
"""See czdeploy.postgres."""
from czdeploy.postgres import Postgres  # noqa: F401

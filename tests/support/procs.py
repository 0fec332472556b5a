# SPDX-License-Identifier: Apache-2.0
"""See czdeploy.procs."""
from czdeploy.procs import Process, ProcessError, start_time, wait_until  # noqa: F401

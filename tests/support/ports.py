# SPDX-License-Identifier: Apache-2.0
"""See czdeploy.ports."""
from czdeploy.ports import find_free, is_free  # noqa: F401

# SPDX-License-Identifier: Apache-2.0
"""See czdeploy.paths."""
from czdeploy.paths import REPO, bin_dir, deps_root  # noqa: F401

# SPDX-License-Identifier: Apache-2.0
"""Support of the Python tests.  Processes come from deploy/lib/czdeploy, which quickstart uses too."""
import pathlib
import sys

_LIB = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "lib"
if str(_LIB) not in sys.path:
    sys.path.insert(0, str(_LIB))

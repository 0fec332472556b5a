# SPDX-License-Identifier: Apache-2.0
"""See czdeploy.kafka."""
from czdeploy.kafka import KafkaBroker  # noqa: F401

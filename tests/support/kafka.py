# SPDX-License-Identifier: Apache-2.0
"""See czdeploy.kafka."""
from czdeploy.kafka import KafkaBroker, new_cluster_id  # noqa: F401

# SPDX-License-Identifier: Apache-2.0
"""See czdeploy.citizenk."""
from czdeploy.citizenk import ControlPlane, RestClient, RestError, Worker, api_path, status_of, write_token  # noqa: F401

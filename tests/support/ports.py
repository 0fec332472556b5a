# SPDX-License-Identifier: Apache-2.0
"""See czdeploy.ports."""
import os

from czdeploy.ports import DEFAULT_RANGE, find_free, is_free  # noqa: F401


def take_share(number, count):
    """From now on find_free() gives this process, and those that it starts, only ports that no other of
    @count processes gets: a port that is free now may be somebody's in a moment."""
    first, last = (int(part) for part in os.environ.get("CITIZENK_PORT_RANGE", DEFAULT_RANGE).split("-"))
    share = (last - first + 1) // count
    begin = first + number % count * share      # a process that replaces a crashed one has a higher number
    os.environ["CITIZENK_PORT_RANGE"] = f"{begin}-{begin + share - 1}"

# SPDX-License-Identifier: Apache-2.0
"""Loopback ports: is one free, and which are."""
import os
import random
import socket

DEFAULT_RANGE = "20000-31999"   # below the kernel's range for outgoing connections


def is_free(port, host="127.0.0.1"):
    with socket.socket() as sock:
        # As servers do it: a connection in TIME_WAIT does not make a port taken.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, port))
        except OSError:
            return False
    return True


def find_free(count):
    """@count different free ports from CITIZENK_PORT_RANGE (first-last)."""
    first, last = (int(part) for part in
                   os.environ.get("CITIZENK_PORT_RANGE", DEFAULT_RANGE).split("-"))
    candidates = list(range(first, last + 1))
    random.shuffle(candidates)
    found = []
    for port in candidates:
        if is_free(port):
            found.append(port)
            if len(found) == count:
                return found
    raise RuntimeError(f"no {count} free ports between {first} and {last}")

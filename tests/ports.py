"""Ports for programs that must be told one before they listen."""

from __future__ import annotations

import random
import socket

# Below what kernels hand out by themselves (32768 on Linux, 49152 elsewhere): between finding a port free and
# listening on it, no other test's connection can be given it.
_FIRST, _LAST = 20_000, 32_000


def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens now."""
    for _ in range(100):
        port = random.randint(_FIRST, _LAST)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port
    raise OSError("no port is free")

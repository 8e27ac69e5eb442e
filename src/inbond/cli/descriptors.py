"""File descriptors: as many as the connections need, and no more connections than there can be descriptors for."""

from __future__ import annotations

import resource
from dataclasses import replace
from typing import Final

import structlog

from inbond.web.settings import ServerSettings

OF_A_CONNECTION: Final = 3  # its socket, and while a file is sent over it, that file and the socket once more
# Databases, growing files and their connections to upstreams, verifiers, logs, and connections for probes.
OWN: Final = 512
log: Final = structlog.get_logger("inbond")


def with_descriptors(server: ServerSettings) -> ServerSettings:
    """Raises the process's limit as far as is needed; the settings with as many connections as it then allows."""
    return within(server, raised(needed(server)))


def needed(server: ServerSettings) -> int:
    """How many descriptors a process with these settings may come to hold."""
    return server.limits.max_connections * OF_A_CONNECTION + OWN


def raised(number: int) -> int:
    """Raises the limit to a number, or as near as this process may go; returns what it is then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    possible = number if hard == resource.RLIM_INFINITY else min(number, hard)
    if soft == resource.RLIM_INFINITY or soft >= possible:
        return max(soft, possible)
    resource.setrlimit(resource.RLIMIT_NOFILE, (possible, hard))
    return possible


def within(server: ServerSettings, descriptors: int) -> ServerSettings:
    """The settings with as many connections as there are descriptors for; says where those are fewer than wanted."""
    wanted = server.limits.max_connections
    possible = max(1, (descriptors - OWN) // OF_A_CONNECTION)
    if wanted <= possible:
        return server
    log.warning(
        "fewer connections than configured: the process may not open as many files",
        max_connections=possible,
        configured=wanted,
        descriptors=descriptors,
        remedy=f"allow it {needed(server)} of them: LimitNOFILE in a systemd unit, else ulimit -n",
    )
    return replace(server, limits=replace(server.limits, max_connections=possible))

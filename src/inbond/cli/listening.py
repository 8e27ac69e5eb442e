"""The sockets that clients connect to, and why they cannot be had."""

from __future__ import annotations

import errno
import socket
from typing import Final

from inbond.model.errors import OperatorFault
from inbond.web.settings import ListenAddress

BACKLOG: Final = 1024  # connections that wait to be accepted


def bound(listen: ListenAddress) -> list[socket.socket]:
    """A listening socket for each address that is meant. Blocks. Raises `OperatorFault`."""
    sockets: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(listen.host, listen.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, _, _, _, address in dict.fromkeys(found):
            sockets.append(_bound(family, address))
    except OSError as error:
        for one in sockets:
            one.close()
        raise cannot_listen(listen, error) from error
    return sockets


def _bound(family: int, address: tuple[object, ...]) -> socket.socket:
    one = socket.socket(family, socket.SOCK_STREAM)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind(address)
        one.listen(BACKLOG)
    except OSError:
        one.close()
        raise
    return one


def cannot_listen(listen: ListenAddress, error: OSError) -> OperatorFault:
    """The error for an address that cannot be had."""
    reason, remedy = listening_fault(error)
    return OperatorFault(f"cannot listen on {listen}: {reason}", remedy=remedy)


def listening_fault(error: OSError) -> tuple[str, str]:
    """The reason why an address cannot be listened on, and what to do."""
    match error:
        case socket.gaierror():
            return "the name is not known", "check the spelling, or name an address with --listen ADDRESS:PORT"
        case OSError(errno=errno.EADDRINUSE):
            return "the port is in use", "stop the program that uses it, or choose another with --listen HOST:PORT"
        case OSError(errno=errno.EACCES):
            return "not permitted", "ports below 1024 need privileges: choose a higher one with --listen HOST:PORT"
        case OSError(errno=errno.EADDRNOTAVAIL | None):  # Python 3.13 gives this one no number
            return "this machine has no such address", "choose one that it has, or 0.0.0.0 for all, with --listen"
        case _:
            return error.strerror or str(error), "choose another address with --listen HOST:PORT"

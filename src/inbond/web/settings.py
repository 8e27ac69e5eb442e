"""Where inbond listens and whom it believes, parsed and frozen. What each key means stands in config/inbond.toml."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Final, Self
from urllib.parse import SplitResult, urlsplit

Network = IPv4Network | IPv6Network

# The words of the routes (README, "What it serves"). An index of that name would stand in front of one of them.
RESERVED_WORDS: Final = frozenset({
    "-", "simple", "packages", "integrity", "provenance", "why", "metrics", "verdict", "osv", "live", "ready",
})  # fmt: skip

MAX_PORT: Final = 65535
_HOSTNAME: Final = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*", re.ASCII
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenAddress:
    """Where the server listens: an address or name without brackets, and a port; port 0 takes any free one."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads `127.0.0.1:8642`, `[::1]:8642` or `localhost:8642`. Raises ValueError."""
        host, _, port = text.strip().rpartition(":")
        is_port = re.fullmatch(r"[0-9]{1,5}", port) is not None and int(port) <= MAX_PORT
        if not host or not is_port or (":" in host and not host.startswith("[")):
            raise ValueError(f"{text!r} is not an address and a port, as in '127.0.0.1:8642' or '[::1]:8642'")
        return cls(host=parse_host(host), port=int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_host(text: str) -> str:
    """A host name or address without a port, in lower case and without brackets. Raises ValueError."""
    host = text.strip().lower()
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if _HOSTNAME.fullmatch(host):
        # A name whose last part is a number is an address to every client, and must be one (WHATWG URL, host parser).
        return _address(host, text) if host.rpartition(".")[2].isdecimal() else host
    if host.count(":") == 1:
        raise ValueError(f"{text!r}: name the host alone, without a port")
    return _address(host, text)


def _address(host: str, text: str) -> str:
    try:
        return str(ip_address(host))
    except ValueError:
        raise ValueError(f"{text!r} is neither a host name nor an address") from None


def parse_network(text: str) -> Network:
    """An address or a network, `10.0.0.7` or `10.0.0.0/8`. Raises ValueError."""
    try:
        return ip_network(text.strip())
    except ValueError as error:
        raise ValueError(f"{text!r} is not an address or a network, as in '10.0.0.0/8': {error}") from None


def parse_public_url(text: str) -> str:
    """The address under which clients reach inbond, without a slash at its end. Raises ValueError."""
    try:
        parts = urlsplit(text.strip())
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and _bare(parts) and text.isprintable()
        host = parse_host(parts.hostname or "") if usable else ""
    except ValueError:
        host = ""
    if not host or " " in text.strip():
        raise ValueError(f"{text!r} is not an address such as 'https://packages.acme.example'")
    return text.strip().rstrip("/")


def _bare(parts: SplitResult) -> bool:
    # Reading `port` raises ValueError for one that is no number.
    return not (parts.query or parts.fragment or "@" in parts.netloc) and (parts.port is None or parts.port > 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """How much of a process clients may take, and how long (docs/deploy.md, "Overload")."""

    max_requests: int = 2000
    max_connections: int = 4000
    # How long a request has for an answer from what is at hand; then it counts as waiting for an upstream.
    quick_seconds: float = 0.25
    # Installers give up after 15 s without a byte, of which the answer itself may take 9.
    queue_seconds: float = 5.0
    # From a connection's beginning, or a request's first byte, to the end of the request's head.
    head_seconds: float = 15.0
    # From the head to the end of a question's body, a mebibyte at most.
    body_seconds: float = 15.0
    # For taking one piece of an answer, 256 KiB (`inbond.web.outflow.PIECE_BYTES`): 4 KiB a second.
    piece_seconds: float = 60.0
    # What was sent may remain without a sign of life so long, whatever else goes on.
    unread_seconds: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSettings:
    """The files, in PEM, of the certificate with its chain, and of its key."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """The server. `public_url` has no slash at its end; `hosts` are in lower case, without brackets and ports."""

    listen: ListenAddress
    workers: int = 1
    public_url: str | None = None
    hosts: frozenset[str] = frozenset()
    trusted_proxies: tuple[Network, ...] = ()
    tls: TlsSettings | None = None
    limits: ServerLimits = ServerLimits()

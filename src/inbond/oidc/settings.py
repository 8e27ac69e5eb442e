"""An issuer as the configuration names it, and how its keys are reached."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, field
from typing import Final

from yarl import URL

from inbond.access.statement import WorkloadRule
from inbond.upstream.credentials import masked
from inbond.upstream.hosts import address_of, is_host, plain
from inbond.upstream.proxies import DIRECT, Proxies

MAX_ISSUER_CHARS: Final = 255
_PRINTABLE: Final = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerSettings:
    """One issuer. `issuer` is compared to the letter; discovery is below it."""

    issuer: str
    tls: ssl.SSLContext | None = field(default=None, repr=False, compare=False)  # None: the system's trust store
    proxies: Proxies = DIRECT

    @property
    def discovery(self) -> URL:
        """Where it says what its keys are (OpenID Connect Discovery 1.0, section 4)."""
        return URL(self.issuer.rstrip("/") + "/.well-known/openid-configuration", encoded=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class CiSettings:
    """All `[[access.ci]]` entries, and how the issuer of each is reached, once for each issuer."""

    rules: tuple[WorkloadRule, ...] = ()
    issuers: tuple[IssuerSettings, ...] = ()


def parse_issuer(text: str) -> str:
    """An issuer (OpenID Connect Core, section 2): https, but for one on this machine. Raises ValueError."""
    try:
        url = URL(text)
        usable = is_host(url.raw_host or "") and url.raw_user is None and url.port is not None
    except ValueError:
        usable, url = False, URL()
    fits = _PRINTABLE.fullmatch(text) is not None and len(text) <= MAX_ISSUER_CHARS
    if not usable or not fits or url.query_string or url.fragment or url.scheme not in ("https", "http"):
        raise ValueError(f"{masked(text)!r} is not an OIDC issuer such as 'https://token.actions.example'")
    if url.scheme == "http" and not _is_here(url.raw_host or ""):
        raise ValueError(f"{masked(text)!r} is not encrypted: whoever is on the way could name keys of their own")
    return text


def _is_here(host: str) -> bool:
    address = address_of(host)
    return address.is_loopback if address is not None else plain(host) == "localhost"

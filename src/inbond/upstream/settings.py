"""An upstream as the configuration names it, checked and frozen."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Final

from yarl import URL

from inbond.model.errors import ConfigurationError
from inbond.upstream.credentials import authorization_in
from inbond.upstream.hosts import is_host
from inbond.upstream.proxies import DIRECT, Proxies


class Integrity(StrEnum):
    """Whether an index has the Integrity API beside it (PEP 740), where its pages claim nothing."""

    API = "api"  # asked; only its 404 means that a file has no provenance
    NONE = "none"  # not asked: what pages do not claim is absent, on the operator's word


FRESH_FOR: Final = timedelta(minutes=10)
STALE_WHILE_REVALIDATE: Final = timedelta(minutes=1)
MAX_STALE: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamSettings:
    """One upstream. Raises `ConfigurationError` for a URL that is no index URL.

    `url` is what one gives to pip. User and password in it become `authorization` and are taken out of it, so that
    the URL can be shown; they are sent to this URL's origin (scheme, host and port) and nowhere else.

    `renew` gives a new `authorization`, or None, when the one there is has been answered 401; it may block.
    """

    name: str
    url: str  # ends with "/"
    fresh_for: timedelta = FRESH_FOR
    stale_while_revalidate: timedelta = STALE_WHILE_REVALIDATE
    max_stale: timedelta = MAX_STALE
    integrity: Integrity = Integrity.API
    ahead: bool = True  # asked beforehand for what whoever asked for a page will probably ask for next
    trust: tuple[str, ...] = ()  # names of the trusted roots that may vouch for its files
    projects: tuple[str, ...] = ()  # names and patterns that belong to this upstream alone
    authorization: str | None = field(default=None, repr=False)  # an Authorization header's value
    renew: Callable[[], str | None] | None = field(default=None, repr=False, compare=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False, compare=False)  # None: the system's trust store
    proxies: Proxies = DIRECT

    def __post_init__(self) -> None:
        try:
            url = URL(self.url)
            authorization = authorization_in(url)
            usable = url.scheme in ("http", "https") and is_host(url.raw_host or "") and url.port is not None
        except ValueError:
            usable, url, authorization = False, URL(), None
        # An `@` in the path: a slash in the password made its beginning look like a port.
        if not usable or url.query_string or url.fragment or "@" in url.raw_path:
            # The text itself is not shown: it may hold a password.
            raise ConfigurationError(
                f"upstreams.{self.name}.url is not the URL of an index",
                remedy="write what pip takes as index URL, as in 'https://index.example/simple/'",
            )
        if authorization is not None:
            object.__setattr__(self, "authorization", authorization)
        path = url.raw_path.rstrip("/") + "/"
        object.__setattr__(self, "url", str(url.with_user(None).with_path(path, encoded=True)))

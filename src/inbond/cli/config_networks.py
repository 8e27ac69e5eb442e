"""How each upstream is reached: its credentials, whom its certificates are checked against, and its proxies.

It is read on the values as they add up, so that what is missing is told together with all other problems.
"""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from yarl import URL

from inbond.cli.config_credentials import authorization_from, exposed, parse_source, renewal
from inbond.cli.config_fields import AUTO, parse_proxy
from inbond.cli.config_layers import KeyPath, Layer, place_of, rows_at, tables_at
from inbond.cli.config_paths import parse_path
from inbond.cli.config_problems import Problem, dotted
from inbond.upstream.certificates import trusting
from inbond.upstream.credentials import authorization_in
from inbond.upstream.proxies import DIRECT, Proxies, Proxy

CI_SECTION: Final = ("access", "ci")  # a list of tables, each of which names an issuer


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How one upstream is reached; the fields are those of `UpstreamSettings`."""

    authorization: str | None = field(default=None, repr=False)
    renew: Callable[[], str | None] | None = field(default=None, repr=False, compare=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False, compare=False)
    proxies: Proxies = DIRECT


@dataclass(frozen=True, slots=True, kw_only=True)
class Networks:
    """The access to each upstream, what is wrong with it, and what an operator should know.

    `surroundings`: the proxies on the way to trusted roots, as the environment names them. `advisories`: the access to
    each source of advisories; `webhooks`: to each webhook; `issuers`: to that of each entry of `[[access.ci]]`.
    `held`: the sha256 of what a file or variable held that a key names, by that key.
    """

    accesses: Mapping[str, Access]
    advisories: Mapping[str, Access]
    webhooks: Mapping[str, Access]
    issuers: tuple[Access, ...]
    surroundings: Proxies
    held: Mapping[str, str]
    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]


def read_networks(values: Mapping[str, Any], layers: Sequence[Layer], environ: Mapping[str, str]) -> Networks:
    """Reads variables, files and certificate authorities. Whatever the models refuse already is passed over."""
    problems: list[Problem] = []
    warnings: list[str] = []
    held: dict[str, str] = {}

    def access(path: KeyPath, table: Mapping[str, Any]) -> Access:
        reading = _Reading(path=path, table=table, layers=layers, environ=environ)
        found = reading.access()
        problems.extend(reading.problems)
        warnings.extend(reading.warnings)
        held.update(reading.held)
        return found

    def accesses(section: str) -> Mapping[str, Access]:
        found: dict[str, Access] = {}
        for name, table in tables_at(values, section).items():
            if isinstance(table, Mapping):
                found[name] = access((section, name), table)
        return MappingProxyType(found)

    upstreams, advisories, webhooks = accesses("upstreams"), accesses("advisories"), accesses("webhooks")
    issuers = [access(path, {**entry, "url": entry.get("issuer", "")}) for path, entry in rows_at(values, *CI_SECTION)]
    to_roots: list[Problem] = []
    surroundings = _way_to_roots(tables_at(values, "trust"), environ, to_roots)
    # Inbond serves without a fresh root, so this alone is no error.
    warnings += [f"{each}; trusted roots are fetched without one" for each in to_roots if each not in problems]
    return Networks(
        accesses=upstreams,
        advisories=advisories,
        webhooks=webhooks,
        issuers=tuple(issuers),
        surroundings=surroundings,
        held=MappingProxyType(held),
        problems=tuple(problems),
        warnings=tuple(warnings),
    )


def _way_to_roots(tables: Mapping[str, Any], environ: Mapping[str, str], problems: list[Problem]) -> Proxies:
    """The proxies on the way to trusted roots; none where all of them lie on this machine."""
    fetched = [table for table in tables.values() if isinstance(table, Mapping) and table.get("root", AUTO) == AUTO]
    if not fetched:
        return DIRECT
    plain = any(str(table.get("tuf", "")).lower().startswith("http://") for table in fetched)
    return _surrounding_proxies(environ, problems, plain=plain)


def _surrounding_proxies(environ: Mapping[str, str], problems: list[Problem], *, plain: bool) -> Proxies:
    """The proxies that the environment names. `plain`: also for http; what is wrong is added to `problems`."""

    def proxy(variable: str) -> Proxy | None:
        name, text = _variable(environ, variable, "all_proxy")
        try:
            return Proxy.parse(text if "://" in text else f"http://{text}", source=name) if text else None
        except ValueError as error:
            problems.append(Problem(place=name, path=(), message=str(error)))
            return None

    return Proxies(
        http=proxy("http_proxy") if plain else None,
        https=proxy("https_proxy"),
        exempt=_variable(environ, "no_proxy")[1],
    )


@dataclass(slots=True, kw_only=True)
class _Reading:
    """One upstream's table on its way to an `Access`."""

    path: KeyPath
    table: Mapping[str, Any]
    layers: Sequence[Layer]
    environ: Mapping[str, str]
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    held: dict[str, str] = field(default_factory=dict)

    def access(self) -> Access:
        """What could be read; `problems` says what could not."""
        authorization, renew = self._credentials()
        return Access(authorization=authorization, renew=renew, tls=self._tls(), proxies=self._proxies())

    def _credentials(self) -> tuple[str | None, Callable[[], str | None] | None]:
        text = self._text("credentials")
        if not text:
            return None, None
        try:
            source = parse_source(text)
        except ValueError:
            return None, None
        if _is_signed(self._text("url") or ""):
            self._wrong("credentials", "the url holds credentials too: leave one of them out")
        try:
            authorization = authorization_from(source, self.environ)
        except ValueError as error:
            self._wrong("credentials", str(error))
            return None, None
        self._hold("credentials", authorization.encode())
        if warning := exposed(source):
            self.warnings.append(f"{dotted((*self.path, 'credentials'))}: {warning}")
        return authorization, renewal(source)

    def _tls(self) -> ssl.SSLContext | None:
        text = self._text("ca_bundle")
        if not text:
            return None
        try:
            path = parse_path(text)
        except ValueError:
            return None
        try:
            context = trusting(path)
            self._hold("ca_bundle", path.read_bytes())
        except OSError as error:
            self._wrong("ca_bundle", f"{path} cannot be read: {error.strerror or error}")
            return None
        except ValueError as error:
            self._wrong("ca_bundle", str(error))
            return None
        return context

    def _proxies(self) -> Proxies:
        text = self._text("proxy")
        if text is None:
            return DIRECT
        if not text:
            return self._surrounding_proxies()
        try:
            proxy = parse_proxy(text, source=dotted((*self.path, "proxy")))
        except ValueError:
            return DIRECT
        return Proxies(http=proxy, https=proxy)

    def _surrounding_proxies(self) -> Proxies:
        # What an https upstream leads to is https too: what HTTP_PROXY says does not matter there.
        plain = (self._text("url") or "").lower().startswith("http://")
        return _surrounding_proxies(self.environ, self.problems, plain=plain)

    def _text(self, key: str) -> str | None:
        """A key's text; "" where it is not written, None where something else is, which the models refuse."""
        found = self.table.get(key, "")
        return found if isinstance(found, str) else None

    def _hold(self, key: str, held: bytes) -> None:
        self.held[dotted((*self.path, key))] = hashlib.sha256(held).hexdigest()

    def _wrong(self, key: str, message: str) -> None:
        path = (*self.path, key)
        self.problems.append(Problem(place=place_of(path, self.layers), path=path, message=message))


def _variable(environ: Mapping[str, str], *names: str) -> tuple[str, str]:
    """The first variable that says something, and its value; two empty texts for none.

    One in small letters hides that in capitals, also where it is empty: so does Python's library, and pip with it.
    """
    spelled = (name if name in environ else name.upper() for name in names)
    return next(((name, text) for name in spelled if (text := environ.get(name, "").strip())), ("", ""))


def _is_signed(url: str) -> bool:
    try:
        return authorization_in(URL(url)) is not None
    except ValueError:
        return False

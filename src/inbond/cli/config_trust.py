"""`[trust.NAME]`: where each scope's trusted root comes from, and for whose identities it vouches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal

from inbond.cli.config_model import TrustTable
from inbond.cli.config_paths import parse_path
from inbond.model.units import parse_duration
from inbond.upstream.proxies import DIRECT, Proxies

RootKind = Literal["auto", "bundled", "imports"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeSettings:
    """A trust scope as configured.

    `root` is "auto" (by TUF), "bundled" (what sigstore ships), "imports" (what a bundle brought) or the path of a
    `trusted_root.json`. With "auto", `tuf_url` is the address of the TUF repository and `tuf_root` the root.json that
    its keys are first trusted by; both are None for the public Sigstore's, whose beginning sigstore ships. `proxies`:
    on the way there. `max_age`: from which age on the root is too old; None: never.
    """

    name: str
    root: RootKind | Path
    tuf_url: str | None = None
    tuf_root: Path | None = None
    issuers: tuple[str, ...] = ()  # empty: those of the publishers that the public index knows
    max_age: timedelta | None = None
    proxies: Proxies = field(default=DIRECT, repr=False)


def scopes_of(tables: Mapping[str, TrustTable], proxies: Proxies) -> tuple[ScopeSettings, ...]:
    """All scopes that a valid configuration defines, by name."""
    return tuple(_scope(name, tables[name], proxies) for name in sorted(tables))


def _scope(name: str, table: TrustTable, proxies: Proxies) -> ScopeSettings:
    return ScopeSettings(
        name=name,
        root=_root(table.root),
        tuf_url=table.tuf or None,
        tuf_root=parse_path(table.tuf_root) if table.tuf_root else None,
        issuers=table.issuers,
        max_age=parse_duration(table.max_age) or None,
        proxies=proxies,
    )


def _root(text: str) -> RootKind | Path:
    match text:
        case "auto" | "bundled" | "imports":
            return text
        case _:
            return parse_path(text)

"""`[webhooks.NAME]`: whom to tell what happened. Its secret stands elsewhere, in a variable or a file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from inbond.cli.config_credentials import exposed, held_at, parse_source
from inbond.cli.config_layers import Layer, place_of, tables_at
from inbond.cli.config_model import WebhookTable
from inbond.cli.config_networks import Access
from inbond.cli.config_problems import Problem, dotted
from inbond.model.occurrence import OccurrenceKind
from inbond.webhooks.settings import WebhookSettings, parse_keys

SECTION: Final = "webhooks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """The keys of each webhook, what is wrong with them, and what an operator should know.

    `held`: the sha256 of what a file or variable held that a key names, by that key.
    """

    keys: Mapping[str, tuple[bytes, ...]] = field(repr=False)
    held: Mapping[str, str]
    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]


def read_secrets(values: Mapping[str, Any], layers: Sequence[Layer], environ: Mapping[str, str]) -> Secrets:
    """Reads variables and files. Whatever the models refuse already is passed over."""
    keys: dict[str, tuple[bytes, ...]] = {}
    held: dict[str, str] = {}
    problems: list[Problem] = []
    warnings: list[str] = []
    for name, table in tables_at(values, SECTION).items():
        path = (SECTION, name, "secret")
        text = table.get("secret") if isinstance(table, Mapping) else None
        try:
            source = parse_source(text if isinstance(text, str) else "")
        except ValueError:
            continue
        try:
            text = held_at(source, environ)
            keys[name], held[dotted(path)] = parse_keys(text), hashlib.sha256(text.encode()).hexdigest()
            if warning := exposed(source):
                warnings.append(f"{dotted(path)}: {warning}")
        except ValueError as error:
            problems.append(Problem(place=place_of(path, layers), path=path, message=f"{source}: {error}"))
    return Secrets(
        keys=MappingProxyType(keys), held=MappingProxyType(held), problems=tuple(problems), warnings=tuple(warnings)
    )


def webhooks_of(
    tables: Mapping[str, WebhookTable], keys: Mapping[str, tuple[bytes, ...]], accesses: Mapping[str, Access]
) -> tuple[WebhookSettings, ...]:
    """The webhooks that a valid configuration defines."""
    return tuple(
        WebhookSettings(
            name=name,
            url=table.url,
            keys=keys[name],
            kinds=frozenset(map(OccurrenceKind, table.events)),
            tls=accesses[name].tls,
            proxies=accesses[name].proxies,
        )
        for name, table in tables.items()
    )

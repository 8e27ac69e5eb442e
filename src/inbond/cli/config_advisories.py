"""`[advisories.NAME]`: where OSV records come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from inbond.cli.config_fields import IMPORTS
from inbond.cli.config_model import AdvisoriesTable
from inbond.cli.config_networks import Access
from inbond.cli.config_paths import parse_path
from inbond.gateway.advisory_sources import AdvisorySource, FromImports
from inbond.model.units import parse_duration
from inbond.upstream.feed import FeedSettings

_OF_URLS: Final = ("credentials", "ca_bundle", "proxy")


def sources_of(tables: Mapping[str, AdvisoriesTable], accesses: Mapping[str, Access]) -> tuple[AdvisorySource, ...]:
    """All sources that a valid configuration defines, by name."""
    return tuple(_source(name, tables[name], accesses[name]) for name in sorted(tables))


def _source(name: str, table: AdvisoriesTable, access: Access) -> AdvisorySource:
    return AdvisorySource(
        name=name,
        place=_place(name, table, access),
        refresh=parse_duration(table.refresh),
        max_age=parse_duration(table.max_age) or None,
        required=table.required,
    )


def _place(name: str, table: AdvisoriesTable, access: Access) -> Path | FeedSettings | FromImports:
    if table.path:
        return parse_path(table.path)
    return FromImports() if table.url == IMPORTS else _feed(name, table.url, access)


def _feed(name: str, url: str, access: Access) -> FeedSettings:
    return FeedSettings(
        name=name,
        url=url,
        authorization=access.authorization,
        renew=access.renew,
        tls=access.tls,
        proxies=access.proxies,
    )


def loose_keys(table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is wrong between the keys of a source, by key; "" for the table itself."""
    path, url = table.get("path"), table.get("url")
    if bool(path) is bool(url):
        yield (
            "url" if url else "",
            "name one place: the path of a directory or an archive of OSV records, or the url of an archive",
        )
    elif path or url == IMPORTS:
        alone = "is used with url alone" if path else f'is not used with url = "{IMPORTS}", as nobody is asked'
        for key in _OF_URLS:
            if table.get(key):
                yield key, f"{alone}: leave it out"

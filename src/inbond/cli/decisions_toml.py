"""Decisions as a file that is reviewed in git and can be named in `decisions.files`.

Its order is that of what is decided, so that a change of one decision is a change of its lines alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final, assert_never

from inbond.cli.config_show import literal
from inbond.model.decisions import Decided, Pin, Rejection, Waiver

HEADER: Final = "# Decisions of inbond. In a configuration: [decisions] files = [...] names this file.\n"


def dumps(decisions: Iterable[Decided]) -> str:
    """The file's text, with a newline at its end; each decision once."""
    by_id = {one.id: one for one in decisions}
    tables = [_table(one) for one in sorted(by_id.values(), key=_place)]
    return "\n".join([HEADER, *tables]) if tables else HEADER


def written(moment: datetime) -> str:
    """A time as `parse_moment` reads it: `2026-12-01T18:00:00Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _place(decided: Decided) -> tuple[int, str, str, str]:
    match decided:
        case Waiver():
            return 0, str(decided.target), decided.rule, decided.id
        case Rejection():
            return 1, str(decided.target), "", decided.id
        case Pin():
            return 2, decided.project, str(decided.publisher), decided.id
        case _:
            assert_never(decided)


def _table(decided: Decided) -> str:
    name = {Waiver: "waivers", Rejection: "rejections", Pin: "pins"}[type(decided)]
    lines = [f"{key} = {literal(value)}" for key, value in _keys(decided) if value]
    return "\n".join([f"[[{name}]]", *lines, ""])


def _keys(decided: Decided) -> Iterator[tuple[str, str]]:
    match decided:
        case Waiver():
            yield "target", str(decided.target)
            yield "rule", decided.rule
            yield "index", decided.index or ""
            yield "until", written(decided.until)
        case Rejection():
            yield "target", str(decided.target)
            yield "index", decided.index or ""
        case Pin():
            yield "project", str(decided.project)
            yield "publisher", str(decided.publisher)
            yield "repository_id", decided.repository_id or ""
        case _:
            assert_never(decided)
    yield "reason", decided.reason
    yield "by", decided.by
    yield "at", written(decided.at) if decided.at is not None else ""

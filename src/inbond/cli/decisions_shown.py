"""Decisions on a screen, and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from inbond.cli.check_table import PADDING, screen
from inbond.cli.decisions_toml import dumps
from inbond.model.decisions import Decided, Pin, Rejection, Waiver
from inbond.model.text import printable
from inbond.policy.rule import stamp
from inbond.web.decision_json import decision_json

# Decisions with where each stands.
Shown = Sequence[tuple[Decided, str]]


def waivers(waivers: Sequence[tuple[Waiver, str]], form: str, *, now: datetime) -> str:
    """Waivers as text, JSON or TOML, with a newline at the end."""
    head = ("id", "target", "rule", "index", "until", "by", "reason", "stands in")
    rows = [
        (one.id, str(one.target), one.rule, one.index or "all", _until(one, now), one.by, one.reason, place)
        for one, place in waivers
    ]
    return _in_form(form, "waivers", waivers, table(head, rows), now)


def rejections(rejections: Sequence[tuple[Rejection, str]], form: str, *, now: datetime) -> str:
    """Rejections as text, JSON or TOML, with a newline at the end."""
    head = ("id", "target", "index", "at", "by", "reason", "stands in")
    rows = [
        (one.id, str(one.target), one.index or "all", _at(one), one.by, one.reason, place) for one, place in rejections
    ]
    return _in_form(form, "rejections", rejections, table(head, rows), now)


def pins(pins: Sequence[tuple[Pin, str]], form: str, *, now: datetime) -> str:
    """Pins as text, JSON or TOML, with a newline at the end."""
    head = ("id", "project", "publisher", "repository id", "at", "by", "reason", "stands in")
    rows = [
        (one.id, one.project, str(one.publisher), one.repository_id or "-", _at(one), one.by, one.reason or "-", place)
        for one, place in pins
    ]
    return _in_form(form, "pins", pins, table(head, rows), now)


def _in_form(form: str, name: str, decisions: Shown, text: str, now: datetime) -> str:
    match form:
        case "json":
            body = {name: [decision_json(one, now) | {"place": place} for one, place in decisions]}
            return json.dumps(body, indent=2) + "\n"
        case "toml":
            return dumps(one for one, _ in decisions)
        case _:
            return text or f"no {name}\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns that fold where they do not fit, with a newline at the end; empty where there are no rows."""
    grid = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for number, name in enumerate(head):
        grid.add_column(name, overflow="fold", no_wrap=number == 0)
    for row in rows:
        grid.add_row(*(escape(printable(cell)) for cell in row))
    return shown(screen(to_file=False), grid) if grid.row_count else ""


def shown(console: Console, *parts: Any) -> str:
    """What rich makes of it, without the blanks that it fills lines up with."""
    with console.capture() as captured:
        for part in parts:
            console.print(part)
    return PADDING.sub("", captured.get())


def _until(waiver: Waiver, now: datetime) -> str:
    return f"{stamp(waiver.until)}{' (expired)' if waiver.until <= now else ''}"


def _at(decided: Decided) -> str:
    return stamp(decided.at) if decided.at is not None else "-"

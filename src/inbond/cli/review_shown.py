"""The queue on a screen, and for programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from inbond.check.files import Result
from inbond.cli.check_table import PADDING, STYLES, WIDE, screen
from inbond.cli.decisions_toml import written
from inbond.model.text import counted, printable
from inbond.model.units import about
from inbond.policy.explain import ending_of
from inbond.reporting.review_meant import Queue
from inbond.reporting.review_queue import Entry


def as_text(queue: Queue, ledger: Path) -> str:
    """A table, and on a narrow screen what was found below it; with a newline at the end."""
    if not queue.entries:
        return f"{_nothing(queue, ledger)}\n"
    console = screen(to_file=False)
    wide = console.width >= WIDE
    with console.capture() as captured:
        console.print(_table(queue, wide=wide))
        for entry in () if wide else queue.entries:
            console.print(f"\n[bold]{entry.id}[/] {_cell(_found(entry))}")
        told = f"{counted(len(queue.entries), 'entry')}; inbond review accept|reject ID --reason ... decides"
        console.print(f"\n[dim]{told}[/]")
    return PADDING.sub("", captured.get())


def _nothing(queue: Queue, ledger: Path) -> str:
    if queue.recorded_since is None:
        return printable(f"nothing waits: no request is recorded in {ledger}")
    return printable(f"nothing waits, by {ledger}")


def as_json(queue: Queue, ledger: Path) -> str:
    """`{"queue": [{id, index, target, …}], "ledger": …, "recorded_since": …}`; times in RFC 3339."""
    since = written(queue.recorded_since) if queue.recorded_since is not None else None
    entries = [_object(entry) for entry in queue.entries]
    return json.dumps({"queue": entries, "ledger": str(ledger), "recorded_since": since}, indent=2)


def _object(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "index": entry.index,
        "project": str(entry.project),
        "target": str(entry.target),
        "rule": entry.rule,
        "code": entry.code,
        "outcome": str(entry.finding.outcome) if entry.finding is not None else None,
        "only_recorded": entry.only_recorded,
        "message": entry.message,
        "remedy": entry.finding.remedy if entry.finding is not None else None,
        "until": written(entry.until) if entry.until is not None else None,
        "untold": entry.untold,
        "files": [str(name) for name in entry.files],
        "people": entry.people,
        "times": entry.times,
        "first_at": written(entry.first_at),
        "last_at": written(entry.last_at),
    }


def _table(queue: Queue, *, wide: bool) -> Table:
    grid = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    several = len({entry.index for entry in queue.entries}) > 1
    columns = ["id", "release", *(["index"] if several else []), "rule", "ends", "asked for"]
    columns += ["last", "found"] if wide else []
    for name in columns:
        grid.add_column(name, overflow="fold", no_wrap=name == "id")
    for entry in queue.entries:
        cells = [entry.id, str(entry.target), *([entry.index] if several else []), entry.rule]
        cells += [_ends(entry), _asked(entry)]
        cells += [f"{about(queue.now - entry.last_at)} ago", _found(entry)] if wide else []
        style = STYLES[_result(entry)]
        grid.add_row(*(f"[{style}]{_cell(text)}[/]" if text is entry.rule else _cell(text) for text in cells))
    return grid


def _result(entry: Entry) -> Result:
    if entry.finding is None:
        return Result.UNTOLD
    if entry.only_recorded:
        return Result.WARNED
    return Result.HELD if entry.until is not None else Result.DENIED


def _ends(entry: Entry) -> str:
    if entry.finding is None:
        return "not known"
    return ending_of(entry.until) if entry.until is not None else "never"


def _asked(entry: Entry) -> str:
    by = f" by {counted(entry.people, 'address')}" if entry.people else ""
    times = "once" if entry.times == 1 else f"{entry.times:,} times"
    return f"{times}{by}"


def _found(entry: Entry) -> str:
    if entry.untold is not None:
        return f"when last asked for: {entry.message or 'not known'}; now: {entry.untold}"
    return f"{entry.message}{' (only recorded)' if entry.only_recorded else ''}"


def _cell(text: str) -> str:
    return escape(printable(text))

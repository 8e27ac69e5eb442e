"""The answer of `inbond who`, on a screen or for programs; rows are printed as they are read."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from inbond.cli.decisions_shown import table
from inbond.cli.telling import say
from inbond.model.history import AskedRow
from inbond.model.text import counted, printable
from inbond.policy.rule import stamp
from inbond.reporting import trail
from inbond.reporting.askers import ROW_FIELDS, Given, Sought, given_fields, row_fields
from inbond.reporting.fates import Fate

DIGEST_CHARS: Final = 12
_HEAD: Final = ("who", "from", "index", "file", "first", "last", "times")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is told. `rows`: to be read once; `recorded_since`: the earliest request that history holds."""

    sought: Sought
    recorded_since: datetime
    given: tuple[Given, ...]
    rows: AsyncIterator[AskedRow]


async def show(answer: Answer, form: str, limit: int) -> None:
    """Prints it. Raises `OperatorFault`, `StoreUnavailable`."""
    match form:
        case "json":
            await _show_json(answer)
        case "csv":
            await _show_csv(answer)
        case _:
            await _show_text(answer, limit)


async def _show_json(answer: Answer) -> None:
    head = {
        "what": answer.sought.text,
        "recorded_since": trail.stamp(answer.recorded_since),
        "files": list(map(given_fields, answer.given)),
    }
    say(json.dumps(head, indent=2)[:-2] + ',\n  "given_to": [', nl=False)
    between = "\n    "
    async for row in answer.rows:
        say(between + json.dumps(row_fields(row)), nl=False)
        between = ",\n    "
    say("\n  ]\n}")


async def _show_csv(answer: Answer) -> None:
    say(_csv_line(ROW_FIELDS), nl=False)
    async for row in answer.rows:
        say(_csv_line(["" if one is None else str(one) for one in row_fields(row).values()]), nl=False)


def _csv_line(cells: tuple[str, ...] | list[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(map(printable, cells))
    return out.getvalue()


async def _show_text(answer: Answer, limit: int) -> None:
    for text in _files(answer):
        say(text)
    shown: list[AskedRow] = []
    left = 0
    async for row in answer.rows:
        if len(shown) < limit:
            shown.append(row)
        else:
            left += 1
    if shown:
        say("")
        say(table(_HEAD, map(_cells, shown)), nl=False)
    if left:
        say(f"and {counted(left, 'more row')}: --limit, or --format csv for all")


def _files(answer: Answer) -> Iterator[str]:
    if not answer.given:
        yield f"nobody was given {printable(answer.sought.text)}"
    for one in answer.given:
        file = one.file
        digest = f" (sha256 {file.sha256[:DIGEST_CHARS]})" if file.sha256 else ""
        to = f" to {counted(file.clients_count, 'client')}" if file.clients_count else ""
        yield (
            f"{printable(file.filename)}{digest}, index {file.index}: given {counted(file.times, 'time')}{to},"
            f" {stamp(file.first_at)} to {stamp(file.last_at)}"
        )
        yield f"  now: {printable(_now(one))}"
    yield f"history begins with {stamp(answer.recorded_since)}: of what was before, nothing is known"


def _now(given: Given) -> str:
    named = f"named by {', '.join(given.named_by)}; " if given.named_by else ""
    if not isinstance(given.now, Fate):
        return f"{named}cannot be told, as {given.now.reason}"
    finding = given.now.deciding
    if finding is None:
        return f"{named}allowed"
    verb = "would be" if given.now.in_force is None else "is"
    decision = given.now.would if given.now.in_force is None else given.now.decision
    return f"{named}{verb} {_VERBS.get(str(decision), str(decision))} by rule {finding.rule}: {finding.message}"


_VERBS: Final = {"deny": "denied", "hold": "held"}


def _cells(row: AskedRow) -> tuple[str, ...]:
    first = row.first
    return (
        first.who or "-",
        first.client or "-",
        first.index,
        str(first.filename),
        stamp(first.at),
        stamp(row.last_at),
        str(row.count),
    )

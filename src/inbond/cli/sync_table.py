"""A sync's outcome for people: a line for each release, why something did not come, and the whole in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from inbond.cli import static_run
from inbond.cli.check_table import INDENT, PADDING, screen
from inbond.cli.sync_run import Done
from inbond.mirror.outcomes import EntryOutcome, FileOutcome, State, SyncOutcome
from inbond.model.text import counted, printable
from inbond.model.units import format_size
from inbond.policy.rule import clean

MAX_CELL_CHARS: Final = 60
MAX_REASON_CHARS: Final = 400
STYLES: Final = {
    State.LEFT_OUT: "green",
    State.KEPT: "green",
    State.FETCHED: "green",
    State.UNFIT: "yellow",
    State.HELD: "magenta",
    State.DENIED: "bold red",
    State.MISSING: "cyan",
}
_WORDS: Final = {State.LEFT_OUT: "here", State.KEPT: "here", State.FETCHED: "here", State.UNFIT: "nothing fits"}
_NOT_HERE: Final = (State.DENIED, State.HELD, State.MISSING, State.UNFIT)
_COLUMNS: Final = (State.FETCHED, State.KEPT, State.DENIED, State.HELD, State.MISSING)


def dumps(done: Sequence[Done]) -> str:
    """Everything, with a newline at its end; in colour where a person watches standard output."""
    console = screen(to_file=False)
    with console.capture() as captured:
        for number, one in enumerate(done):
            if number:
                console.print()
            _show(console, one)
    return PADDING.sub("", captured.get())


def _show(console: Console, done: Done) -> None:
    outcome = done.outcome
    if outcome.entries:
        console.print(_table(outcome.entries))
    for entry in outcome.entries:
        _print_troubles(console, entry, outcome)
    for unresolved in outcome.unresolved:
        console.print(f"\n[cyan]not resolved[/] for {escape(unresolved.place)}; uv says:")
        for line in unresolved.said.splitlines():
            console.print(f"{INDENT}{escape(line)}", soft_wrap=True)
    _print_totals(console, outcome)
    if done.tree is not None:
        console.print(escape(static_run.as_text(done.tree)), soft_wrap=True)


def _table(entries: Iterable[EntryOutcome]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    table.add_column("project", overflow="fold")
    table.add_column("version", overflow="fold")
    for state in _COLUMNS:
        table.add_column(str(state), justify="right")
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True)
    for entry in entries:
        counts, state = entry.counts, entry.state
        table.add_row(
            _cell(str(entry.project)),
            _cell(entry.version or "any"),
            *(str(counts[one] or "-") for one in _COLUMNS),
            format_size(entry.size) if entry.size else "-",
            f"[{STYLES[state]}]{_WORDS.get(state, str(state))}[/]",
        )
    return table


def _print_troubles(console: Console, entry: EntryOutcome, outcome: SyncOutcome) -> None:
    what = f"{entry.project} {entry.version}" if entry.version is not None else str(entry.project)
    troubles = entry.troubles
    if troubles or entry.notes:
        console.print(f"\n[bold]{_cell(what)}[/]", soft_wrap=True)
    for note in entry.notes:
        console.print(f"{INDENT}{_said(note)}", soft_wrap=True)
    for file, trouble in troubles:
        state = file.state if file is not None else entry.own
        until = f" (until {trouble.until:%Y-%m-%d %H:%M} UTC)" if trouble.until is not None else ""
        console.print(f"{INDENT}[{STYLES[state]}]{state}[/] {_said(trouble.reason)}{until}", soft_wrap=True)
        if trouble.remedy:
            console.print(f"{INDENT * 2}{_said(trouble.remedy)}", soft_wrap=True)
        if file is not None and state in {State.HELD, State.DENIED}:
            console.print(f"{INDENT * 2}{_said(_why(entry, file, outcome))}", soft_wrap=True)


def _why(entry: EntryOutcome, file: FileOutcome, outcome: SyncOutcome) -> str:
    index = f" --index {outcome.synced.index}" if outcome.synced.index != "root" else ""
    return f"inbond why {entry.project} {file.filename or ''}".rstrip() + index


def _print_totals(console: Console, outcome: SyncOutcome) -> None:
    synced, counts = outcome.synced, outcome.counts
    size = format_size(sum(file.size for file in synced.files))
    console.print(
        f"\n{counted(len(outcome.entries), 'release')}: {counted(len(synced.files), 'file')} here, {size};"
        f" {counts[State.FETCHED]:,} fetched ({format_size(outcome.fetched)}) in {outcome.seconds:.1f} s",
        soft_wrap=True,
    )
    # An entry that has no file to count, such as a project that nobody knows, counts itself.
    counts += Counter(entry.state for entry in outcome.entries if not entry.files)
    stopped = [f"{counts[state]:,} {state}" for state in _NOT_HERE if counts[state]]
    if stopped:
        console.print(f"not here: {', '.join(stopped)}", soft_wrap=True)
    if outcome.recorded:
        console.print(f"recorded as {synced.name}: inbond bundle export --name {synced.name}", soft_wrap=True)
    else:
        nothing = "" if synced.files else "no file is here, so "
        console.print(f"[bold]{nothing}nothing was recorded[/]: what was synced before under this name stays as it is")
    for warning in outcome.warnings:
        console.print(f"[yellow]{_said(warning)}[/]", soft_wrap=True)


def _cell(text: str) -> str:
    return escape(clean(text, MAX_CELL_CHARS))


def _said(text: str) -> str:
    shown = printable(text)
    return escape(shown if len(shown) <= MAX_REASON_CHARS else f"{shown[: MAX_REASON_CHARS - 3]}...")

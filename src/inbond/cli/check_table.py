"""A check's outcome for people: a line for each dependency, then what is to be said, then the whole in numbers."""

from __future__ import annotations

import io
import os
import re
import textwrap
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from inbond.check.compare import GRAVE, TrustChange
from inbond.check.files import Result
from inbond.check.report import DependencyReport, LockReport
from inbond.cli.check_locks import Checked
from inbond.locks.lock import Dependency, LockFormat
from inbond.model.text import counted, printable
from inbond.model.units import about
from inbond.policy.explain import ending_of, waived
from inbond.policy.rule import clean

# A terminal narrower than this gets fewer columns; what is piped gets all of them, as wide as they are.
WIDE: Final = 110  # characters
PIPED_WIDTH: Final = 200  # characters
INDENT: Final = "  "
MAX_CELL_CHARS: Final = 60
MAX_MESSAGE_CHARS: Final = 400
MAX_OWN_NAMES: Final = 5
PADDING: Final = re.compile(r"[ \t]+$", re.MULTILINE)  # rich fills lines up to the width

STYLES: Final = {
    Result.CLEAR: "green",
    Result.WARNED: "yellow",
    Result.HELD: "magenta",
    Result.UNTOLD: "cyan",
    Result.DENIED: "bold red",
}
_WORDS: Final = {
    Result.CLEAR: "clear",
    Result.WARNED: "warned",
    Result.HELD: "held",
    Result.UNTOLD: "could not tell",
    Result.DENIED: "denied",
}


def dumps(checked: Checked, *, quiet: bool, to_file: bool = False) -> str:
    """The whole outcome, with a newline at its end; in colour where a person watches standard output."""
    console = screen(to_file=to_file)
    with console.capture() as captured:
        _show(console, checked, quiet=quiet)
    return PADDING.sub("", captured.get())


def screen(*, to_file: bool) -> Console:
    """A console for a command's outcome: in colour where a person watches, wide where nobody does."""
    if to_file:
        return Console(file=io.StringIO(), width=PIPED_WIDTH, highlight=False, emoji=False, color_system=None)
    console = Console(highlight=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        return Console(highlight=False, emoji=False, width=PIPED_WIDTH)
    return console


def _show(console: Console, checked: Checked, *, quiet: bool) -> None:
    for number, (report, left_out) in enumerate(zip(checked.reports, checked.left_out, strict=True)):
        if number:
            console.print()
        rows = [row for row in report.rows if not quiet or row.result is not Result.CLEAR]
        if rows:
            console.print(_table(rows, report.at, wide=console.width >= WIDE))
        _print_stories(console, report)
        _print_waived(console, report)
        _print_findings(console, report)
        _print_totals(console, report, left_out)
    if checked.against is not None:
        _print_changes(console, checked)


def _table(rows: Iterable[DependencyReport], at: datetime, *, wide: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    table.add_column("dependency", overflow="fold")
    table.add_column("version", overflow="fold")
    table.add_column("files", justify="right")
    table.add_column("verified", justify="right")
    if wide:
        table.add_column("publisher", overflow="fold")
        table.add_column("age", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for row in rows:
        result = row.result
        cells = [
            _cell(str(row.dependency.project)),
            _cell(row.version or str(row.dependency.specifier) or "any"),
            str(len(row.files)) if row.files else "-",
            _verified(row),
            *([_cell(_publisher(row)), about(at - row.published) if row.published else "-"] if wide else []),
            f"[{STYLES[result]}]{_WORDS[result]}[/]",
        ]
        table.add_row(*cells)
    return table


def _cell(text: str) -> str:
    return escape(clean(text, MAX_CELL_CHARS))


def _path(text: str) -> str:
    return escape(printable(text))


def _verified(row: DependencyReport) -> str:
    if not row.files:
        return "-"
    if row.unavailable:
        return "?"
    if not row.attested:
        return "none"
    return "all" if row.verified == len(row.files) else f"{row.verified} of {len(row.files)}"


def _publisher(row: DependencyReport) -> str:
    return ", ".join(row.publishers) or "-"


def _print_stories(console: Console, report: LockReport) -> None:
    """For each entry that is not clear: where, why, what to do."""
    for row in report.rows:
        result = row.result
        if result is Result.CLEAR:
            continue
        subject = f"{row.dependency.project} {row.version or ''}".strip()
        place = "" if report.lock.format is LockFormat.REQUIREMENT else f" ({row.dependency.place})"
        console.print()
        console.print(f"[{STYLES[result]}]{_cell(subject)}{_path(place)}: {_WORDS[result]}[/]", soft_wrap=True)
        for line in _story(row):
            _print_indented(console, line)


def _print_waived(console: Console, report: LockReport) -> None:
    """What is let through because somebody said so."""
    for row in report.rows:
        for finding in row.waived:
            subject = f"{row.dependency.project} {row.version or ''}".strip()
            console.print()
            console.print(f"[dim]{_cell(subject)}: waived[/]", soft_wrap=True)
            _print_indented(console, clean(f"{finding.rule}: {finding.message}", MAX_MESSAGE_CHARS))
            _print_indented(console, clean(waived(finding), MAX_MESSAGE_CHARS))


def _print_indented(console: Console, line: str) -> None:
    # rich's own indentation fills lines up with blanks
    for part in textwrap.wrap(line, console.width - len(INDENT), break_long_words=False, break_on_hyphens=False):
        console.print(f"{INDENT}{part}", markup=False, soft_wrap=True)


def _story(row: DependencyReport) -> Iterable[str]:
    finding, untold = row.deciding, row.untold
    if untold is not None:
        yield clean(untold.reason, MAX_MESSAGE_CHARS)
        if untold.remedy:
            yield f"What to do: {clean(untold.remedy, MAX_MESSAGE_CHARS)}"
    elif finding is not None:
        until = f" until {ending_of(finding.until)}" if finding.until else ""
        concerned = _concerned(row)
        yield f"{finding.rule}{until}: {clean(finding.message, MAX_MESSAGE_CHARS)}{concerned}"
        if finding.remedy:
            yield f"What to do: {clean(finding.remedy, MAX_MESSAGE_CHARS)}"
        newest = next((one.judgement.newest_allowed for one in row.judged if one.judgement.newest_allowed), None)
        if newest is not None:
            yield f"The newest allowed version is {clean(newest, MAX_CELL_CHARS)}."


def _concerned(row: DependencyReport) -> str:
    number = sum(file.result is row.result for file in row.files)
    return "" if number in {0, len(row.files)} else f" ({number} of {len(row.files)} files)"


def _print_findings(console: Console, report: LockReport) -> None:
    for one in report.findings:
        finding = one.finding
        console.print()
        console.print(f"[{STYLES[one.result]}]{_path(str(one.place))}: {finding.rule}[/]", soft_wrap=True)
        _print_indented(console, clean(finding.message, MAX_MESSAGE_CHARS))
        if finding.remedy:
            _print_indented(console, f"What to do: {clean(finding.remedy, MAX_MESSAGE_CHARS)}")


def _print_totals(console: Console, report: LockReport, left_out: int) -> None:
    totals = report.totals
    parts = ", ".join(
        f"[{STYLES[result]}]{totals.by_result[result]} {_WORDS[result]}[/]"
        for result in (Result.CLEAR, Result.WARNED, Result.HELD, Result.DENIED, Result.UNTOLD)
        if totals.by_result[result]
    )
    console.print()
    console.print(
        f"[bold]{_path(report.lock.source)}[/]: {counted(totals.dependencies, 'dependency')}"
        f" with {counted(totals.files, 'file')}{_own(report.own)}: {parts or 'nothing to check'}",
        soft_wrap=True,
    )
    if left_out:
        console.print(f"left out by --here: {counted(left_out, 'dependency')} for other machines")
    console.print(
        f"attested and verified: {totals.dependencies_verified} of {counted(totals.dependencies, 'dependency')},"
        f" {totals.files_verified:,} of {counted(totals.files, 'file')}{_share(totals.files_verified, totals.files)}"
    )
    console.print(f"[dim]index {report.index}, policy {report.policy}, {report.at:%Y-%m-%d %H:%M} UTC[/]")


def _own(entries: tuple[Dependency, ...]) -> str:
    """They are not asked for: somebody should see that they are indeed the project's own."""
    if not entries:
        return ""
    names = [printable(str(entry.project)) for entry in entries[:MAX_OWN_NAMES]]
    more = len(entries) - len(names)
    listed = ", ".join(names) + (f" and {more:,} more" if more else "")
    return f" ({len(entries):,} of its own, not from an index: {escape(listed)})"


def _share(part: int, whole: int) -> str:
    return f" ({100 * part // whole} %)" if whole else ""


def _print_changes(console: Console, checked: Checked) -> None:
    console.print()
    console.print(f"[bold]since {_path(checked.against or '')}[/]")
    if not checked.changes:
        console.print("  the same projects, versions and publishers")
        return
    table = Table(box=None, pad_edge=False, show_header=False, show_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    for change in checked.changes:
        style = "bold yellow" if change.change in GRAVE else "dim"
        table.add_row(f"{INDENT}[{style}]{change.change}[/]", _cell(str(change.project)), _message(change))
    console.print(table)


def _message(change: TrustChange) -> str:
    return escape(clean(change.message, MAX_MESSAGE_CHARS))

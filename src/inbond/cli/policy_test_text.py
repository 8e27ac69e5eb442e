"""What a tried policy changes, for people: what would be stopped first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from inbond.cli.check_table import INDENT, MAX_CELL_CHARS, PADDING, WIDE, screen
from inbond.cli.policy_test_run import Tried
from inbond.cli.screen_text import print_prose
from inbond.model.text import counted
from inbond.model.verdict import Decision
from inbond.policy.rule import clean, stamp
from inbond.reporting.difference import Change, Difference

MAX_VERSIONS: Final = 3
MAX_REASON_CHARS: Final = 200

_TITLES: Final = {
    Change.STOPPED: "Newly stopped",
    Change.ALLOWED: "Newly allowed",
    Change.OTHERWISE: "Stopped by another rule, or otherwise",
}
_STYLES: Final = {Decision.ALLOW: "green", Decision.HOLD: "magenta", Decision.DENY: "bold red"}
_WORDS: Final = {Decision.ALLOW: "may be had", Decision.HOLD: "held", Decision.DENY: "denied"}


def dumps(tried: Tried) -> str:
    """All of it, with a newline at its end; in colour where a person watches standard output."""
    console = screen(to_file=False)
    with console.capture() as captured:
        _show(console, tried)
    return PADDING.sub("", captured.get())


def _show(console: Console, tried: Tried) -> None:
    comparison = tried.comparison
    files = counted(sum(comparison.files.values()), "file")
    source = f" of {tried.wanted.policy}" if tried.wanted.policy != tried.after else ""
    policies = f"policy {tried.before}, in force on index {tried.index}, and {tried.after}{source}"
    print_prose(console, f"{policies}: {files} of {counted(tried.projects, 'project')}, {_whence(tried)}", style="bold")
    if not tried.comparison.files:
        print_prose(
            console, f"could not tell: no lock names a file, and nothing is recorded at {tried.ledger}", style="cyan"
        )
        return
    for change, title in _TITLES.items():
        _print_change(console, title, tried, change)
    _print_untold(console, comparison.of(Change.UNTOLD))
    same = comparison.files.get(Change.SAME, 0)
    numbers = f"stopped before: {comparison.stopped_before:,}, after: {comparison.stopped_after:,}"
    console.print()
    print_prose(console, f"the same for {counted(same, 'file')}; {numbers}")


def _whence(tried: Tried) -> str:
    asked = f"asked for since {stamp(tried.recorded_since)}" if tried.recorded_since is not None else ""
    locked = "named by locks" if tried.wanted.locks else ""
    whole = "and all else on their pages" if tried.wanted.everything else ""
    return ", ".join(filter(None, [asked, locked, whole])) or "as history holds no request yet: name a lock"


def _print_change(console: Console, title: str, tried: Tried, change: Change) -> None:
    differences = tried.comparison.of(change)
    console.print()
    if not differences:
        console.print(f"[bold]{title}[/]: nothing")
        return
    people = tried.comparison.people(change)
    whom = f", asked for by {counted(people, 'client')}" if people else ""
    console.print(f"[bold]{title}[/]: {counted(tried.comparison.files[change], 'file')}{whom}", soft_wrap=True)
    console.print(_table(differences, wide=console.width >= WIDE))


def _table(differences: Sequence[Difference], *, wide: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    table.add_column("project", overflow="fold")
    table.add_column("versions", overflow="fold")
    table.add_column("files", justify="right")
    table.add_column("people", justify="right")
    table.add_column("before", overflow="fold")
    table.add_column("after", overflow="fold")
    if wide:
        table.add_column("because", overflow="fold")
    for one in differences:
        table.add_row(
            _cell(one.project),
            _cell(_versions(one)),
            f"{len(one.files):,}",
            str(len(one.people) or "-"),
            _said(one.decision_before, one.rule_before),
            _said(one.decision_after, one.rule_after),
            *([_cell(one.message) or "-"] if wide else []),
        )
    return table


def _versions(one: Difference) -> str:
    more = f" and {len(one.versions) - MAX_VERSIONS:,} more" if len(one.versions) > MAX_VERSIONS else ""
    return ", ".join(one.versions[:MAX_VERSIONS]) + more


def _said(decision: Decision | None, rule: str) -> str:
    if decision is None:
        return "-"
    by = f" by {_cell(rule)}" if rule else ""
    return f"[{_STYLES[decision]}]{_WORDS[decision]}{by}[/]"


def _print_untold(console: Console, differences: Sequence[Difference]) -> None:
    reasons: dict[str, list[Difference]] = {}
    for one in differences:
        reasons.setdefault(one.reason or "", []).append(one)
    if reasons:
        console.print()
        console.print(f"[bold]Could not tell[/]: {counted(sum(len(one.files) for one in differences), 'file')}")
    for reason, below in reasons.items():
        number = sum(len(one.files) for one in below)
        names = ", ".join(dict.fromkeys(str(one.project) for one in below))
        text = f"{counted(number, 'file')}: {reason} ({clean(names, MAX_REASON_CHARS)})"
        print_prose(console, text, style="cyan", indent=INDENT)


def _cell(text: str) -> str:
    return escape(clean(text, MAX_CELL_CHARS * 2))

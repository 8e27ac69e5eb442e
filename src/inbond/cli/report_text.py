"""A report for people: what enforcing would have stopped first, then what was stopped, then what happened besides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from inbond.cli.check_table import INDENT, MAX_CELL_CHARS, PADDING, WIDE, screen
from inbond.cli.screen_text import print_prose
from inbond.model.occurrence import Occurrence
from inbond.model.text import counted, printable
from inbond.model.verdict import Decision
from inbond.policy.explain import ending_of
from inbond.policy.rule import clean, stamp
from inbond.reporting.report import Entry, Now, Report, Still
from inbond.reporting.stops import Stop, people_of, sums_by

MAX_NAMED: Final = 2  # addresses in a line; all of them stand in the JSON
MAX_SUMS: Final = 8
MAX_MESSAGE_CHARS: Final = 300

_STYLES: Final = {Decision.ALLOW: "green", Decision.HOLD: "magenta", Decision.DENY: "bold red"}
_RECORDED: Final = "Only recorded: enforcing would have stopped"
_STOPPED: Final = "Stopped"
_PASTE: Final = "Waivers for what is stopped still: read each, say why, and paste it"


def dumps(report: Report) -> str:
    """The whole report, with a newline at its end; in colour where a person watches standard output."""
    console = screen(to_file=False)
    with console.capture() as captured:
        _show(console, report)
    return PADDING.sub("", captured.get())


def waivers(report: Report) -> str:
    """The waivers alone, a line each."""
    return "".join(f"{printable(line)}\n" for line in report.waivers)


def _show(console: Console, report: Report) -> None:
    where = f"index {report.index}" if report.index is not None else "all indexes"
    console.print(f"[bold]{stamp(report.since)} to {stamp(report.at)}[/], {escape(where)}")
    _print_reach(console, report)
    _print_entries(console, _RECORDED, report.recorded)
    _print_entries(console, _STOPPED, report.stopped)
    _print_occurrences(console, "Served, and turned out bad since", report.turned_bad, _to_whom)
    _print_occurrences(console, "Noticed", report.noticed, lambda one: str(one.kind))
    if report.waivers:
        console.print()
        print_prose(console, _PASTE, style="bold")
        for line in report.waivers:
            console.print(f"{INDENT}{printable(line)}", markup=False, soft_wrap=True)


def _print_reach(console: Console, report: Report) -> None:
    """How far back what is told can be relied on."""
    since = report.recorded_since
    if since is None:
        print_prose(console, f"could not tell: nothing is recorded at {report.ledger}", style="cyan")
    elif since > report.since:
        told = f"history begins with {stamp(since)}: of what was before, nothing is known"
        print_prose(console, told, style="cyan")


def _print_entries(console: Console, title: str, entries: Sequence[Entry]) -> None:
    console.print()
    if not entries:
        console.print(f"[bold]{title}[/]: nothing", soft_wrap=True)
        return
    stops = [entry.stop for entry in entries]
    people = len(people_of(stops))
    whom = f" for {counted(people, 'client')}" if people else ""
    requests = counted(sum(stop.times for stop in stops), "request")
    console.print(f"[bold]{title}[/]: {requests}{whom}")
    console.print(_table(entries, wide=console.width >= WIDE))
    _print_reasons(console, entries)
    for what, name_of in (("rules", _rule), ("indexes", _index), ("projects", _project)):
        _print_sums(console, what, stops, name_of)


def _rule(stop: Stop) -> str:
    return stop.rule


def _index(stop: Stop) -> str:
    return stop.index


def _project(stop: Stop) -> str:
    return stop.project


def _table(entries: Sequence[Entry], *, wide: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    table.add_column("release", overflow="fold")
    several = wide and len({entry.stop.index for entry in entries}) > 1
    if several:
        table.add_column("index", overflow="fold")
    table.add_column("rule", overflow="fold")
    if wide:
        table.add_column("who", overflow="fold")
    table.add_column("people", justify="right")
    if wide:
        table.add_column("requests", justify="right")
        table.add_column("last", no_wrap=True)
    table.add_column("now", overflow="fold")
    for entry in entries:
        stop = entry.stop
        table.add_row(
            _cell(f"{stop.project} {stop.version or ', '.join(stop.files)}"),
            *([_cell(stop.index)] if several else []),
            _cell(stop.rule),
            *([_cell(_who(stop))] if wide else []),
            str(stop.people or "-"),
            *([f"{stop.times:,}", f"{stop.last_at:%Y-%m-%d %H:%M}"] if wide else []),
            _now(stop, entry.now),
        )
    return table


def _who(stop: Stop) -> str:
    named = [asker.client for asker in stop.askers if asker.client]
    more = f" and {len(named) - MAX_NAMED:,} more" if len(named) > MAX_NAMED else ""
    return ", ".join(named[:MAX_NAMED]) + more or "-"


def _now(stop: Stop, now: Now) -> str:
    match now.still:
        case Still.NO:
            return "[green]may be had[/]"
        case Still.UNTOLD:
            return "[cyan]could not tell[/]"
        case _:
            return _still(stop, now)


def _still(stop: Stop, now: Now) -> str:
    finding = now.finding
    what = "held" if now.decision is Decision.HOLD else "denied"
    until = (
        f" until {ending_of(finding.until).removesuffix(' UTC')}"
        if finding is not None and finding.until is not None
        else ""
    )
    rule = f" by {finding.rule}" if finding is not None and finding.rule != stop.rule else ""
    return f"[{_STYLES[now.decision]}]{what}{escape(rule)}{until}[/]"


def _short(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"


def _print_reasons(console: Console, entries: Sequence[Entry]) -> None:
    """Why it could not be told, each reason once."""
    reasons: dict[str, int] = {}
    for entry in entries:
        if entry.now.reason is not None:
            reasons[entry.now.reason] = reasons.get(entry.now.reason, 0) + 1
    for reason, number in reasons.items():
        told = f"could not tell of {counted(number, 'release')}: {clean(reason, MAX_MESSAGE_CHARS)}"
        print_prose(console, told, style="cyan", indent=INDENT)


def _print_sums(console: Console, what: str, stops: Sequence[Stop], name_of: Callable[[Stop], str]) -> None:
    sums = sums_by(stops, name_of)
    named = [f"{clean(one.name, MAX_CELL_CHARS)} {counted(one.times, 'request')}" for one in sums[:MAX_SUMS]]
    more = f" and {len(sums) - MAX_SUMS:,} more" if len(sums) > MAX_SUMS else ""
    print_prose(console, f"{what}: {', '.join(named)}{more}", style="dim", indent=INDENT)


def _print_occurrences(
    console: Console, title: str, occurrences: Sequence[Occurrence], told: Callable[[Occurrence], str]
) -> None:
    if not occurrences:
        return
    console.print(f"\n[bold]{title}[/]")
    wide = console.width >= WIDE
    table = Table(box=None, pad_edge=False, show_header=False, show_edge=False)
    table.add_column(no_wrap=True)
    for _ in range(3 if wide else 2):
        table.add_column(overflow="fold")
    for one in occurrences:
        where = " ".join(filter(None, [one.index or one.upstream, one.project or one.filename]))
        message = escape(clean(one.message, MAX_MESSAGE_CHARS))
        aside = escape(clean(told(one), MAX_MESSAGE_CHARS))
        beside = [aside, message] if wide else [f"{message} ({aside})"]
        table.add_row(f"{INDENT}{_short(one.at)}", _cell(where), *beside)
    console.print(table)


def _to_whom(one: Occurrence) -> str:
    """Whom it was served to, as far as addresses are kept (docs/advisories.md has the keys)."""
    detail = one.detail
    clients = detail.get("clients", "")
    more = int(detail.get("clients_count", 0)) - len(clients.split(", "))
    to = f"to {clients}{f' and {more:,} more' if more > 0 else ''}" if clients else "to whom was not kept"
    last = f", last {detail['last_served']}" if "last_served" in detail else ""
    fixed = f"; fixed in {detail['fixed']}" if "fixed" in detail else ""
    return f"{to}{last}{fixed}"


def _cell(text: str) -> str:
    return escape(clean(text, MAX_CELL_CHARS))

"""The parts that stories of files and of projects share on a screen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from inbond.cli.check_table import WIDE
from inbond.model.imports import ImportedProject
from inbond.model.standing import Standing
from inbond.model.text import counted, printable
from inbond.model.verdict import Finding
from inbond.policy.explain import waived
from inbond.policy.meanings import MEANINGS
from inbond.policy.rule import stamp
from inbond.policy.timeline import Timeline, TimelineRelease
from inbond.web.rendered import BADGES, TRUSTS

OUTCOMES: Final[Mapping[str, str]] = {"allow": "green", "warn": "yellow", "hold": "magenta", "deny": "bold red"}


NOT_CARRIED: Final = "Its bytes are not here: it was not carried over with the bundles imported so far"


def shown(text: str) -> str:
    """Text that somebody else wrote, for a console that reads markup."""
    return escape(printable(text))


def dated(moment: datetime | None) -> str:
    """A time for people."""
    return stamp(moment) if moment is not None else "not known"


def imported_lines(imported: ImportedProject | None) -> list[str]:
    """Which bundle a project's page comes from; nothing where it comes from none."""
    if imported is None:
        return []
    times = f"as of {dated(imported.as_of)}, taken in {dated(imported.imported_at)}"
    return [f"imported from bundle {imported.name} {times}"]


def print_title(console: Console, title: str) -> None:
    """The head of a part."""
    console.print(f"\n[bold]{shown(title)}[/]", soft_wrap=True)


def print_findings(console: Console, findings: Iterable[Finding]) -> None:
    """What every rule found, what that means, and which waiver lifts it."""
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    table.add_column("finding", overflow="fold")
    table.add_column("outcome", no_wrap=True)
    table.add_column("found", overflow="fold")
    for finding in findings:
        outcome = str(finding.outcome)
        how = " (waived)" if finding.waiver is not None else " (recorded)" if finding.audited else ""
        style = OUTCOMES[outcome] if finding.counts else "dim"
        table.add_row(shown(finding.id), f"[{style}]{outcome}{how}[/]", _found(finding))
    if table.row_count:
        console.print()
        console.print(table)


def _found(finding: Finding) -> str:
    lines = [shown(finding.message)]
    lines += [shown(waived(finding))] if finding.waiver is not None else []
    meaning = MEANINGS.get(finding.id)
    lines += [f"[dim]{shown(meaning.means)}[/]"] if meaning is not None else []
    return "\n".join(lines)


def print_facts(console: Console, title: str, facts: Mapping[str, str | None]) -> None:
    """Names and what is known under them; what is not is left out."""
    table = Table(box=None, pad_edge=False, show_header=False, show_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts.items():
        if value:
            table.add_row(f"  {name}", shown(value))
    print_title(console, title)
    console.print(table)


def print_commands(console: Console, commands: Iterable[str]) -> None:
    """Commands, each on a line of its own, so that a terminal gives them back whole."""
    lines = list(commands)
    if lines:
        console.print("  Whoever runs this inbond can let it through:", soft_wrap=True)
    for line in lines:
        console.print(f"    {printable(line)}", markup=False, soft_wrap=True)


def print_timeline(console: Console, project: str, timeline: Timeline, *, current: str | None) -> None:
    """The releases, the newest first; where there is little room, publisher and news stand below one another."""
    wide = console.width >= WIDE
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    table.add_column("  release", overflow="fold")
    table.add_column("came", no_wrap=True)
    table.add_column("attested", overflow="fold")
    for name in ("publisher", "what is new") if wide else ("publisher, and what is new",):
        table.add_column(name, overflow="fold")
    table.add_column("now", no_wrap=True)
    for release in timeline.releases:
        publisher, news = "\n".join(map(shown, release.publishers)), _news(release)
        told = [publisher or "-", news or "-"] if wide else ["\n".join(filter(None, [publisher, news])) or "-"]
        here = "> " if release.version == current else "  "
        table.add_row(here + shown(release.version), _day(release), TRUSTS[release.trust], *told, _now(release))
    print_title(console, f"Who published {project}")
    console.print(table)
    if timeline.left_out:
        console.print(f"  [dim]and {counted(timeline.left_out, 'older release')}[/]")


def _day(release: TimelineRelease) -> str:
    return f"{release.at:%Y-%m-%d}" if release.at is not None else "not known"


def _news(release: TimelineRelease) -> str:
    lines = [shown("; ".join(release.marks))] if release.marks else []
    said = release.continuity
    lines += [f"[{OUTCOMES[str(said.outcome)]}]{shown(said.message)}[/]"] if said is not None else []
    return "\n".join(lines)


def _now(release: TimelineRelease) -> str:
    return f"[{OUTCOMES[BADGES[release.decision]]}]{release.decision}[/]"


def print_decided(console: Console, project: str, standing: Standing, *, affecting: Iterable[str] = ()) -> None:
    """Decisions and advisories about the project; nothing where there are none."""
    affected = set(affecting)
    lines = []
    for waiver in standing.waivers:
        what = f"waives {waiver.rule} for {waiver.target}{_on(waiver.index)} until {stamp(waiver.until)}"
        lines.append(f"{waiver.id}  {waiver.by} {what}: {waiver.reason}")
    lines += [f"{one.id}  {one.by} rejects {one.target}{_on(one.index)}: {one.reason}" for one in standing.rejections]
    for pin in standing.pins:
        with_id = f" with repository id {pin.repository_id}" if pin.repository_id else ""
        reason = f": {pin.reason}" if pin.reason else ""
        lines.append(f"{pin.id}  {pin.by} accepts {pin.publisher}{with_id}{reason}")
    for advisory in standing.advisories:
        kind = "malware" if advisory.malicious else str(advisory.severity)
        this = " (affects this)" if advisory.id in affected else ""
        lines.append(f"{advisory.id}  {kind}{this}: {advisory.summary or 'no summary'}")
    if lines:
        print_title(console, f"Decisions and advisories about {project}")
    for line in lines:
        console.print(f"  {printable(line)}", markup=False, soft_wrap=True)


def _on(index: str | None) -> str:
    return f" on index {index}" if index is not None else ""

"""A project's story on a screen and as JSON: what becomes of a release, what can be had, who published what."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console
from rich.table import Table

from inbond.check.files import JudgedFile
from inbond.cli.check_table import PADDING, STYLES, screen
from inbond.cli.why_parts import (
    OUTCOMES,
    imported_lines,
    print_commands,
    print_decided,
    print_findings,
    print_timeline,
    shown,
)
from inbond.cli.why_run import ProjectStory
from inbond.cli.why_text import DECISIONS
from inbond.model.text import counted, printable
from inbond.model.verdict import Judgement
from inbond.policy.explain import commands, ending_of, stops
from inbond.policy.timeline import TimelineRelease
from inbond.web.project_json import standing_json, timeline_json
from inbond.web.rendered import BADGES
from inbond.web.verdict_json import judgement_json, timestamp


def project_json(story: ProjectStory) -> str:
    """The whole story, with a newline at its end. Keys are added, never changed."""
    document: dict[str, Any] = {
        "index": story.index,
        "project": str(story.project),
        "version": str(story.version),
        "judged_at": timestamp(story.at),
        "result": str(story.result),
        "newest_allowed": story.instead,
        "files": [judgement_json(one, story.origin) for one in story.judgements],
        "timeline": timeline_json(story.background.timeline),
        **standing_json(story.background.standing, story.at),
    }
    return f"{json.dumps(document, indent=2)}\n"


def project_text(story: ProjectStory) -> str:
    """The release, each of its files, what is stopped now, and the project's releases, with a newline at the end."""
    console = screen(to_file=False)
    with console.capture() as captured:
        _print_release(console, story)
        _print_files(console, story)
        _print_stopped(console, story)
        background = story.background
        print_timeline(console, str(story.project), background.timeline, current=str(story.version))
        affecting = [one for judgement in story.judgements for one in judgement.advisories]
        print_decided(console, str(story.project), background.standing, affecting=affecting)
    return PADDING.sub("", captured.get())


def _print_release(console: Console, story: ProjectStory) -> None:
    result = story.result
    subject = shown(f"{story.project} {story.version}")
    console.print(f"[bold]{subject}[/]: [{STYLES[result]}]{DECISIONS[result]}[/]", soft_wrap=True)
    lines = [f"What can be had now: {story.project}=={story.instead}"] if story.instead is not None else []
    remedies = dict.fromkeys(finding.remedy for judgement in story.judgements for finding in stops(judgement))
    lines += [f"What would lift it: {remedy}" for remedy in remedies if remedy]
    missing = sum(not one.carried for one in story.judgements)
    lines += [f"{counted(missing, 'file')} not carried over with the bundles imported so far"] if missing else []
    lines.append(f"{counted(len(story.judgements), 'file')}, index {story.index}, policy {story.policy}")
    lines += imported_lines(story.imported)
    for line in lines:
        console.print(f"  {printable(line)}", markup=False, soft_wrap=True)
    print_commands(console, dict.fromkeys(line for judgement in story.judgements for line in commands(judgement)))


def _print_files(console: Console, story: ProjectStory) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    table.add_column("file", overflow="fold")
    table.add_column("verdict", no_wrap=True)
    for judgement in story.judgements:
        result = JudgedFile(judgement=judgement).result
        table.add_row(shown(str(judgement.file.filename)), f"[{STYLES[result]}]{DECISIONS[result]}[/]")
    console.print()
    console.print(table)
    print_findings(console, _findings(story.judgements))


def _findings(judgements: tuple[Judgement, ...]) -> list[Any]:
    """Of all files, each once, the strictest first."""
    found = dict.fromkeys(finding for judgement in judgements for finding in judgement.verdict.findings)
    return sorted(found, key=lambda one: -one.outcome)


def _print_stopped(console: Console, story: ProjectStory) -> None:
    """Releases shown of which something is stopped, but for the one that all this is about."""
    stopped = [
        release
        for release in story.background.timeline.releases
        if release.deciding is not None and release.version != str(story.version)
    ]
    if not stopped:
        return
    console.print("\n[bold]Also stopped now[/]")
    for release in stopped:
        console.print(f"  {_stopped(release)}", soft_wrap=True)


def _stopped(release: TimelineRelease) -> str:
    finding = release.deciding
    if finding is None:
        return ""
    until = f" until {ending_of(finding.until)}" if finding.until else ""
    how = f"[{OUTCOMES[BADGES[release.decision]]}]{release.decision}[/]"
    return f"{shown(release.version)}: {how}{until}, {shown(finding.id)}: {shown(finding.message)}"

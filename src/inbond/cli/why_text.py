"""One file's story on a screen, and as the JSON that a server gives."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from rich.console import Console
from rich.markup import escape

from inbond.check.files import Result
from inbond.cli.check_table import PADDING, STYLES, screen
from inbond.cli.why_parts import (
    NOT_CARRIED,
    dated,
    imported_lines,
    print_commands,
    print_decided,
    print_facts,
    print_findings,
    print_timeline,
    shown,
)
from inbond.cli.why_run import Story
from inbond.model.text import printable
from inbond.model.units import format_size
from inbond.model.verdict import Judgement
from inbond.policy.explain import commands, ending_of
from inbond.web.identity_facts import identity_facts
from inbond.web.rendered import STATES
from inbond.web.stories import logged_at
from inbond.web.verdict_json import judgement_json

DECISIONS: Final[Mapping[Result, str]] = {
    Result.CLEAR: "allowed",
    Result.WARNED: "allowed, with a warning",
    Result.HELD: "held",
    Result.UNTOLD: "held: could not tell",
    Result.DENIED: "denied",
}


def as_json(story: Story) -> str:
    """The body of `/-/verdict/…` for the file, with a newline at its end."""
    return f"{json.dumps(judgement_json(story.judgement, story.origin), indent=2)}\n"


def as_text(story: Story) -> str:
    """Verdict, findings, evidence, each attestation and the project's releases, with a newline at the end."""
    console = screen(to_file=False)
    judgement, project = story.judgement, story.background.project
    body = judgement_json(judgement, story.origin)
    with console.capture() as captured:
        _print_verdict(console, story)
        print_findings(console, judgement.verdict.findings)
        print_facts(console, "Evidence", _evidence(story, body["evidence"]))
        for number, attestation in enumerate(body["evidence"]["attestations"], 1):
            print_facts(console, f"Attestation {number}: {attestation['state']}", _attestation(attestation, judgement))
        print_timeline(console, str(judgement.project), project.timeline, current=judgement.version)
        print_decided(console, str(judgement.project), project.standing, affecting=judgement.advisories)
        console.print(f"\n[dim]while inbond serves: {escape(body['why'])}[/]", soft_wrap=True)
    return PADDING.sub("", captured.get())


def _print_verdict(console: Console, story: Story) -> None:
    judgement, result = story.judgement, story.result
    style = STYLES[result]
    console.print(f"[bold]{shown(str(judgement.file.filename))}[/]: [{style}]{DECISIONS[result]}[/]", soft_wrap=True)
    deciding = judgement.verdict.deciding
    lines = []
    if deciding is not None:
        until = f" until {ending_of(deciding.until)}" if deciding.until else ""
        lines.append(f"by rule {deciding.rule}{until}: {deciding.message}")
        lines += [f"What would lift it: {deciding.remedy}"] if deciding.remedy else []
    if judgement.newest_allowed is not None:
        lines.append(f"What can be had now: {judgement.project}=={judgement.newest_allowed}")
    if judgement.verdict.would is not None:
        lines.append(f"Rules that only record for now would decide: {judgement.verdict.would}")
    lines += [NOT_CARRIED] if not judgement.carried else []
    lines.append(f"project {judgement.project}, index {judgement.index}, policy {story.policy}")
    lines += imported_lines(story.imported)
    for line in lines:
        console.print(f"  {printable(line)}", markup=False, soft_wrap=True)
    print_commands(console, commands(judgement))


def _evidence(story: Story, evidence: Mapping[str, Any]) -> dict[str, str | None]:
    file = story.judgement.file
    reason = f": {evidence['reason']}" if evidence["reason"] else ""
    logged = logged_at(story.judgement)
    return {
        "attestations": STATES[evidence["state"]] + reason,
        "attached": _attached(story),
        "sha256": file.sha256 or "none on its page",
        "size": format_size(file.size) if file.size is not None else "not on its page",
        "uploaded": dated(file.upload_time),
        "logged": dated(logged) if logged is not None else None,
        "first seen here": dated(story.background.first_seen),
        "trusted time": dated(story.background.trusted_time),
        "checked": _written(evidence["verified_at"]),
        "provenance": evidence["provenance_sha256"],
        "trusted root": evidence["trusted_root_sha256"],
    }


def _attached(story: Story) -> str | None:
    note = story.judgement.attached
    if note is None:
        return None
    reason = f": {note.reason}" if note.reason else ""
    return f"by {note.by}, {dated(note.at)}{reason}; its index has none"


def _attestation(attestation: Mapping[str, Any], judgement: Judgement) -> dict[str, str | None]:
    identity: Mapping[str, str | None] = attestation["identity"] or {}
    index = attestation["log_index"]
    facts = {
        "reason": attestation["reason"],
        # No index says anything of what was attached.
        "publisher, as the index says": attestation["publisher"] if judgement.attached is None else None,
        "identity, as the certificate proves": identity.get("name"),
        "predicate type": attestation["predicate_type"],
        "signed": _written(attestation["signed_at"]),
        "log entry": None if index is None else str(index),
        "vouched for by": f"[trust.{attestation['trust']}]" if attestation["trust"] else None,
    }
    return facts | identity_facts(identity)


def _written(moment: str | None) -> str | None:
    return None if moment is None else dated(datetime.fromisoformat(moment))

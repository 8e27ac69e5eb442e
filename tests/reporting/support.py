"""Rows of history, and what becomes of files, with defaults that no test minds."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from inbond.model.history import Asked, AskedRow
from inbond.model.names import Filename, ProjectName
from inbond.model.verdict import Decision, Finding, Outcome
from inbond.reporting.fates import Fate
from policy.cases import DAY, NOW

CODES = {"cooldown": "young", "attestations": "missing"}  # of what explanations hand out a command for
ALLOW, HOLD, DENY = Decision.ALLOW, Decision.HOLD, Decision.DENY


def asked(filename: str = "demo-2.0-py3-none-any.whl", /, **changes: Any) -> Asked:
    """A request that the cooldown would have held."""
    project = filename.split("-", maxsplit=1)[0]
    fields: dict[str, Any] = {
        "at": NOW - DAY,
        "index": "root",
        "upstream": "pypi",
        "project": ProjectName(project),
        "filename": Filename(filename),
        "version": filename.split("-")[1].removesuffix(".tar.gz"),
        "sha256": "a" * 64,
        "client": "192.0.2.1",
        "decision": ALLOW,
        "would": HOLD,
        "rule": "cooldown",
        "code": "young",
        "message": "an hour old, and a day is asked for",
    }
    return Asked(**{**fields, **changes})


def row(
    filename: str = "demo-2.0-py3-none-any.whl", /, *, count: int = 1, last_at: datetime | None = None, **changes: Any
) -> AskedRow:
    """Equal requests."""
    first = asked(filename, **changes)
    return AskedRow(first=first, last_at=last_at or first.at, count=count)


def found(rule: str = "cooldown", outcome: Outcome = Outcome.HOLD, **changes: Any) -> Finding:
    """A finding; a hold ends in two days."""
    until = NOW + timedelta(days=2) if outcome is Outcome.HOLD else None
    fields: dict[str, Any] = {"message": f"{rule} says so", "until": until, "code": CODES.get(rule, "said")}
    return Finding(rule=rule, outcome=outcome, **{**fields, **changes})


def fate(*findings: Finding) -> Fate:
    """What becomes of a file of which that was found, the strictest first."""
    decisions = {Outcome.HOLD: HOLD, Outcome.DENY: DENY}
    would = decisions[findings[0].outcome] if findings else ALLOW
    counting = [finding for finding in findings if not finding.audited]
    decision = decisions[counting[0].outcome] if counting else ALLOW
    return Fate(decision=decision, would=would, stopping=findings)

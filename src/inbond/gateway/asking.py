"""What the audit trail keeps of a request for a file, and of the first time that somebody was stopped."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from inbond.access.principal import Anonymous
from inbond.model.acts import Act, ActKind
from inbond.model.history import Asked
from inbond.model.occurrence import Occurrence, OccurrenceKind
from inbond.model.verdict import Decision, Finding, Judgement, Outcome, Verdict

ANONYMOUS: Final = str(Anonymous())
# A finding that a retry may lift at once: nobody has to hear of it.
_PASSING = frozenset({"unavailable"})


@dataclass(slots=True)
class Asking:
    """Who asks for a file, by address and as a principal, and whether the request was told as stopped."""

    client: str = ""
    who: str = ""
    stopped: bool = False


def asked_of(upstream: str, judgement: Judgement, *, client: str, who: str, metadata: bool, now: datetime) -> Asked:
    """A request as the audit trail keeps it."""
    verdict = judgement.verdict
    would = verdict.would or verdict.decision
    finding = _deciding(verdict, would)
    return Asked(
        at=now,
        index=judgement.index,
        upstream=upstream,
        project=judgement.project,
        filename=judgement.file.filename,
        version=judgement.version,
        sha256=judgement.file.sha256,
        client=client,
        decision=verdict.decision,
        would=would,
        rule=finding.rule if finding is not None else "",
        code=finding.code if finding is not None else "",
        message=finding.message if finding is not None else "",
        metadata=metadata,
        who=who,
    )


def _deciding(verdict: Verdict, would: Decision) -> Finding | None:
    """The finding that stops the file, or would without `audit`."""
    if would is Decision.ALLOW:
        return None
    if would is verdict.decision:
        return verdict.deciding
    wanted = Outcome.DENY if would is Decision.DENY else Outcome.HOLD
    stops = (finding for finding in verdict.findings if finding.outcome is wanted and finding.waiver is None)
    return max(stops, key=lambda finding: finding.until.timestamp() if finding.until else 0.0)


def stop_of(asked: Asked) -> Occurrence | None:
    """That somebody was stopped, the same for everybody whom this rule stops at this file; None for what passes."""
    if asked.decision is Decision.ALLOW or asked.code in _PASSING:
        return None
    which = (asked.index, asked.upstream, asked.project, asked.filename, asked.sha256 or "", asked.rule)
    verb = "held" if asked.decision is Decision.HOLD else "denied"
    return Occurrence(
        key="/".join((OccurrenceKind.FILE_STOPPED, *which)),
        kind=OccurrenceKind.FILE_STOPPED,
        at=asked.at,
        message=f"{asked.filename} was {verb} by rule {asked.rule}: {asked.message}",
        index=asked.index,
        upstream=asked.upstream,
        project=asked.project,
        filename=asked.filename,
        detail={
            "decision": str(asked.decision),
            "rule": asked.rule,
            "code": asked.code,
            **({"sha256": asked.sha256} if asked.sha256 is not None else {}),
            **({"version": asked.version} if asked.version is not None else {}),
        },
    )


def denial_of(asked: Asked) -> Act | None:
    """That somebody was stopped, as the act of which there is one an hour; None where nobody was."""
    if asked.decision is Decision.ALLOW:
        return None
    verb = "held" if asked.decision is Decision.HOLD else "denied"
    facts = {
        "upstream": asked.upstream,
        "version": asked.version,
        "sha256": asked.sha256,
        "decision": str(asked.decision),
        "rule": asked.rule,
        "code": asked.code,
        "asked_for": "metadata" if asked.metadata else "file",
    }
    return Act(
        at=asked.at,
        kind=ActKind.FILE_DENIED,
        by=asked.who or (ANONYMOUS if asked.client else ""),
        client=asked.client,
        message=f"{asked.filename} was {verb} by rule {asked.rule}: {asked.message}",
        index=asked.index,
        project=str(asked.project),
        target=str(asked.filename),
        detail={name: fact for name, fact in facts.items() if fact},
    )

"""What is written into the audit trail of decisions: who made or revoked what, and from where."""

from __future__ import annotations

from datetime import datetime
from typing import Final, assert_never

from inbond.model.acts import COMMAND, Act, ActKind
from inbond.model.decisions import Decided, Pin, Rejection, Waiver
from inbond.policy.rule import stamp

_KINDS: Final = {Waiver: "waiver", Rejection: "rejection", Pin: "pin"}


def decision_made(decided: Decided, *, now: datetime, message: str, client: str = COMMAND) -> Act:
    """A decision was put in force. `message`: it in one sentence; `client`: the address of whoever made it."""
    return _act(ActKind.DECISION_MADE, decided, by=decided.by, now=now, message=message, client=client)


def decision_revoked(decided: Decided, *, by: str, now: datetime, message: str, client: str = COMMAND) -> Act:
    """A decision was ended by somebody."""
    return _act(ActKind.DECISION_REVOKED, decided, by=by, now=now, message=message, client=client)


def _act(kind: ActKind, decided: Decided, *, by: str, now: datetime, message: str, client: str) -> Act:
    return Act(
        at=now,
        kind=kind,
        by=by,
        client=client,
        message=message,
        index=None if isinstance(decided, Pin) else decided.index,
        project=str(decided.project if isinstance(decided, Pin) else decided.target.project),
        target=decided.id,
        detail={"kind": _KINDS[type(decided)], "reason": decided.reason, **_detail(decided)},
    )


def _detail(decided: Decided) -> dict[str, str]:
    match decided:
        case Waiver():
            return {"target": str(decided.target), "rule": decided.rule, "until": stamp(decided.until)}
        case Rejection():
            return {"target": str(decided.target)}
        case Pin():
            return {"publisher": str(decided.publisher), "repository_id": decided.repository_id or ""}
        case _:
            assert_never(decided)

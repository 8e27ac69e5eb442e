"""A decision as JSON, the same wherever one stands. Programs rely on its shape: keys are added, never changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any, assert_never

from inbond.model.decisions import Decided, Pin, Rejection, Waiver


def timestamp(moment: datetime | None) -> str | None:
    """RFC 3339 in UTC, to the second, downwards."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment is not None else None


def decision_json(decided: Decided, now: datetime | None = None) -> dict[str, Any]:
    """A decision, ready to encode; None for what is not set. `now`: None where it is known to be in force."""
    made = {
        "reason": decided.reason,
        "by": decided.by,
        "at": timestamp(decided.at),
        "source": str(decided.source),
    }
    match decided:
        case Waiver():
            what = {"target": str(decided.target), "rule": decided.rule, "index": decided.index}
            expired = now is not None and decided.until <= now
            return {"id": decided.id, **what, "until": timestamp(decided.until), "expired": expired, **made}
        case Rejection():
            return {"id": decided.id, "target": str(decided.target), "index": decided.index, **made}
        case Pin():
            what = {"project": str(decided.project), "publisher": str(decided.publisher)}
            return {"id": decided.id, **what, "repository_id": decided.repository_id, **made}
        case _:
            assert_never(decided)

"""What a tried policy changes, as JSON. Programs rely on its shape: keys are added, never changed."""

from __future__ import annotations

import json
from typing import Any, Final, assert_never

from inbond.cli.policy_test_run import Tried
from inbond.reporting.difference import Change, Compared, Difference
from inbond.reporting.fates import Fate, Told, Untold
from inbond.web.verdict_json import timestamp

VERSION: Final = 1


def dumps(tried: Tried) -> str:
    """All of it, indented, in ASCII, with a newline at its end."""
    return f"{json.dumps(document(tried), indent=2)}\n"


def document(tried: Tried) -> dict[str, Any]:
    """All of it, ready to encode."""
    comparison = tried.comparison
    return {
        "version": VERSION,
        "at": timestamp(tried.at),
        "index": tried.index,
        "before": tried.before,
        "after": tried.after,
        "recorded_since": timestamp(tried.recorded_since),
        "ledger": tried.ledger,
        "projects": tried.projects,
        "files": {str(change): comparison.files.get(change, 0) for change in Change},
        "people": {str(change): comparison.people(change) for change in Change if change is not Change.SAME},
        "stopped_before": comparison.stopped_before,
        "stopped_after": comparison.stopped_after,
        "differences": [_difference(one) for one in comparison.differences],
    }


def _difference(one: Difference) -> dict[str, Any]:
    return {
        "project": str(one.project),
        "change": str(one.change),
        "before": {"decision": _text(one.decision_before), "rule": one.rule_before or None},
        "after": {"decision": _text(one.decision_after), "rule": one.rule_after or None},
        "message": one.message or None,
        "reason": one.reason,
        "people": len(one.people),
        "requests": one.times,
        "files": [_file(file) for file in one.files],
    }


def _file(file: Compared) -> dict[str, Any]:
    return {
        "version": file.version,
        "filename": _text(file.filename),
        "people": len(file.clients),
        "requests": file.times,
        "before": _told(file.before),
        "after": _told(file.after),
    }


def _told(one: Told) -> dict[str, Any]:
    match one:
        case Untold(reason=reason):
            return {"decision": None, "would": None, "rule": None, "code": None, "until": None, "reason": reason}
        case Fate():
            finding = one.in_force if one.stops else None
            return {
                "decision": str(one.decision),
                "would": str(one.would),
                "rule": finding.rule if finding is not None else None,
                "code": finding.code if finding is not None else None,
                "until": timestamp(finding.until) if finding is not None else None,
                "reason": None,
            }
        case _:
            assert_never(one)


def _text(value: object) -> str | None:
    return None if value is None else str(value)

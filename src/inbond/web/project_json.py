"""A project's background as JSON. Programs rely on its shape: keys are added, never changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from inbond.model.standing import Standing
from inbond.policy.timeline import Timeline, TimelineRelease
from inbond.web.decision_json import decision_json, timestamp
from inbond.web.verdict_json import finding_json


def timeline_json(timeline: Timeline) -> dict[str, Any]:
    """The timeline, ready to encode."""
    return {"releases": [_release(one) for one in timeline.releases], "left_out": timeline.left_out}


def _release(release: TimelineRelease) -> dict[str, Any]:
    return {
        "version": release.version,
        "at": timestamp(release.at),
        "files": release.files,
        "attested": str(release.trust) if release.trust is not None else None,
        "publishers": list(release.publishers),
        "marks": list(release.marks),
        "opens_line": release.opens_line,
        "decision": release.decision,
        "deciding": finding_json(release.deciding) if release.deciding is not None else None,
        "continuity": finding_json(release.continuity) if release.continuity is not None else None,
    }


def standing_json(standing: Standing, now: datetime) -> dict[str, Any]:
    """Decisions and advisories about a project, ready to encode; waivers that are over now among them."""
    return {
        "waivers": [decision_json(one, now) for one in standing.waivers],
        "rejections": [decision_json(one) for one in standing.rejections],
        "pins": [decision_json(one) for one in standing.pins],
        "advisories": [
            {"id": one.id, "malicious": one.malicious, "severity": str(one.severity), "summary": one.summary}
            for one in standing.advisories
        ],
    }

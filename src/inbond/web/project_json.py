"""A project's background as JSON. Programs rely on its shape: keys are added, never changed."""

from __future__ import annotations

from typing import Any

from inbond.model.standing import Standing
from inbond.policy.timeline import Timeline, TimelineRelease
from inbond.web.verdict_json import finding_json, timestamp


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


def standing_json(standing: Standing) -> dict[str, Any]:
    """Decisions and advisories about a project, ready to encode."""
    return {
        "waivers": [
            {
                "id": one.id,
                "target": str(one.target),
                "rule": one.rule,
                "index": one.index,
                "until": timestamp(one.until),
                "by": one.by,
                "reason": one.reason,
            }
            for one in standing.waivers
        ],
        "rejections": [
            {"id": one.id, "target": str(one.target), "index": one.index, "by": one.by, "reason": one.reason}
            for one in standing.rejections
        ],
        "pins": [
            {
                "id": one.id,
                "publisher": str(one.publisher),
                "repository_id": one.repository_id,
                "by": one.by,
                "reason": one.reason,
            }
            for one in standing.pins
        ],
        "advisories": [
            {"id": one.id, "malicious": one.malicious, "severity": str(one.severity), "summary": one.summary}
            for one in standing.advisories
        ],
    }

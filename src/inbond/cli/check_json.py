"""A check's outcome as JSON. Programs rely on its shape: keys are added, never changed."""

from __future__ import annotations

import json
from typing import Any, Final, assert_never

from inbond.check.compare import GRAVE, TrustChange
from inbond.check.files import FileReport, JudgedFile, UnlistedFile
from inbond.check.report import DependencyReport, LockFinding, LockReport
from inbond.cli.check_locks import Checked
from inbond.locks.lock import Dependency, Place
from inbond.web.verdict_json import evidence_json, finding_json, timestamp

VERSION: Final = 1


def dumps(checked: Checked) -> str:
    """The whole outcome, indented; in ASCII, since a lock may hold what a terminal would obey."""
    return json.dumps(document(checked), indent=2)


def document(checked: Checked) -> dict[str, Any]:
    """The whole outcome, ready to encode."""
    return {
        "version": VERSION,
        "locks": [_lock(report, left_out) for report, left_out in zip(checked.reports, checked.left_out, strict=True)],
        "against": checked.against,
        "changes": [_change(change) for change in checked.changes],
    }


def _lock(report: LockReport, left_out: int) -> dict[str, Any]:
    totals = report.totals
    return {
        "source": report.lock.source,
        "format": str(report.lock.format),
        "index": report.index,
        "policy": report.policy,
        "checked_at": timestamp(report.at),
        "result": str(report.result),
        "totals": {
            "dependencies": totals.dependencies,
            "own": len(report.own),
            "left_out": left_out,
            "results": {str(result): number for result, number in totals.by_result.items()},
            "dependencies_verified": totals.dependencies_verified,
            "files": totals.files,
            "files_attested": totals.files_attested,
            "files_verified": totals.files_verified,
        },
        "own": [_own(dependency) for dependency in report.own],
        "findings": [_lock_finding(finding) for finding in report.findings],
        "dependencies": [_dependency(row) for row in report.rows],
    }


def _own(dependency: Dependency) -> dict[str, Any]:
    version = str(dependency.version) if dependency.version is not None else None
    return {"project": str(dependency.project), "version": version, **_place(dependency.place)}


def _lock_finding(finding: LockFinding) -> dict[str, Any]:
    return {**finding_json(finding.finding), **_place(finding.place)}


def _dependency(row: DependencyReport) -> dict[str, Any]:
    dependency = row.dependency
    return {
        "project": str(dependency.project),
        "version": row.version,
        "specifier": str(dependency.specifier),
        "marker": str(dependency.marker) if dependency.marker is not None else None,
        **_place(dependency.place),
        "result": str(row.result),
        "could_not_tell": None if row.untold is None else {"reason": row.untold.reason, "remedy": row.untold.remedy},
        "upstream": row.upstream,
        "published": timestamp(row.published),
        "publishers": list(row.publishers),
        "attested": row.attested,
        "verified": row.verified,
        "findings": [finding_json(finding) for finding in row.findings],
        "files": [_file(file) for file in row.files],
    }


def _file(file: FileReport) -> dict[str, Any]:
    match file:
        case UnlistedFile(locked=locked):
            return {
                "filename": str(locked.filename) if locked.filename is not None else None,
                "sha256": locked.sha256,
                "result": str(file.result),
                "decision": None,
                "would": None,
                "expires_at": None,
                "findings": [finding_json(file.finding)],
                "evidence": None,
            }
        case JudgedFile(judgement=judgement):
            verdict = judgement.verdict
            return {
                "filename": str(judgement.file.filename),
                "sha256": judgement.file.sha256,
                "result": str(file.result),
                "decision": str(verdict.decision),
                "would": str(verdict.would) if verdict.would is not None else None,
                "expires_at": timestamp(verdict.expires_at),
                "findings": [finding_json(finding) for finding in (*file.findings, *verdict.findings)],
                "evidence": evidence_json(judgement.evidence),
            }
        case _:
            assert_never(file)


def _change(change: TrustChange) -> dict[str, Any]:
    return {
        "project": str(change.project),
        "change": str(change.change),
        "grave": change.change in GRAVE,
        "message": change.message,
    }


def _place(place: Place) -> dict[str, Any]:
    return {"file": place.source, "line": place.line or None}

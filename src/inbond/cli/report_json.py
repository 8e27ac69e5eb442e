"""A report as JSON. Programs rely on its shape: keys are added, never changed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from inbond.model.occurrence import Occurrence
from inbond.reporting.report import Entry, Report
from inbond.reporting.stops import Sum, people_of, sums_by
from inbond.web.verdict_json import timestamp

VERSION: Final = 1


def dumps(report: Report) -> str:
    """The whole report, indented, in ASCII, with a newline at its end."""
    return f"{json.dumps(document(report), indent=2)}\n"


def document(report: Report) -> dict[str, Any]:
    """The whole report, ready to encode."""
    return {
        "version": VERSION,
        "at": timestamp(report.at),
        "since": timestamp(report.since),
        "index": report.index,
        "recorded_since": timestamp(report.recorded_since),
        "ledger": report.ledger,
        "readiness": str(report.readiness),
        "recorded": _section(report.recorded),
        "stopped": _section(report.stopped),
        "served_turned_bad": [_occurrence(one) for one in report.turned_bad],
        "noticed": [_occurrence(one) for one in report.noticed],
        "waivers": list(report.waivers),
    }


def _section(entries: Sequence[Entry]) -> dict[str, Any]:
    stops = [entry.stop for entry in entries]
    return {
        "people": len(people_of(stops)),
        "requests": sum(stop.times for stop in stops),
        "by_index": [_sum(one) for one in sums_by(stops, lambda stop: stop.index)],
        "by_rule": [_sum(one) for one in sums_by(stops, lambda stop: stop.rule)],
        "by_project": [_sum(one) for one in sums_by(stops, lambda stop: stop.project)],
        "releases": [_entry(entry) for entry in entries],
    }


def _sum(one: Sum) -> dict[str, Any]:
    return {"name": one.name, "people": one.people, "requests": one.times, "releases": one.releases}


def _entry(entry: Entry) -> dict[str, Any]:
    stop, now = entry.stop, entry.now
    finding = now.finding
    return {
        "index": stop.index,
        "upstream": stop.upstream,
        "project": str(stop.project),
        "version": stop.version,
        "rule": stop.rule,
        "code": stop.code,
        "message": stop.message,
        "decision": str(stop.decision),
        "files": [str(name) for name in stop.files],
        "people": stop.people,
        "requests": stop.times,
        "first_at": timestamp(stop.first_at),
        "last_at": timestamp(stop.last_at),
        "installs": [
            {"client": asker.client, "requests": asker.times, "last_at": timestamp(asker.last_at)}
            for asker in stop.askers
        ],
        "now": {
            "still": str(now.still),
            "decision": str(now.decision) if now.finding is not None else None,
            "rule": finding.rule if finding is not None else None,
            "code": finding.code if finding is not None else None,
            "message": finding.message if finding is not None else None,
            "remedy": finding.remedy if finding is not None else None,
            "until": timestamp(finding.until) if finding is not None else None,
            "reason": now.reason,
        },
        "waivers": list(now.waivers),
    }


def _occurrence(one: Occurrence) -> dict[str, Any]:
    return {
        "key": one.key,
        "kind": str(one.kind),
        "at": timestamp(one.at),
        "index": one.index,
        "upstream": one.upstream,
        "project": str(one.project) if one.project is not None else None,
        "filename": str(one.filename) if one.filename is not None else None,
        "message": one.message,
        "detail": dict(one.detail),
    }

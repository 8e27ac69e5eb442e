"""A check's outcome as SARIF 2.1.0 (OASIS), for code scanning: a result for each entry that is not clear."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from inbond import __version__
from inbond.check.compare import GRAVE, TrustChange
from inbond.check.files import RESULT_OF, Result
from inbond.check.report import DependencyReport, LockReport
from inbond.cli.check_locks import Checked
from inbond.locks.lock import LockFormat, Place
from inbond.policy.explain import waived
from inbond.policy.rule import clean

SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
UNTOLD_RULE: Final = "could-not-tell"
MAX_MESSAGE_CHARS: Final = 1000
# What could not be told is never a pass.
_LEVELS: Final = {Result.WARNED: "warning", Result.HELD: "error", Result.DENIED: "error", Result.UNTOLD: "error"}


def dumps(checked: Checked, *, base: Path) -> str:
    """The log, indented and in ASCII. Paths below `base` are written relative to it, as code scanning wants them."""
    return json.dumps(document(checked, base=base), indent=2)


def document(checked: Checked, *, base: Path) -> dict[str, Any]:
    """The log, ready to encode."""
    results = [result for report in checked.reports for result in _results(report, base)]
    typed = {row.dependency.place for report in checked.reports if _is_typed(report) for row in report.rows}
    results += [_changed(change, typed, base) for change in checked.changes if change.change in GRAVE]
    rules = sorted({result["ruleId"] for result in results})
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "inbond",
                        "semanticVersion": __version__,
                        "rules": [{"id": rule, "shortDescription": {"text": f"inbond rule {rule}"}} for rule in rules],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [{**result, "ruleIndex": rules.index(result["ruleId"])} for result in results],
            }
        ],
    }


def _is_typed(report: LockReport) -> bool:
    """Whether it is about requirements on the command line: those stand in no file that could be shown."""
    return report.lock.format is LockFormat.REQUIREMENT


def _results(report: LockReport, base: Path) -> Iterable[dict[str, Any]]:
    for row in report.rows:
        if row.result is not Result.CLEAR:
            rule, text = _told(row)
            yield _result(rule, _LEVELS[row.result], text, None if _is_typed(report) else row.dependency.place, base)
        yield from _waived(row, None if _is_typed(report) else row.dependency.place, base)
    for finding in report.findings:
        text = _sentences(finding.finding.message, finding.finding.remedy)
        yield _result(
            finding.finding.rule,
            _LEVELS.get(finding.result, "note"),
            text,
            None if _is_typed(report) else finding.place,
            base,
        )


def _waived(row: DependencyReport, place: Place | None, base: Path) -> Iterable[dict[str, Any]]:
    """What a waiver lifts: a result that is suppressed (SARIF 2.1.0, 3.27.23), so that no alert is made of it."""
    for finding in row.waived:
        subject = f"{row.dependency.project} {row.version or ''}".strip()
        result = _result(
            finding.rule, _LEVELS[RESULT_OF[finding.outcome]], f"{subject}: {finding.message}", place, base
        )
        suppression = {"kind": "external", "status": "accepted", "justification": waived(finding)}
        yield {**result, "suppressions": [suppression]}


def _told(row: DependencyReport) -> tuple[str, str]:
    subject = f"{row.dependency.project} {row.version or ''}".strip()
    if row.untold is not None:
        return UNTOLD_RULE, f"{subject}: {_sentences(row.untold.reason, row.untold.remedy)}"
    finding = row.deciding
    if finding is None:
        return UNTOLD_RULE, f"{subject}: could not be told"
    rule = UNTOLD_RULE if row.result is Result.UNTOLD else finding.rule
    return rule, f"{subject} is {row.result}: {_sentences(finding.message, finding.remedy)}"


def _changed(change: TrustChange, typed: set[Place], base: Path) -> dict[str, Any]:
    place = change.row.dependency.place if change.row is not None else None
    place = None if place in typed else place
    return _result(str(change.change), "warning", f"{change.project}: {_sentences(change.message, None)}", place, base)


def _result(rule: str, level: str, text: str, place: Place | None, base: Path) -> dict[str, Any]:
    text = clean(text, MAX_MESSAGE_CHARS)
    uri = _uri(place.source, base) if place is not None else ""
    # Without the line: an entry that moves within its lock is the same result.
    print_of = hashlib.sha256(f"{rule}\0{uri}\0{text}".encode()).hexdigest()
    return {
        "ruleId": rule,
        "level": level,
        "message": {"text": text},
        **({"locations": [{"physicalLocation": _location(uri, place.line)}]} if place is not None else {}),
        "partialFingerprints": {"inbond/v1": print_of},
    }


def _location(uri: str, line: int) -> dict[str, Any]:
    region = {"region": {"startLine": line}} if line else {}
    return {"artifactLocation": {"uri": uri}, **region}


def _uri(source: str, base: Path) -> str:
    path = Path(source)
    if path.is_absolute() and path.is_relative_to(base):
        path = path.relative_to(base)
    return path.absolute().as_uri() if path.is_absolute() else quote(os.fsencode(path.as_posix()))


def _sentences(message: str, remedy: str | None) -> str:
    told = message if message.endswith(".") else f"{message}."
    return told if not remedy else f"{told} What to do: {remedy}."

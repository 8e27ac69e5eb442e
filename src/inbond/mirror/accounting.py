"""From what an examination found and what was fetched to what became of each entry. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import assert_never

from inbond.check.files import RESULT_OF, FileReport, JudgedFile, Result, UnlistedFile
from inbond.check.report import DependencyReport
from inbond.check.selection import NOT_LISTED
from inbond.mirror.fetching import stopped
from inbond.mirror.outcomes import EntryOutcome, FileOutcome, State, Trouble
from inbond.model.names import Filename, ProjectName
from inbond.model.verdict import Finding

# Upstream, project and filename.
FileKey = tuple[str, ProjectName, Filename]

_PASSING = frozenset({Result.CLEAR, Result.WARNED})
_UNFIT = Trouble(
    reason="none of its files is for the Pythons and platforms asked for",
    remedy="nothing, where it is for others; else ask for more with --python and --platform",
)


def to_fetch(report: DependencyReport) -> dict[FileKey, JudgedFile]:
    """The files of an entry that are let through."""
    return {
        _key(report, file): file for file in report.judged if file.result in _PASSING and file.judgement.verdict.allowed
    }


def entry_of(report: DependencyReport, fetched: Mapping[FileKey, FileOutcome]) -> EntryOutcome:
    """What became of an entry. `fetched` has everything that `to_fetch` names."""
    own, trouble = _own(report)
    return EntryOutcome(
        project=report.dependency.project,
        version=report.version,
        upstream=report.upstream,
        files=tuple(_file(report, file, fetched) for file in report.files),
        own=own,
        trouble=trouble,
        notes=tuple(finding.message for finding in report.findings if RESULT_OF[finding.outcome] is Result.WARNED),
    )


def merged(entries: Iterable[EntryOutcome]) -> tuple[EntryOutcome, ...]:
    """Entries of one release as one, in the order of projects and versions; several locks name the same."""
    found: dict[tuple[str | None, ProjectName, str | None], EntryOutcome] = {}
    for entry in entries:
        key = (entry.upstream, entry.project, entry.version)
        found[key] = _together(found[key], entry) if key in found else entry
    return tuple(sorted(found.values(), key=lambda entry: (entry.project, entry.version or "")))


def _together(one: EntryOutcome, other: EntryOutcome) -> EntryOutcome:
    fitting = [entry for entry in (one, other) if entry.own is not State.UNFIT] or [one]
    worse = next((entry for entry in fitting if entry.own is not State.KEPT), fitting[0])
    return replace(
        one,
        files=tuple(dict.fromkeys((*one.files, *other.files))),
        own=worse.own,
        trouble=worse.trouble,
        notes=tuple(dict.fromkeys((*one.notes, *other.notes))),
    )


def _own(report: DependencyReport) -> tuple[State, Trouble | None]:
    if report.untold is not None:
        return State.MISSING, Trouble(reason=report.untold.reason, remedy=report.untold.remedy)
    for finding in report.findings:
        if RESULT_OF[finding.outcome] not in _PASSING:
            return _state_of(finding), _trouble_of(finding)
    return (State.KEPT, None) if report.files else (State.UNFIT, _UNFIT)


def _file(report: DependencyReport, file: FileReport, fetched: Mapping[FileKey, FileOutcome]) -> FileOutcome:
    match file:
        case UnlistedFile():
            return _unlisted(file)
        case JudgedFile():
            outcome = fetched.get(_key(report, file))
            if outcome is not None:
                return outcome
            return _left_out(file) if report.passed_over(file) else _stopped(file)
        case _:
            assert_never(file)


def _unlisted(file: UnlistedFile) -> FileOutcome:
    locked = file.locked
    return FileOutcome(
        filename=str(locked.filename) if locked.filename is not None else None,
        sha256=locked.sha256,
        size=locked.size,
        state=State.LEFT_OUT if file.result in _PASSING else _state_of(file.finding),
        trouble=_trouble_of(file.finding),
    )


def _left_out(file: JudgedFile) -> FileOutcome:
    return replace(stopped(file.judgement), state=State.LEFT_OUT, trouble=None)


def _stopped(file: JudgedFile) -> FileOutcome:
    """What the policy stops, or what the lock says otherwise than the page, or could not be judged."""
    outcome = stopped(file.judgement)
    own = next((finding for finding in file.findings if RESULT_OF[finding.outcome] not in _PASSING), None)
    if file.judgement.verdict.allowed and own is not None:
        return replace(outcome, state=_state_of(own), trouble=_trouble_of(own))
    return replace(outcome, state=State.MISSING) if file.result is Result.UNTOLD else outcome


def _state_of(finding: Finding) -> State:
    """What the index does not have cannot be had; what it has otherwise than the lock says is denied."""
    return State.MISSING if finding.rule == NOT_LISTED else State.DENIED


def _trouble_of(finding: Finding) -> Trouble:
    return Trouble(reason=finding.message, remedy=finding.remedy, until=finding.until)


def _key(report: DependencyReport, file: JudgedFile) -> FileKey:
    return report.upstream or "", report.dependency.project, file.judgement.file.filename

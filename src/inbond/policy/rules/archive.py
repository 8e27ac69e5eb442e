"""An archive whose inside disagrees with its outside (`inbond.archive`): who looks and who installs may see two things.

It speaks once the bytes are here. What it then finds stops them before the last of them leave, and from then on stands
on the page.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from inbond.model.inspection import NotInspected, Odd, Sane
from inbond.model.verdict import Finding, Outcome
from inbond.policy.case import Case, PageCase, Undated
from inbond.policy.rule import enact, warn

name: Final = "archive"

# Until then PyPI took wheels whose RECORD does not fit, and only told their uploaders; many honest ones are among them.
REFUSED_SINCE: Final = datetime(2026, 2, 1, tzinfo=UTC)

_SHOWN_DIGITS: Final = 12  # as in /why/ addresses
_REMEDY: Final = "use another version; tell the project what its file looks like"
_REMEDY_OLD: Final = "look at it, or use a newer version: of files before 2026-02-01 this is only told"
_REMEDY_UNSEEN: Final = "look at it yourself; inbond looks again after a restart"


def applies(shared: PageCase) -> bool:
    """Unless `archive = "off"`."""
    return shared.project_policy.archive.outcome is not Outcome.ALLOW


def judge(case: Case) -> Finding | None:
    """What to do about an odd archive; nothing is said of one that was not had yet."""
    if case.inspection is None or not applies(case.shared):
        return None
    match case.inspection:
        case Sane(metadata_sha256=found):
            told = case.file.metadata_sha256
            if told is None or found is None or told == found:
                return None
            here, there = found[:_SHOWN_DIGITS], told[:_SHOWN_DIGITS]
            message = f"its METADATA has sha256 {here}..., the .metadata of its index {there}..."
            return _found(case, message, code="other-metadata")
        case Odd(reasons=reasons):
            first, *others = reasons
            return _found(case, f"{first}, and {len(others)} more" if others else first, code="odd")
        case NotInspected(reason=reason):  # pragma: no branch (the match is exhaustive)
            return warn(name, f"not inspected: {reason}", remedy=_REMEDY_UNSEEN, code="not-inspected")


def _found(case: Case, message: str, *, code: str) -> Finding:
    time = case.trusted_time
    if time is Undated.OLD or (isinstance(time, datetime) and time < REFUSED_SINCE):
        return warn(name, message, remedy=_REMEDY_OLD, code=code)
    action = case.project_policy.archive
    return enact(action, rule=name, message=message, remedy=_REMEDY, since=time, now=case.now, code=code)

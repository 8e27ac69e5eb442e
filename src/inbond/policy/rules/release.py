"""A release stands or falls together: where a wheel is denied, installers would build the sdist instead.

It looks at verdicts, not at cases, and so runs after all other rules. Holds do not spread: they end.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from inbond.model.names import Filename, Kind
from inbond.model.page import File
from inbond.model.verdict import Decision, Finding, Verdict
from inbond.policy.rule import deny

name: Final = "release"


def judge(wheels: Iterable[tuple[Filename, Verdict]]) -> Finding | None:
    """What follows for whatever is not a wheel, from the verdicts on the wheels of its release.

    A denial that is only recorded is followed by one that is only recorded.
    """
    denied = [wheel for wheel in wheels if would_deny(wheel[1])]
    if not denied:
        return None
    finding = deny(
        name,
        f"a wheel of this release is denied: {min(filename for filename, _ in denied)}",
        remedy="clear the wheel; installers would build this instead",
        code="wheel-denied",
    )
    counted = any(verdict.decision is Decision.DENY for _, verdict in denied)
    return finding if counted else replace(finding, audited=True)


def would_deny(verdict: Verdict) -> bool:
    """Whether the file is denied, or would be without `audit`."""
    return Decision.DENY in (verdict.decision, verdict.would)


def spreads(file: File) -> bool:
    """Whether a denial of this file reaches the others of its release."""
    return file.kind is Kind.WHEEL

"""Waivers at work: what a rule found and an operator has lifted stays visible and does not count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType
from typing import Final

from inbond.model.decisions import Waiver
from inbond.model.page import File
from inbond.model.verdict import Finding, Outcome
from inbond.policy.case import PageCase
from inbond.policy.rules import filename, hashes, review

# Rules whose findings no waiver lifts, each with the reason. No policy relaxes length and digest, and no waiver does.
WHY_NEVER: Final[Mapping[str, str]] = MappingProxyType(
    {
        filename.name: "other bytes under a known filename are never let through",
        hashes.name: 'a file without a digest cannot be told from another; a policy may say hashes = "allow"',
        "digest": "bytes that are not those the index names are never let through",
        review.name: "a rejection is lifted by revoking it: inbond review revoke ID",
    }
)
NEVER_WAIVED: Final = frozenset(WHY_NEVER)
MAX_WAIVED: Final = timedelta(days=366)  # a waiver ends: what shall stay so is written into the policy
USUALLY_WAIVED: Final = timedelta(days=30)


def may_waive(rule: str) -> bool:
    """Whether a waiver can lift what the rule finds."""
    return rule not in NEVER_WAIVED


class Waiving:
    """The waivers in force on one page of one index."""

    def __init__(self, shared: PageCase) -> None:
        self._shared = shared
        self._by_rule: dict[str, list[Waiver]] = {}
        for waiver in shared.standing.waivers:
            if waiver.until > shared.now and waiver.index in (None, shared.index) and may_waive(waiver.rule):
                self._by_rule.setdefault(waiver.rule, []).append(waiver)
        # One object for all files of which the same is waived, as the engine shares verdicts by it. The finding is
        # held beside it: alive, its identity stays its own.
        self._waived: dict[tuple[int, str], tuple[Finding, Finding]] = {}

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._by_rule)

    def applied(self, finding: Finding, file: File) -> Finding:
        """The finding, lifted where a waiver covers the file; of several the one that lasts longest."""
        waivers = self._by_rule.get(finding.rule)
        if not waivers or finding.outcome < Outcome.HOLD:
            return finding
        page = self._shared.page
        version = page.version_of(file)
        covering = [one for one in waivers if one.covers(page.name, version, file.sha256)]
        if not covering:
            return finding
        waiver = max(covering, key=lambda one: (one.until, one.id))
        key = (id(finding), waiver.id)
        if key not in self._waived:
            self._waived[key] = (finding, replace(finding, waiver=waiver))
        return self._waived[key][1]

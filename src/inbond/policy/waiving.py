"""Waivers at work: what a rule found and an operator has lifted stays visible and does not count."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from inbond.model.decisions import Waiver
from inbond.model.page import File
from inbond.model.verdict import Finding, Outcome
from inbond.policy.case import PageCase
from inbond.policy.rules import filename, hashes

# No policy relaxes length and digest, and no waiver does.
NEVER_WAIVED: Final = frozenset({filename.name, hashes.name, "digest"})


class Waiving:
    """The waivers in force on one page of one index."""

    def __init__(self, shared: PageCase) -> None:
        self._shared = shared
        self._by_rule: dict[str, list[Waiver]] = {}
        for waiver in shared.standing.waivers:
            if waiver.until > shared.now and waiver.index in (None, shared.index) and waiver.rule not in NEVER_WAIVED:
                self._by_rule.setdefault(waiver.rule, []).append(waiver)
        # One object for all files of which the same is waived, as the engine shares verdicts by it. The finding is
        # held beside it: alive, its identity stays its own.
        self._waived: dict[tuple[int, str], tuple[Finding, Finding]] = {}

    def applied(self, finding: Finding, file: File) -> Finding:
        """The finding, lifted where a waiver covers the file; of several the one that lasts longest."""
        waivers = self._by_rule.get(finding.rule)
        if not waivers or finding.outcome < Outcome.HOLD:
            return finding
        page = self._shared.page
        version = page.version_of(file)
        covering = [one for one in waivers if one.target.covers(page.name, version, file.sha256)]
        if not covering:
            return finding
        waiver = max(covering, key=lambda one: (one.until, one.id))
        key = (id(finding), waiver.id)
        if key not in self._waived:
            self._waived[key] = (finding, replace(finding, waiver=waiver))
        return self._waived[key][1]

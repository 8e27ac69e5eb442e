"""Releases with known vulnerabilities (`[advisories.NAME]`), from a severity on."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Final

from inbond.advisories.matching import How, Match, matches, says_anything
from inbond.model.advisory import Severity
from inbond.model.verdict import Finding, Outcome
from inbond.policy.case import Case, PageCase
from inbond.policy.rule import FOREVER, enact
from inbond.policy.rules.malware import published
from inbond.policy.settings import Action

name: Final = "vulnerabilities"

_NO_FIX: Final = "use a version that no record names, or waive it until there is one"


def applies(shared: PageCase) -> bool:
    """Unless `vulnerabilities = "off"`, where an advisory says anything of the project."""
    if shared.project_policy.vulnerabilities.outcome is Outcome.ALLOW:
        return False
    return says_anything(shared.standing.advisories, malicious=False)


def judge(case: Case) -> Finding | None:
    """What the action makes of a file whose release is affected; a hold counts from the record's publication."""
    shared = case.shared
    policy = shared.project_policy
    action = policy.vulnerabilities
    if action.outcome is Outcome.ALLOW:
        return None
    found = matches(shared.standing.advisories, case.version, case.file.sha256, malicious=False)
    if not found:
        return None
    return _finding(found, policy.min_severity, action, shared.now if action.age is not None else None)


def counts(match: Match, least: Severity) -> bool:
    """Whether a vulnerability reaches a severity; one that nobody rated does."""
    return match.severity is Severity.UNKNOWN or match.severity >= least


# One object for all files of which the same is found: the engine shares verdicts by it.
@lru_cache(maxsize=1024)
def _finding(every: tuple[Match, ...], least: Severity, action: Action, now: datetime | None) -> Finding | None:
    found = tuple(one for one in every if counts(one, least))
    if not found:
        return None
    first, *others = found
    code = "unreadable-version" if first.how is How.UNREADABLE else "known"
    more = f", and {len(others)} more" if others else ""
    return enact(
        action,
        rule=name,
        message=f"{_shown(first)}{more}",
        remedy=_remedy(found),
        since=published(found),
        now=now or FOREVER,
        code=code,
    )


def _shown(match: Match) -> str:
    rating = "not rated" if match.severity is Severity.UNKNOWN else str(match.severity)
    if match.how is How.UNREADABLE:
        return f"{match.advisory.id} ({rating}) names versions, and which one this file is cannot be read"
    fix = f"fixed in {match.fixed}" if match.fixed is not None else "no fixed version is named"
    return f"{match.advisory.id} ({rating}): {fix}"


def _remedy(found: tuple[Match, ...]) -> str:
    fixes = [one.fixed for one in found if one.fixed is not None]
    return f"use {max(fixes)} or newer" if len(fixes) == len(found) else _NO_FIX

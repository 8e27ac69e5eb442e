"""What was worked out about a page, kept for the next time: it stands as long as all that it rests on is unchanged.

Unchanged means the very same objects, of values that nobody changes: of the whole page the page itself, its memory, the
policy, and what stands about the project; of a file its evidence and what was found in it, and the same of those that
it was compared with. Besides, no moment may have passed at which time alone might have changed it: the end of a hold or
of a waiver, and any age that the policy looks at. Whatever is in doubt is worked out anew.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple, Self

from inbond.model.evidence import EvidenceOrPending
from inbond.model.inspection import Inspection
from inbond.model.memory import PageMemory
from inbond.model.page import File, Page
from inbond.model.standing import NOTHING_STANDS, Standing
from inbond.model.verdict import Finding
from inbond.policy.case import Case, PageCase
from inbond.policy.rule import FOREVER, later
from inbond.policy.settings import PolicySettings, ProjectPolicy, SecurityFixes

_BEGIN: Final = datetime.min.replace(tzinfo=UTC)
# A file that was looked at, its evidence, and what was found in it.
Known = tuple[File, EvidenceOrPending, Inspection | None]


class Stands(NamedTuple):
    """Something worked out, and what it rests on beside the whole page. It stands from `since` on, and before `until`.

    `evidence` and `inspection` are of the file that it is about, where it is about one: files that are alike in these
    share one of it. `compared`: what else was looked at.
    """

    value: Any
    since: datetime
    until: datetime
    evidence: EvidenceOrPending | None = None
    inspection: Inspection | None = None
    compared: tuple[Known, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kept:
    """What is kept of one page of an index. Safe to use from threads: who is late works it out once more."""

    index: str
    page: Page
    memory: PageMemory | None
    settings: PolicySettings
    standing: Standing
    project_policy: ProjectPolicy
    shared: dict[str, Any] = field(default_factory=dict)  # what rules have worked out for all files of the page
    found: dict[Hashable, Stands] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        *,
        index: str,
        page: Page,
        memory: PageMemory | None,
        settings: PolicySettings,
        standing: Standing = NOTHING_STANDS,
    ) -> Self:
        """Nothing yet."""
        policy = settings.for_project(page.name)
        return cls(index=index, page=page, memory=memory, settings=settings, standing=standing, project_policy=policy)

    def is_about(
        self, index: str, page: Page, memory: PageMemory | None, settings: PolicySettings, standing: Standing
    ) -> bool:
        """Whether all that is known of the whole page is unchanged."""
        return (
            self.page is page
            and self.memory is memory
            and self.settings is settings
            and self.standing is standing
            and self.index == index
        )

    def case(self, now: datetime) -> PageCase:
        """What the cases of the page's files share at a moment."""
        return PageCase(
            index=self.index,
            page=self.page,
            memory=self.memory,
            settings=self.settings,
            project_policy=self.project_policy,
            now=now,
            standing=self.standing,
            kept=self.shared,
        )


class Ends:
    """Until when time alone changes nothing about files of a page, as seen from one moment."""

    def __init__(self, shared: PageCase) -> None:
        policy = shared.project_policy
        self._shared = shared
        self._ages = _ages(policy)
        # What is as old as that is of no age that a rule looks at. Nothing is where the calendar does not reach back.
        age = max(self._ages)
        self._old = shared.now - age if age < shared.now - _BEGIN else _BEGIN
        waivers = (waiver.until for waiver in shared.standing.waivers if waiver.until > shared.now)
        self.first = min(waivers, default=FOREVER)  # of what all files share
        # Which release a young file mends changes as the one grows old that one would get instead.
        self._mends = bool(shared.standing.advisories) and policy.security_fixes is not SecurityFixes.WAIT

    def of(self, case: Case, first: datetime) -> datetime | None:
        """The end for one file; None where it cannot be told. `first`: that of its findings, or of all files."""
        shared = self._shared
        if shared.memory is not None and case.file.filename not in shared.memory.first_seen:
            return None  # it appears now, whenever that is
        time = case.trusted_time
        if not isinstance(time, datetime) or time <= self._old:
            return first
        if self._mends:
            return None
        return min([first, *(end for age in self._ages if (end := later(time, age)) > shared.now)])

    def of_findings(self, findings: Iterable[Finding]) -> datetime:
        """When the first of these ends by itself, or what all files share does."""
        return min([self.first, *(finding.until for finding in findings if finding.until is not None)])


def _ages(policy: ProjectPolicy) -> tuple[timedelta, ...]:
    """The ages at which a rule looks at a file differently, by its trusted time."""
    actions = (policy.archive, policy.backdated, policy.continuity, policy.pull_requests, policy.unsupported)
    return tuple({policy.min_age, *(action.age for action in actions if action.age is not None)})

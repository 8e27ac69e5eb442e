"""A case: one file, what is known about it, and the policy that is asked. All that a rule may look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, Final

from packaging.version import Version

from inbond.model.evidence import (
    Absent,
    EvidenceOrPending,
    Pending,
    Rejected,
    Unsupported,
    Verified,
    VerifiedAttestation,
)
from inbond.model.inspection import Inspection
from inbond.model.memory import PageMemory
from inbond.model.names import Filename
from inbond.model.page import Claim, File, Page
from inbond.model.standing import NOTHING_STANDS, Standing
from inbond.policy.past import History
from inbond.policy.settings import PolicySettings, ProjectPolicy, UnknownDate

_WITH_ATTESTATIONS: Final = (Verified, Unsupported, Rejected)


# One object each: what rests on evidence is unchanged where that is the very same.
ABSENT: Final = Absent()
PENDING: Final = Pending()


class Undated(Enum):
    """What stands for a trusted time where there is none."""

    OLD = "old"  # counts as older than any age a policy asks for
    UNKNOWN = "unknown"  # `unknown_date = "deny"`: no age can be told, so no hold can end


TrustedTime = datetime | Undated


@dataclass(frozen=True, slots=True, kw_only=True)
class PageCase:
    """What the cases of all files of a page share.

    `memory` is None where the project has never been seen: then the page at hand is its first sight.
    """

    index: str
    page: Page
    memory: PageMemory | None
    settings: PolicySettings
    project_policy: ProjectPolicy  # `settings` as refined for the page's project
    now: datetime
    standing: Standing = NOTHING_STANDS
    # What rules have worked out once for all files of the page, by name; no part of what the case says. It may be kept
    # (`inbond.policy.kept`), so nothing that depends on the moment or on any file's evidence is in there.
    kept: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)
    # What continuity has made of histories, by their identity: of this moment.
    replayed: dict[int, Any] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(
        cls,
        *,
        index: str,
        page: Page,
        memory: PageMemory | None,
        settings: PolicySettings,
        now: datetime,
        standing: Standing = NOTHING_STANDS,
    ) -> PageCase:
        """Resolves the project's policy, once for all its files."""
        return cls(
            index=index,
            page=page,
            memory=memory,
            settings=settings,
            project_policy=settings.for_project(page.name),
            now=now,
            standing=standing,
        )


@dataclass(slots=True, kw_only=True, eq=False)
class Case:
    """One file to be judged. Thousands are made for one page: what they share stands in `shared`, once.

    Nobody changes one; it is not frozen because that would take four times as long to make.
    """

    shared: PageCase
    file: File
    evidence: EvidenceOrPending
    inspection: Inspection | None = None  # None: its bytes were not had yet, or are of no kind that is looked into
    recall: Callable[[File], History] | None = None  # finds the releases before a file; None: there are none
    # The trusted time once a rule has asked for it: several do.
    _time: TrustedTime | None = field(init=False, default=None, repr=False)

    @property
    def index(self) -> str:
        """The name of the index whose policy is asked."""
        return self.shared.index

    @property
    def page(self) -> Page:
        """The page that lists the file."""
        return self.shared.page

    @property
    def memory(self) -> PageMemory | None:
        """What is remembered of the project."""
        return self.shared.memory

    @property
    def settings(self) -> PolicySettings:
        """The whole policy."""
        return self.shared.settings

    @property
    def project_policy(self) -> ProjectPolicy:
        """The policy's keys as they stand for this project."""
        return self.shared.project_policy

    @property
    def now(self) -> datetime:
        """The moment of judging, UTC."""
        return self.shared.now

    @property
    def history(self) -> History:
        """The settled releases before the file, found when a rule asks: it takes longer than most rules."""
        return self.recall(self.file) if self.recall is not None else History(time=self.shared.now)

    @property
    def version(self) -> Version | None:
        """The release that the file belongs to; None where its name does not tell."""
        return self.shared.page.version_of(self.file)

    @property
    def trusted_time(self) -> TrustedTime:
        """When the file came to be, as far as nobody can date it back (docs/design.md, "Trusted time").

        The latest of its upload time, the signed log times of its verified attestations and, for a file that
        appeared after its project was first seen, the moment it was first seen. `unknown_date` decides where
        upstream gives no upload time: `deny` is `UNKNOWN` whatever else is known, `allow` does not count when the
        file was first seen.
        """
        if self._time is None:
            self._time = self._find_trusted_time()
        return self._time

    def _find_trusted_time(self) -> TrustedTime:
        shared, evidence = self.shared, self.evidence
        latest = self.file.upload_time
        unknown_date = UnknownDate.FIRST_SEEN if latest is not None else shared.project_policy.unknown_date
        if unknown_date is UnknownDate.DENY:
            return Undated.UNKNOWN
        if unknown_date is UnknownDate.FIRST_SEEN and shared.memory is not None:
            appeared = self.appeared_at
            if appeared is not None and (latest is None or appeared > latest):
                latest = appeared
        # A verified attestation is about these very bytes, also where others beside it spoil the whole. A policy that
        # asks for no evidence must not decide by what somebody else's question has happened to bring in.
        if isinstance(evidence, _WITH_ATTESTATIONS) and shared.project_policy.asks_for_evidence:
            for attestation in evidence.attestations:
                signed = attestation.signed_at if isinstance(attestation, VerifiedAttestation) else None
                if signed is not None and (latest is None or signed > latest):
                    latest = signed
        return Undated.OLD if latest is None else latest

    @property
    def appeared_at(self) -> datetime | None:
        """When the file was first seen; None where it stood on the page when the project was first seen.

        A file that memory does not know yet appears now.
        """
        memory = self.shared.memory
        if memory is None:
            return None
        seen = memory.first_seen.get(self.file.filename)
        if seen is None:
            return self.shared.now
        return seen if seen > memory.project_first_seen else None


def evidence_of(file: File, evidence: Mapping[Filename, EvidenceOrPending]) -> EvidenceOrPending:
    """What is known of a file's provenance: what was established, or else what its page says."""
    known = evidence.get(file.filename)
    if known is not None:
        return known
    return ABSENT if file.provenance is Claim.NONE else PENDING

"""What a rule may know of the releases before a file; how they are chosen is `inbond.policy.history`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from packaging.version import Version

from inbond.model.evidence import EvidenceOrPending
from inbond.model.page import File


class Denied(IntEnum):
    """Whether another rule denies a release; `RECORDED`: only such as are audited do."""

    NO = 0
    RECORDED = 1
    YES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """An earlier release, by the one file that stands for it. `time`: when that came, by all that is known of it."""

    version: Version
    file: File
    evidence: EvidenceOrPending
    time: datetime
    denied: Denied = Denied.NO


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The settled releases before a file: of its own line the newest first, then of the lines below.

    `time`: when the file itself came. `newest`: the project's newest, where those are mostly of lower lines.
    `wheels`: for what is no wheel, releases by their wheels; `beside`: what is known of those of its own release.
    """

    time: datetime
    releases: tuple[Before, ...] = ()
    newest: tuple[Before, ...] = ()
    wheels: tuple[Before, ...] = ()
    beside: tuple[EvidenceOrPending, ...] = ()

    @property
    def all(self) -> tuple[Before, ...]:
        """Every file that stands for a release, once."""
        return tuple({one.file.filename: one for one in (*self.releases, *self.newest, *self.wheels)}.values())

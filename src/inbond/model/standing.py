"""What bears on a project's verdicts besides its page, evidence and memory of files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Self

from packaging.version import Version

from inbond.model.advisory import Advisory
from inbond.model.decisions import Pin, Rejection, Waiver


@dataclass(frozen=True, slots=True, kw_only=True)
class Established:
    """A repository by which a settled release was published: memory, so it outlives the release.

    `repository` is the publisher without workflow and environment, as patterns write it, in small letters where the
    forge does not tell them apart; the ids are the certificate's (Fulcio .15 and .17).
    """

    repository: str
    repository_id: str
    owner_id: str | None
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Decisions about a project, advisories on it, and its established repositories.

    `digest` differs wherever anything else here does; verdicts and pages are kept under it.
    """

    digest: str = ""
    waivers: tuple[Waiver, ...] = ()
    rejections: tuple[Rejection, ...] = ()
    pins: tuple[Pin, ...] = ()
    advisories: tuple[Advisory, ...] = ()
    established: tuple[Established, ...] = ()

    def advisories_on(self, version: Version | None, sha256: str | None) -> tuple[Advisory, ...]:
        """The advisories that a file may be meant by; also those that name versions, where its own cannot be read."""
        return tuple(one for one in self.advisories if one.names(sha256) or one.affects(version) is not False)

    def on(self, index: str) -> Self:
        """What of it is told on an index: what was decided for another one alone is nothing to its readers."""
        return replace(
            self,
            waivers=tuple(one for one in self.waivers if one.index in {None, index}),
            rejections=tuple(one for one in self.rejections if one.index in {None, index}),
        )


NOTHING_STANDS: Final = Standing()

"""What came of an import, as values: what was taken, what was refused and why, what looks different from here."""

from __future__ import annotations

from dataclasses import dataclass, field

from inbond.bundles.manifest import Manifest
from inbond.model.imports import Brought
from inbond.model.names import Filename, ProjectName
from inbond.model.verdict import Decision, Judgement


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """A carried file, as this side finds it: a judgement of each index that would serve it.

    `unusable`: why it cannot be served whatever the policy says; then nothing was judged.
    `told`: the state of its evidence that the sending side came to.
    """

    upstream: str
    project: ProjectName
    filename: Filename
    sha256: str
    size: int  # bytes
    judgements: tuple[Judgement, ...] = ()
    unusable: str | None = None
    told: str | None = None
    found: str | None = None

    @property
    def refused(self) -> bool:
        """Whether it is left out: no index here would ever give it away as things stand."""
        return all(one.verdict.decision is Decision.DENY for one in self.judgements)

    @property
    def held(self) -> bool:
        """Whether it is taken, and no index here gives it away yet."""
        return not self.refused and not any(one.verdict.allowed for one in self.judgements)

    @property
    def differs(self) -> bool:
        """Whether this side came to other evidence than the sending one."""
        return None not in (self.told, self.found) and self.told != self.found

    @property
    def reason(self) -> str | None:
        """Why it is refused or held; None where it is neither."""
        if self.unusable is not None:
            return self.unusable
        stopped = [one for one in self.judgements if not one.verdict.allowed]
        return stopped[0].headline if len(stopped) == len(self.judgements) and stopped else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A bundle that was read to its end, found genuine, and judged.

    `kept`: whether it is in force now, unless nothing of it was `taken`. `brought`: what else changed here by that, or
    would.
    """

    manifest: Manifest
    sha256: str  # of the manifest
    key: str
    kept: bool
    files: tuple[Examined, ...]
    size: int  # bytes of all carried blobs, which were read and hashed
    written: int  # bytes of those that were not here before
    seconds: float
    brought: Brought = field(default_factory=Brought)
    again: bool = False  # whether this very bundle was imported before
    late: tuple[str, ...] = ()  # upstreams that a server which runs offline answers for only once it is restarted

    @property
    def nothing(self) -> bool:
        """Whether all files of it are refused. What it says of others, as newer advisories, counts all the same."""
        return bool(self.files) and not self.taken

    @property
    def refused(self) -> tuple[Examined, ...]:
        """The files that are left out."""
        return tuple(file for file in self.files if file.refused)

    @property
    def held(self) -> tuple[Examined, ...]:
        """The files that are taken and wait."""
        return tuple(file for file in self.files if file.held)

    @property
    def different(self) -> tuple[Examined, ...]:
        """The files whose evidence looks different from here."""
        return tuple(file for file in self.files if file.differs)

    @property
    def taken(self) -> tuple[Examined, ...]:
        """The files that are in force, or would be."""
        return tuple(file for file in self.files if not file.refused)

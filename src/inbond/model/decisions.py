"""What an operator has decided about single releases and publishers: waivers, rejections and pins.

Each is narrow, has an author and a reason, and stands in the ledger or in the configuration. Its id is made of what it
says, so that the same decision in two places is one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, Self

from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import Version

from inbond.model import specifiers
from inbond.model.names import ProjectName, is_sha256
from inbond.model.publisher import PublisherPattern

ID_DIGITS: Final = 10
_DIGEST: Final = "@sha256:"


class Source(StrEnum):
    """Where a decision stands."""

    LEDGER = "ledger"
    CONFIGURATION = "configuration"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a decision is about: one project, or some of its versions, or one file by its digest."""

    project: ProjectName
    specifier: str = ""  # PEP 440, in packaging's own writing; empty: every version
    sha256: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads `flask`, `flask==3.1.0`, `flask>=3,<3.2` or `flask@sha256:DIGEST`. Raises ValueError."""
        name, at, digest = text.strip().partition(_DIGEST)
        if at:
            if not is_sha256(digest):
                raise ValueError(f"{text!r}: behind '@sha256:' stand 64 hexadecimal digits in small letters")
            return cls(project=ProjectName(name.strip()), sha256=digest)
        try:
            requirement = Requirement(name)
        except InvalidRequirement as error:
            raise ValueError(f"{text!r} is not a project with versions or a digest, such as 'flask==3.1.0'") from error
        if requirement.extras or requirement.marker or requirement.url:
            raise ValueError(f"{text!r}: only a name and versions, or a digest, can stand here")
        return cls(project=ProjectName(requirement.name), specifier=str(requirement.specifier))

    def covers(self, project: ProjectName, version: Version | None, sha256: str | None) -> bool | None:
        """Whether a file is meant; None where versions are named and the file's cannot be read."""
        if project != self.project:
            return False
        if self.sha256 is not None:
            return sha256 == self.sha256
        if not self.specifier:
            return True
        if version is None:
            return None
        return specifiers.names(self.specifier, version)

    @property
    def is_every_version(self) -> bool:
        """Whether it is the whole project, with all that will be released."""
        return not self.specifier and self.sha256 is None

    def __str__(self) -> str:
        return f"{self.project}{_DIGEST}{self.sha256}" if self.sha256 is not None else f"{self.project}{self.specifier}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """Lifts what one rule finds about a target, on one index or all (None), until a time."""

    target: Target
    rule: str
    until: datetime
    reason: str
    by: str
    at: datetime | None = None  # None: of the configuration, undated
    index: str | None = None
    source: Source = Source.LEDGER

    def covers(self, project: ProjectName, version: Version | None, sha256: str | None) -> bool:
        """Whether a file is meant: `==1.0` means no `1.0+local`, and versions mean no file whose own cannot be read."""
        if not self.target.covers(project, version, sha256):
            return False
        specifier = self.target.specifier
        return not specifier or version is None or specifiers.names_exactly(specifier, version)

    @property
    def id(self) -> str:
        """`w-` and ten hexadecimal digits."""
        return _id("w", self.target, self.rule, self.index or "*", self.until.isoformat(), self.reason, self.by)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """Denies a target on one index or all (None) until it is revoked: somebody looked, and said no."""

    target: Target
    reason: str
    by: str
    at: datetime | None = None
    index: str | None = None
    source: Source = Source.LEDGER

    @property
    def id(self) -> str:
        """`r-` and ten hexadecimal digits."""
        return _id("r", self.target, self.index or "*", self.reason, self.by)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """Accepts a publisher of a project: to `continuity` it is as if a settled release were by it.

    `repository_id`: accepts the repository of that id under its name, where another stood there before.
    """

    project: ProjectName
    publisher: PublisherPattern
    reason: str
    by: str
    at: datetime | None = None
    repository_id: str | None = None
    source: Source = Source.LEDGER

    @property
    def id(self) -> str:
        """`p-` and ten hexadecimal digits."""
        return _id("p", self.project, self.publisher, self.repository_id or "*")


Decided = Waiver | Rejection | Pin


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A decision of the configuration, and where it is written."""

    decided: Decided
    place: str = field(compare=False)


def _id(kind: str, *parts: object) -> str:
    text = "\x00".join(map(str, parts))
    return f"{kind}-{hashlib.sha256(text.encode()).hexdigest()[:ID_DIGITS]}"

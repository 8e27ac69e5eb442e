"""What is known against releases of a project: one OSV record as it bears on one project (https://ossf.github.io/osv-schema/)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from packaging.version import Version


class Severity(IntEnum):
    """How grave a vulnerability is said to be, by CVSS's qualitative scale; `UNKNOWN` where nobody rated it."""

    UNKNOWN = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class AffectedRange:
    """Versions between two events of a record: `introduced` is in, `fixed` is out, `last_affected` is in.

    `introduced` is None where it says "0", which comes before every version; both ends are None where it has none.
    """

    introduced: Version | None = None
    fixed: Version | None = None
    last_affected: Version | None = None

    @property
    def is_everything(self) -> bool:
        """Whether no version lies outside."""
        return self.introduced is None and self.fixed is None and self.last_affected is None

    def contains(self, version: Version) -> bool:
        """Whether the version is affected."""
        if self.introduced is not None and version < self.introduced:
            return False
        if self.fixed is not None and version >= self.fixed:
            return False
        return self.last_affected is None or version <= self.last_affected


@dataclass(frozen=True, slots=True, kw_only=True)
class Advisory:
    """A record that is not withdrawn, about one project.

    `malicious`: it says that the release is malware (an id that begins with `MAL-`), not that it has a weakness.
    `digests`: sha256 of single files that it names; a record that names files alone affects no version as such.
    `odd_versions`: it names versions, too, that no rule reads.
    """

    id: str
    malicious: bool = False
    severity: Severity = Severity.UNKNOWN
    summary: str = ""
    aliases: tuple[str, ...] = ()
    versions: frozenset[Version] = frozenset()
    ranges: tuple[AffectedRange, ...] = ()
    digests: frozenset[str] = frozenset()
    odd_versions: bool = False
    published: datetime | None = None
    modified: datetime | None = None

    def affects(self, version: Version | None) -> bool | None:
        """Whether a release is affected; None where its version cannot be read and the record names versions."""
        if any(one.is_everything for one in self.ranges):
            return True
        if version is None:
            return None if self.versions or self.ranges or self.odd_versions else False
        return version in self.versions or any(one.contains(version) for one in self.ranges)

    def names(self, sha256: str | None) -> bool:
        """Whether the record names a file by its digest."""
        return sha256 is not None and sha256 in self.digests

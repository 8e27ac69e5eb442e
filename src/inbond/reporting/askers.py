"""Who was given what: which files are meant, and what is told of each and of whoever was given it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from packaging.version import InvalidVersion, Version

from inbond.model.decisions import Target
from inbond.model.history import AskedRow, ServedFile
from inbond.model.names import Filename, ProjectName, project_candidates
from inbond.model.occurrence import Occurrence, OccurrenceKind
from inbond.reporting.fates import Fate, Told
from inbond.reporting.trail import stamp

# Of all that was ever uploaded as a distribution, in small letters.
_ENDINGS: Final = (
    ".whl", ".tar.gz", ".zip", ".tar.bz2", ".tgz", ".tar.xz", ".egg", ".tar", ".tar.z", ".tbz", ".exe", ".msi", ".rpm",
    ".deb", ".dmg",
)  # fmt: skip
_BESIDE: Final = ".metadata"  # a wheel's, whose address people copy
_SEPARATORS: Final = re.compile(r"[-_.]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """Files that are asked about: those that a target covers, or the one of a name on whatever page it may stand."""

    text: str
    target: Target | None = None
    filename: Filename | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads `flask`, `flask==3.1.0`, `flask@sha256:DIGEST` or `flask-3.1.0.tar.gz`. Raises ValueError.

        A file's name may be written in other letters, or with what stands beside it: on Windows it is the same file.
        """
        written = text.strip()
        name = written.lower().removesuffix(_BESIDE)
        if name.endswith(_ENDINGS) and "@" not in name and (filename := Filename(name)) and project_candidates(name):
            return cls(text=written, filename=filename)
        return cls(text=written, target=Target.parse(written))

    @property
    def projects(self) -> tuple[ProjectName, ...]:
        """Whose pages the files may stand on."""
        if self.target is not None:
            return (self.target.project,)
        return project_candidates(self.filename) if self.filename is not None else ()

    def covers(self, project: ProjectName, filename: Filename, version: str | None, sha256: str | None) -> bool:
        """Whether a file is meant, or may be: one whose version cannot be read is among those of any version."""
        if self.target is None:
            return self.filename is not None and _plain(filename) == _plain(self.filename)
        return self.target.covers(project, _readable(version), sha256) is not False


def _plain(filename: str) -> str:
    """As names are compared that are written in several ways: rather one file too many is meant than one too few."""
    return _SEPARATORS.sub("-", filename.lower())


def _readable(version: str | None) -> Version | None:
    try:
        return None if version is None else Version(version)
    except InvalidVersion:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A file that an index gave, and what becomes of it now. `named_by`: advisories that have named it since."""

    file: ServedFile
    now: Told
    named_by: tuple[str, ...] = ()


def naming(file: ServedFile, happened: Iterable[Occurrence]) -> tuple[str, ...]:
    """The advisories that were found to name a file after it was given."""
    told = (
        one.detail.get("advisory", "")
        for one in happened
        if one.kind is OccurrenceKind.SERVED_TURNED_BAD
        and (one.index, one.filename, one.detail.get("sha256")) == (file.index, file.filename, file.sha256)
    )
    return tuple(sorted(set(filter(None, told))))


def given_fields(given: Given) -> dict[str, Any]:
    """A file as programs are told of it."""
    file = given.file
    return {
        "index": file.index,
        "upstream": file.upstream,
        "project": str(file.project),
        "filename": str(file.filename),
        "version": file.version,
        "sha256": file.sha256,
        "first_at": stamp(file.first_at),
        "last_at": stamp(file.last_at),
        "times": file.times,
        "clients": file.clients_count,
        "now": _now_fields(given.now),
        "advisories": list(given.named_by),
    }


def _now_fields(now: Told) -> Mapping[str, Any]:
    if not isinstance(now, Fate):
        return {"decision": None, "would": None, "rule": None, "message": now.reason}
    finding = now.deciding
    return {
        "decision": str(now.decision),
        "would": str(now.would),
        "rule": finding.rule if finding is not None else None,
        "message": finding.message if finding is not None else None,
    }


def row_fields(row: AskedRow) -> dict[str, Any]:
    """Whoever was given a file, as programs are told. `then`: what the verdict was without `audit`."""
    first = row.first
    return {
        "who": first.who,
        "client": first.client,
        "index": first.index,
        "upstream": first.upstream,
        "project": str(first.project),
        "filename": str(first.filename),
        "version": first.version,
        "sha256": first.sha256,
        "first_at": stamp(first.at),
        "last_at": stamp(row.last_at),
        "times": row.count,
        "then": str(first.would),
        "rule": first.rule or None,
    }


ROW_FIELDS: Final = (
    "who", "client", "index", "upstream", "project", "filename", "version", "sha256", "first_at", "last_at", "times",
    "then", "rule",
)  # fmt: skip

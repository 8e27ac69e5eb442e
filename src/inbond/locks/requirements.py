"""pip's requirements files, with the files that they include, read into a `Lock`.

Source: pip's documentation, "Requirements File Format". What would change the outcome and pip passes over in silence
(a second `-r` on a line, words after the options) is refused. `${NAME}` stays as written: no environment is read here.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urljoin

from inbond.locks.credentials import masked, shown
from inbond.locks.digests import digest
from inbond.locks.lock import Dependency, FromIndex, InvalidLock, Lock, LockFormat, NamedIndex, Place
from inbond.locks.narrowing import MAX_DEPENDENCIES, narrowed
from inbond.locks.pip_requirement import UNNAMED, read_editable, read_requirement
from inbond.locks.requirement_lines import decode, statements
from inbond.locks.requirement_options import Statement, read_statement
from inbond.locks.urls import masked_location
from inbond.model.errors import InbondError

# The path of the including file, and the included one as it is written there -> its bytes.
OpenBeside = Callable[[str, str], bytes]

# Files that one requirements file includes, directly or not; a file that is included twice counts twice.
MAX_INCLUDED_FILES: Final = 100
# Files that include each other, one below the other.
MAX_DEPTH: Final = 20
# Bytes of all files together.
MAX_TOTAL_BYTES: Final = 50 * 2**20

_REMOTE: Final = re.compile(r"(?:https?|file):", re.IGNORECASE)
_VARIABLE: Final = re.compile(r"\$\{[A-Z0-9_]+\}")
# What needs a line without a requirement: pip passes over these elsewhere.
_ALONE: Final = ("requirement", "constraint", "editable", "index-url", "extra-index-url", "find-links", "no-index")
_OF_REQUIREMENTS: Final = ("hash", "config-settings", "global-option")


def read_requirements(source: str, raw: bytes, *, open_beside: OpenBeside) -> Lock:
    """The dependencies and indexes of a requirements file.

    `open_beside` reads an included file; its `OSError`, `ValueError` or `InbondError` becomes `InvalidLock` at the line
    of the include, an `InvalidLock` passes. Raises `InvalidLock`.
    """
    reader = _Reader(open_beside)
    reader.read(source, raw, (source,), constraint=False)
    dependencies = narrowed(reader.requirements, reader.constraints)
    if reader.hashes_required_at is not None:
        _require_hashes(reader.hashes_required_at, dependencies)
    indexes = tuple(index for name, index in reader.indexes if name == "find-links" or not reader.no_index)
    return Lock(source=source, format=LockFormat.REQUIREMENTS, dependencies=dependencies, indexes=indexes)


def beside(source: str, path: str) -> str:
    """How an included file is called in places: its path put after the directory of the including one."""
    if _REMOTE.match(source):
        return urljoin(source, path)
    if _REMOTE.match(path):
        return path
    return posixpath.normpath(posixpath.join(posixpath.dirname(source), path))


def _require_hashes(place: Place, dependencies: tuple[Dependency, ...]) -> None:
    for entry in dependencies:
        if not entry.hashed:
            problem = f"{entry.project} has no digest, and --require-hashes stands at {place}"
            raise InvalidLock(entry.place, problem, remedy="lock again with digests (`pip-compile --generate-hashes`)")
        if entry.version is None and isinstance(entry.source, FromIndex):
            problem = f"{entry.project} is not pinned, and --require-hashes stands at {place}"
            raise InvalidLock(entry.place, problem, remedy=f"write {entry.project}==VERSION")


@dataclass(slots=True)
class _Reader:
    """Collects what all files say."""

    open_beside: OpenBeside
    requirements: list[Dependency] = field(default_factory=list)
    constraints: list[Dependency] = field(default_factory=list)
    # With the option that names each.
    indexes: list[tuple[str, NamedIndex]] = field(default_factory=list)
    no_index: bool = False
    hashes_required_at: Place | None = None
    files: int = 0
    size: int = 0
    count: int = 0

    def read(self, source: str, raw: bytes, stack: tuple[str, ...], *, constraint: bool) -> None:
        """Reads one file; `stack` names the files that led to it, itself the last."""
        self.size += len(raw)
        if self.size > MAX_TOTAL_BYTES:
            raise InvalidLock(Place(source), f"this and the other files are more than {MAX_TOTAL_BYTES // 2**20} MiB")
        for line, text in statements(source, decode(source, raw)):
            place = Place(source, line)
            self.count += 1
            if self.count > MAX_DEPENDENCIES:
                raise InvalidLock(place, f"more than {MAX_DEPENDENCIES:,} statements")
            statement = read_statement(place, text)
            if statement.requirement:
                self._requirement(statement, constraint=constraint)
            else:
                self._options(statement, stack, constraint=constraint)

    def _requirement(self, statement: Statement, *, constraint: bool) -> None:
        for name in _ALONE:
            if statement.values(name):
                raise InvalidLock(statement.place, f"--{name} behind a requirement", remedy="give it a line of its own")
        digests = [
            digest(statement.place, text, label=shown(f"--hash={text}"))
            for text in dict.fromkeys(statement.values("hash"))
        ]
        self._globals(statement)
        self._add(read_requirement(statement.place, statement.requirement, digests), constraint=constraint)

    def _options(self, statement: Statement, stack: tuple[str, ...], *, constraint: bool) -> None:
        place, editables = statement.place, statement.values("editable")
        files = [option for option in statement.options if option.name in {"requirement", "constraint"}]
        if len(editables) + len(files) > 1:
            raise InvalidLock(place, "pip reads only one of the files and projects named here", remedy="one on a line")
        if statement.values("hash") or (not editables and any(map(statement.values, _OF_REQUIREMENTS))):
            problem = "--editable takes no --hash" if editables else "an option for a requirement, but no requirement"
            raise InvalidLock(place, problem, remedy="a line that continues a requirement follows one that ends in \\")
        self._globals(statement)
        self._add_indexes(statement)
        for path in editables:
            if constraint:
                raise InvalidLock(place, "a constraint cannot be editable")
            self._add(read_editable(place, path), constraint=False)
        for option in files:
            self._include(place, option.value, stack, constraint=option.name == "constraint")

    def _globals(self, statement: Statement) -> None:
        if statement.values("require-hashes"):
            self.hashes_required_at = self.hashes_required_at or statement.place

    def _add_indexes(self, statement: Statement) -> None:
        self.no_index = self.no_index or bool(statement.values("no-index"))
        for name, value in ((option.name, option.value) for option in statement.options):
            if name in {"index-url", "extra-index-url", "find-links"}:
                index = NamedIndex(
                    place=statement.place, url=masked_location(statement.place, value), extra=name != "index-url"
                )
                self.indexes.append((name, index))

    def _add(self, entry: Dependency, *, constraint: bool) -> None:
        if constraint and (entry.extras or entry.project == UNNAMED):
            problem = "a constraint cannot have extras" if entry.extras else "a constraint needs a name"
            raise InvalidLock(entry.place, problem, remedy="write NAME==VERSION, or make it a requirement")
        (self.constraints if constraint else self.requirements).append(entry)

    def _include(self, place: Place, path: str, stack: tuple[str, ...], *, constraint: bool) -> None:
        source = beside(place.source, path)
        self.files += 1
        if source in stack:
            chain = " -> ".join(map(masked, (*stack[stack.index(source) :], source)))
            raise InvalidLock(place, f"{masked(source)} includes itself: {chain}", remedy="take this line out")
        if len(stack) > MAX_DEPTH or self.files > MAX_INCLUDED_FILES:
            limit = f"{MAX_DEPTH} deep" if len(stack) > MAX_DEPTH else f"{MAX_INCLUDED_FILES} in all"
            raise InvalidLock(place, f"too many included files, more than {limit}")
        raw = self._opened(place, path)
        self.read(masked(source), raw, (*stack, source), constraint=constraint)

    def _opened(self, place: Place, path: str) -> bytes:
        try:
            return self.open_beside(place.source, path)
        except InvalidLock:
            raise
        except (OSError, ValueError, InbondError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else masked(str(error))
            remedy = error.remedy if isinstance(error, InbondError) else None
            if _VARIABLE.search(path):
                remedy = "variables are not filled in here; write the path out"
            raise InvalidLock(place, f"cannot read {shown(path)}: {why}", remedy=remedy) from error

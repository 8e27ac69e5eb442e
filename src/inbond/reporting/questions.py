"""Which files a policy is tried on: those that were asked for, and those that locks name. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from inbond.check.selection import release_files
from inbond.locks.lock import Dependency, FromIndex, Lock
from inbond.model.history import AskedRow
from inbond.model.names import Filename, ProjectName, version_of
from inbond.model.page import Page
from inbond.reporting.difference import Compared
from inbond.reporting.fates import Told, Untold

NO_PAGE: Final = Untold(reason="its project's page is not in the cache")
_NOT_LISTED: Final = Untold(reason="the page in the cache does not list it")
_OPEN: Final = Untold(reason="the lock leaves its version open")
_NOTHING: Final = Untold(reason="the page in the cache lists no file of what the lock names")


@dataclass(frozen=True, slots=True, kw_only=True)
class Interest:
    """Who asked for a file: the addresses, where they are kept, and how many requests there were."""

    clients: frozenset[str] = frozenset()
    times: int = 0


_NOBODY: Final = Interest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A project, its files that were asked for, and the entries of locks that name it."""

    project: ProjectName
    asked: Mapping[Filename, Interest] = field(default_factory=dict)
    locked: tuple[Dependency, ...] = ()


def questions(rows: Iterable[AskedRow], locks: Iterable[Lock]) -> tuple[Question, ...]:
    """One question for each project, by name."""
    asked: dict[ProjectName, dict[Filename, Interest]] = {}
    for row in rows:
        files = asked.setdefault(row.first.project, {})
        before = files.get(row.first.filename, _NOBODY)
        clients = before.clients | ({row.first.client} if row.first.client else frozenset())
        files[row.first.filename] = Interest(clients=clients, times=before.times + row.count)
    locked: dict[ProjectName, list[Dependency]] = {}
    for dependency in (one for lock in locks for one in lock.dependencies):
        if isinstance(dependency.source, FromIndex):
            locked.setdefault(dependency.project, []).append(dependency)
    return tuple(
        Question(project=project, asked=asked.get(project, {}), locked=tuple(locked.get(project, ())))
        for project in sorted(asked.keys() | locked.keys())
    )


def unknown(question: Question) -> tuple[Compared, ...]:
    """The answer where no page of the project is known."""
    files = [_compared(question, name, {}, {}, missing=NO_PAGE) for name in question.asked]
    return (*files, *(_entry(one, NO_PAGE) for one in question.locked))


def answers(
    question: Question,
    page: Page,
    before: Mapping[Filename, Told],
    after: Mapping[Filename, Told],
    *,
    everything: bool = False,
) -> tuple[Compared, ...]:
    """Each file that is meant, once, under both policies; with `everything`, all of the page."""
    names = dict.fromkeys(question.asked)
    entries: list[Compared] = []
    for dependency in question.locked:
        meant = _meant(page, dependency)
        names.update(dict.fromkeys(meant))
        if not meant:
            entries.append(_entry(dependency, _OPEN if _leaves_open(dependency) else _NOTHING))
    if everything:
        names.update(dict.fromkeys(file.filename for file in page.files))
    return (*(_compared(question, name, before, after, missing=_NOT_LISTED) for name in names), *entries)


def _compared(
    question: Question,
    name: Filename,
    before: Mapping[Filename, Told],
    after: Mapping[Filename, Told],
    *,
    missing: Untold,
) -> Compared:
    interest = question.asked.get(name, _NOBODY)
    version = version_of(name, question.project)
    return Compared(
        project=question.project,
        version=str(version) if version is not None else None,
        filename=name,
        before=before.get(name, missing),
        after=after.get(name, missing),
        clients=interest.clients,
        times=interest.times,
    )


def _entry(dependency: Dependency, why: Untold) -> Compared:
    version = str(dependency.version) if dependency.version is not None else None
    return Compared(project=dependency.project, version=version, filename=None, before=why, after=why)


def _meant(page: Page, dependency: Dependency) -> list[Filename]:
    """The files of a page that an entry of a lock may be installed from; none where it leaves the release open."""
    if dependency.files:
        names = {one.filename for one in dependency.files if one.filename is not None}
        digests = {one.sha256 for one in dependency.files if one.filename is None and one.sha256 is not None}
        return [file.filename for file in page.files if file.filename in names or file.sha256 in digests]
    if dependency.version is None:
        return []
    return [file.filename for file in release_files(page, dependency.version)]


def _leaves_open(dependency: Dependency) -> bool:
    return not dependency.files and dependency.version is None

"""Which files of a project's page an entry of a lock means, and what of it the page does not bear out. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from inbond.locks.lock import Dependency, LockedFile
from inbond.model.names import Filename, Kind
from inbond.model.page import File, Page
from inbond.model.verdict import Finding, Outcome

NOT_LISTED: Final = "not-listed"
DIGEST: Final = "digest"
OTHER_RELEASE: Final = "other-release"
NO_SHA256: Final = "no-sha256"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A file on the page. `locked`: the lock's words on it; None where the lock leaves the files open."""

    file: File
    locked: LockedFile | None = None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlisted:
    """A file of the lock that the page does not bear out."""

    locked: LockedFile
    finding: Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What an entry means on a page."""

    chosen: tuple[Chosen, ...] = ()
    unlisted: tuple[Unlisted, ...] = ()
    findings: tuple[Finding, ...] = ()


def locked_files(page: Page, dependency: Dependency) -> Selection:
    """The files that an entry names, found on the page by name and digest."""
    names = {file.filename: file for file in page.files}
    found = [_found(page, names, dependency, locked) for locked in dependency.files]
    chosen = tuple(one for one in found if isinstance(one, Chosen))
    missing = [one for one in found if isinstance(one, Unlisted)]
    return Selection(chosen=chosen, unlisted=tuple(_softened(one) if chosen else one for one in missing))


def _softened(missing: Unlisted) -> Unlisted:
    # A file that is gone upstream is no reason to stop where the entry's others are there: installers take those.
    if missing.finding.rule != NOT_LISTED:
        return missing
    finding = missing.finding
    return Unlisted(
        locked=missing.locked,
        finding=Finding(rule=finding.rule, outcome=Outcome.WARN, message=finding.message, remedy=finding.remedy),
    )


def _found(page: Page, names: Mapping[Filename, File], dependency: Dependency, locked: LockedFile) -> Chosen | Unlisted:
    name = locked.filename
    file = names.get(name) if name is not None else _of_digest(page, dependency, locked)
    if file is None:
        return Unlisted(locked=locked, finding=_not_listed(dependency, locked))
    version = page.version_of(file)
    if dependency.version is not None and version != dependency.version:
        message = f"the lock says {dependency.version}, its file {file.filename} is of {version or 'no version'}"
        return Unlisted(locked=locked, finding=_deny(OTHER_RELEASE, message, remedy="lock it anew"))
    if file.sha256 and locked.sha256 and file.sha256 != locked.sha256:
        message = f"{file.filename}: the lock says sha256 {locked.sha256[:12]}..., the index {file.sha256[:12]}..."
        remedy = "one of the two was replaced: find out which before anything is installed"
        return Unlisted(locked=locked, finding=_deny(DIGEST, message, remedy=remedy))
    return Chosen(file=file, locked=locked, findings=() if locked.sha256 else _weak(file, locked))


def _weak(file: File, locked: LockedFile) -> tuple[Finding, ...]:
    shared = {name for name in locked.digests if name in file.hashes}
    differing = sorted(name for name in shared if locked.digests[name] != file.hashes[name])
    if differing:
        message = f"{file.filename}: the lock and the index give different {differing[0]} digests"
        return (_deny(DIGEST, message, remedy="find out which of the two was replaced"),)
    message = f"the lock gives no sha256 of {file.filename}: it may be installed with other bytes than were checked"
    return (Finding(rule=NO_SHA256, outcome=Outcome.WARN, message=message, remedy="lock it anew, with hashes"),)


def _of_digest(page: Page, dependency: Dependency, locked: LockedFile) -> File | None:
    """The file of that digest: one of the locked release before any other."""
    same = [file for file in page.files if _same(file, locked)]
    of_release = [file for file in same if page.version_of(file) == dependency.version]
    return next(iter([*of_release, *same]), None)


def _same(file: File, locked: LockedFile) -> bool:
    if locked.sha256 is not None:
        return file.sha256 == locked.sha256
    return any(file.hashes.get(name) == digest for name, digest in locked.digests.items())


def _not_listed(dependency: Dependency, locked: LockedFile) -> Finding:
    digest = next((f"{name} {digest[:12]}..." for name, digest in locked.digests.items()), "no digest")
    what = str(locked.filename) if locked.filename is not None else f"the file with {digest}"
    return _deny(
        NOT_LISTED,
        f"the index does not list {what}",
        remedy=f"it was removed, or {dependency.project} comes from another index: look at its page, and lock it anew",
    )


def release_files(page: Page, version: Version) -> tuple[File, ...]:
    """The files of a release that installers of today may take."""
    return tuple(file for file in page.files if file.kind is not Kind.LEGACY and page.version_of(file) == version)


def pinned_files(page: Page, dependency: Dependency, version: Version) -> Selection:
    """All files of a pinned release, where the entry names none."""
    chosen = tuple(Chosen(file=file) for file in release_files(page, version))
    if chosen:
        return Selection(chosen=chosen)
    message = f"the index lists no file of {dependency.project} {version}"
    remedy = "it was removed, or comes from another index: look at the project's page"
    return Selection(findings=(_deny(NOT_LISTED, message, remedy=remedy),))


def candidates(page: Page, specifier: SpecifierSet, python: str) -> tuple[Version, ...]:
    """The versions that an installer would try for a requirement, best first.

    Yanked files do not count, nor such as are for other Pythons than `python`; pre-releases as PEP 440 says.
    """
    versions = {
        version
        for file in page.files
        if file.yanked is False and file.kind is not Kind.LEGACY and _fits(file, python)
        if (version := page.version_of(file)) is not None
    }
    return tuple(specifier.filter(sorted(versions, reverse=True)))


def _fits(file: File, python: str) -> bool:
    if not file.requires_python:
        return True
    try:
        return SpecifierSet(file.requires_python).contains(python, prereleases=True)
    except InvalidSpecifier:
        return True  # as installers do


def no_candidate(dependency: Dependency) -> Finding:
    """That nothing on the page fits."""
    wanted = f"{dependency.project}{dependency.specifier}"
    return _deny(NOT_LISTED, f"the index lists nothing that fits {wanted}", remedy="ask for other versions")


def unknown_project(dependency: Dependency, index: str) -> Finding:
    """That no upstream has the project."""
    return _deny(
        NOT_LISTED,
        f"no upstream of index {index} has a project {dependency.project}",
        remedy="check the spelling; if it comes from another index, name that one in [upstreams] and [indexes]",
    )


def _deny(rule: str, message: str, *, remedy: str) -> Finding:
    return Finding(rule=rule, outcome=Outcome.DENY, message=message, remedy=remedy)


def stopped_versions(findings: Iterable[tuple[Version, Finding]], taken: Version) -> tuple[Finding, ...]:
    """What to say of versions that an installer passes over to get to the one that it takes."""
    return tuple(
        Finding(
            rule=finding.rule,
            outcome=Outcome.WARN,
            message=f"{version} is passed over ({finding.message}); installers take {taken}",
            remedy=finding.remedy,
        )
        for version, finding in findings
    )

"""Which files of a project's page an entry of a lock means, and what of it the page does not bear out. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from inbond.check.addresses import Addresses, origin
from inbond.locks.lock import Dependency, LockedFile
from inbond.model.errors import NotFound
from inbond.model.names import Filename, Kind
from inbond.model.page import File, Page
from inbond.model.verdict import Finding, Judgement, Outcome

NOT_LISTED: Final = "not-listed"
DIGEST: Final = "digest"
OTHER_RELEASE: Final = "other-release"
NO_SHA256: Final = "no-sha256"
# Digests under which nobody can pass other bytes off.
_STRONG: Final = frozenset({"sha256", "sha384", "sha512", "blake2b", "sha3_256", "sha3_384", "sha3_512"})


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


def deny(rule: str, message: str, *, remedy: str, code: str) -> Finding:
    """A finding of the lock against the index that stops."""
    return Finding(rule=rule, outcome=Outcome.DENY, message=message, remedy=remedy, code=code)


def locked_files(page: Page, dependency: Dependency, addresses: Addresses, *, elsewhere: bool) -> Selection:
    """The files that an entry names, found on the page by name and digest.

    `elsewhere`: installers may be served by another index than this one, because the lock or the entry says so.
    """
    names = {file.filename: file for file in page.files}
    digests = _by_digest(page) if any(locked.filename is None for locked in dependency.files) else {}
    listed = [_listed(page, names, digests, dependency, locked) for locked in dependency.files]
    found = [_found(page, dependency, locked, file) for locked, file in zip(dependency.files, listed, strict=True)]
    chosen = tuple(_proven(one, addresses, elsewhere=elsewhere) for one in found if isinstance(one, Chosen))
    missing = tuple(one for one in found if isinstance(one, Unlisted))
    if chosen and not elsewhere:
        missing = tuple(map(_softened, missing))
    return Selection(chosen=chosen, unlisted=missing)


def _softened(missing: Unlisted) -> Unlisted:
    # What is gone from the index, and is asked of it by name and digest, nobody gets: installers take the others. A
    # URL of its own is gone to whatever the index says.
    if missing.finding.rule != NOT_LISTED or missing.locked.url is not None:
        return missing
    return replace(missing, finding=replace(missing.finding, outcome=Outcome.WARN))


def _by_digest(page: Page) -> Mapping[tuple[str, str], list[File]]:
    found: dict[tuple[str, str], list[File]] = {}
    for file in page.files:
        digests = {**file.hashes, **({"sha256": file.sha256} if file.sha256 else {})}
        for digest in digests.items():
            found.setdefault(digest, []).append(file)
    return found


def _listed(
    page: Page,
    names: Mapping[Filename, File],
    digests: Mapping[tuple[str, str], list[File]],
    dependency: Dependency,
    locked: LockedFile,
) -> File | None:
    """The file of that name; where the lock gives none, the one of that digest, of the locked release before others."""
    if locked.filename is not None:
        return names.get(locked.filename)
    given = {"sha256": locked.sha256} if locked.sha256 is not None else locked.digests
    same = [file for digest in given.items() for file in digests.get(digest, ())]
    of_release = [file for file in same if page.version_of(file) == dependency.version]
    return next(iter([*of_release, *same]), None)


def _found(page: Page, dependency: Dependency, locked: LockedFile, file: File | None) -> Chosen | Unlisted:
    if file is None:
        return Unlisted(locked=locked, finding=_not_listed(dependency, locked))
    version = page.version_of(file)
    if dependency.version is not None and version != dependency.version:
        message = f"the lock says {dependency.version}, its file {file.filename} is of {version or 'no version'}"
        finding = deny(OTHER_RELEASE, message, remedy="lock it anew", code="file")
        return Unlisted(locked=locked, finding=finding)
    for algorithm in sorted(locked.digests.keys() & file.hashes.keys()):
        ours, theirs = locked.digests[algorithm], file.hashes[algorithm]
        if ours != theirs:
            message = f"{file.filename}: the lock says {algorithm} {ours[:12]}..., the index {theirs[:12]}..."
            remedy = "one of the two was replaced: find out which before anything is installed"
            return Unlisted(locked=locked, finding=deny(DIGEST, message, remedy=remedy, code="not-as-locked"))
    return Chosen(file=file, locked=locked)


def _proven(chosen: Chosen, addresses: Addresses, *, elsewhere: bool) -> Chosen:
    """With a finding where nothing says that installers get the bytes that are judged here."""
    locked, file = chosen.locked, chosen.file
    if locked is None or _STRONG & locked.digests.keys() & file.hashes.keys():
        return chosen
    url = locked.url
    leads_elsewhere = elsewhere if url is None else url != file.url and not addresses.is_ours(url)
    if leads_elsewhere:
        place = "whichever index has it" if url is None else origin(url)
        message = f"the lock takes {file.filename} from {place}, by no digest that the index knows"
        finding = deny(NO_SHA256, message, remedy="lock it anew, with hashes, through inbond", code="from-elsewhere")
    else:
        message = f"the lock gives no sha256 of {file.filename}: other bytes may be installed than were checked"
        remedy = "lock it anew, with hashes"
        finding = Finding(rule=NO_SHA256, outcome=Outcome.WARN, message=message, remedy=remedy, code="not-locked")
    return replace(chosen, findings=(finding,))


def _not_listed(dependency: Dependency, locked: LockedFile) -> Finding:
    digest = next((f"{name} {digest[:12]}..." for name, digest in locked.digests.items()), "no digest")
    what = str(locked.filename) if locked.filename is not None else f"the file with {digest}"
    return deny(
        NOT_LISTED,
        f"the index does not list {what}",
        remedy=f"it was removed, or {dependency.project} comes from another index: look at its page, and lock it anew",
        code="file",
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
    return Selection(findings=(deny(NOT_LISTED, message, remedy=remedy, code="release"),))


def not_carried(dependency: Dependency, judgements: Iterable[Judgement]) -> tuple[Finding, ...]:
    """What is to be said of an entry of which there is no file on this side of an air gap."""
    carried = [judgement.carried for judgement in judgements]
    if not carried or any(carried):
        return ()
    message = f"no file of {dependency.project} that this means was carried over with the bundles imported so far"
    return (deny(NOT_LISTED, message, remedy="add it to what is synced on the other side", code="not-carried"),)


def candidates(page: Page, specifier: SpecifierSet, python: str | None) -> tuple[Version, ...]:
    """The versions that an installer would try for a requirement, best first.

    Yanked files do not count, nor such as are for other Pythons than `python` (None: any will do); pre-releases as
    PEP 440 says.
    """
    versions = {
        version
        for file in page.files
        if file.yanked is False and file.kind is not Kind.LEGACY and _fits(file, python)
        if (version := page.version_of(file)) is not None
    }
    return tuple(specifier.filter(sorted(versions, reverse=True)))


def _fits(file: File, python: str | None) -> bool:
    if python is None or not file.requires_python:
        return True
    try:
        return SpecifierSet(file.requires_python).contains(python, prereleases=True)
    except InvalidSpecifier:
        return True  # as installers do


def no_candidate(dependency: Dependency) -> Finding:
    """That nothing on the page fits."""
    wanted = f"{dependency.project}{dependency.specifier}"
    message = f"the index lists nothing that fits {wanted}"
    return deny(NOT_LISTED, message, remedy="ask for other versions", code="nothing-fits")


def unknown_project(dependency: Dependency, index: str, why: NotFound | None = None) -> Finding:
    """That no upstream has the project. `why`: what is to be said instead, where imports answer."""
    message = f"no upstream of index {index} has a project {dependency.project}"
    remedy = "check the spelling; if it comes from another index, name that one in [upstreams] and [indexes]"
    if why is not None:
        message, remedy = why.message, why.remedy or remedy
    return deny(NOT_LISTED, message, remedy=remedy, code="project")


def stopped_versions(findings: Iterable[tuple[Version, Finding]], taken: Version) -> tuple[Finding, ...]:
    """What to say of versions that an installer passes over to get to the one that it takes."""
    return tuple(
        replace(
            finding,
            outcome=Outcome.WARN,
            message=f"{version} is passed over ({finding.message}); installers take {taken}",
            until=None,
        )
        for version, finding in findings
    )

"""The files whose evidence bears on a verdict: what must be established before it is reached."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from packaging.version import Version

from inbond.model.evidence import EvidenceOrPending, Pending, Unavailable, Verified
from inbond.model.names import Filename, stated_version
from inbond.model.page import File, Page
from inbond.policy.case import Case, PageCase, evidence_of
from inbond.policy.history import Representative, earlier_than
from inbond.policy.rules import continuity, release

_MAY_BE_ATTESTED: Final = (Verified, Pending, Unavailable)


def judged_with_all(
    shared: PageCase, files: Sequence[File], evidence: Mapping[Filename, EvidenceOrPending]
) -> tuple[File, ...]:
    """The files whose evidence bears on the verdicts on these: themselves, their releases' wheels, and their history.

    Each once. `evidence`: what is known so far; with more of it, a file may prove to be younger than it seemed, and
    then has a history that it had not.
    """
    beside = wheels_beside_all(shared.page, files).values()
    found = {file.filename: file for file in (*files, *(wheel for wheels in beside for wheel in wheels))}
    for file in tuple(found.values()):
        for earlier in compared_with(shared, file, evidence):
            found.setdefault(earlier.filename, earlier)
    return tuple(found.values())


def compared_with(shared: PageCase, file: File, evidence: Mapping[Filename, EvidenceOrPending]) -> tuple[File, ...]:
    """The files that a file is compared with, those beside it among them; none where it is old."""
    known = evidence_of(file, evidence)
    if not continuity.is_compared(Case(shared=shared, file=file, evidence=known)):
        return ()
    earlier = earlier_than(shared, file)

    def bears(listed: Sequence[Representative]) -> bool:
        """What is not attested is compared only where enough of the earlier files are, or claim to be."""
        if isinstance(known, Verified | Pending):
            return bool(listed)
        attested = [one for _, one in listed if isinstance(evidence_of(one, evidence), _MAY_BE_ATTESTED)]
        return len(attested) >= continuity.LEAST_ATTESTED

    lists = [one for one in (earlier.releases, earlier.newest, earlier.wheels) if bears(one)]
    beside = earlier.beside if earlier.wheels in lists else ()
    files = (*(one for listed in lists for _, one in listed), *beside)
    return tuple({one.filename: one for one in files}.values())


def wheels_beside_all(page: Page, files: Iterable[File]) -> Mapping[Version | None, list[File]]:
    """The wheels of the releases of those files that are not wheels themselves, found in one pass over the page."""
    wanted = {page.version_of(file) for file in files if not release.spreads(file)}
    found: dict[Version | None, list[File]] = {}
    for other in page.files if wanted else ():
        stated = stated_version(other.filename, page.name)
        if stated is not None and stated not in wanted:
            continue  # without reading the whole name: pages list thousands
        if release.spreads(other) and (version := page.version_of(other)) in wanted:
            found.setdefault(version, []).append(other)
    return found


def wheels_beside(page: Page, file: File) -> tuple[File, ...]:
    """The wheels of a file's release, unless it is one itself."""
    if release.spreads(file):
        return ()
    version = page.version_of(file)
    return tuple(other for other in page.files if release.spreads(other) and page.version_of(other) == version)

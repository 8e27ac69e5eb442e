"""The files whose evidence bears on a verdict: what must be established before it is reached."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from packaging.version import Version

from inbond.model.evidence import EvidenceOrPending, Pending, Unavailable, Verified
from inbond.model.names import Filename, stated_version
from inbond.model.page import File
from inbond.policy import history
from inbond.policy.case import Case, PageCase, evidence_of
from inbond.policy.history import Representative, earlier_than
from inbond.policy.rules import continuity, release

_WHEELS: Final = "wheels"
_MAY_BE_ATTESTED: Final = (Verified, Pending, Unavailable)


def judged_with_all(
    shared: PageCase, files: Sequence[File], evidence: Mapping[Filename, EvidenceOrPending]
) -> tuple[File, ...]:
    """The files whose evidence bears on the verdicts on these: themselves, their releases' wheels, and their history.

    Each once. `evidence`: what is known so far; with more of it, a file may prove to be younger than it seemed, and
    then has a history that it had not.
    """
    beside = wheels_beside_all(shared, files).values()
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


def wheels_beside_all(shared: PageCase, files: Iterable[File]) -> Mapping[Version | None, Sequence[File]]:
    """The wheels of the releases of those files that are not wheels themselves."""
    wanted = {shared.page.version_of(file) for file in files if not release.spreads(file)}
    if not wanted:
        return {}
    every = _wheels_of(shared)
    return {version: every[version] for version in wanted if version in every}


def wheels_beside(shared: PageCase, file: File) -> Sequence[File]:
    """The wheels of a file's release, unless it is one itself."""
    if release.spreads(file):
        return ()
    return _wheels_of(shared).get(shared.page.version_of(file), ())


def prepare(shared: PageCase) -> None:
    """Works out all that takes a look at the whole page; then what bears on one file is found at once."""
    history.prepare(shared)
    _wheels_of(shared)


def any_compared(shared: PageCase, files: Iterable[File], evidence: Mapping[Filename, EvidenceOrPending]) -> bool:
    """Whether one of these files is compared with the releases before it."""
    cases = (Case(shared=shared, file=file, evidence=evidence_of(file, evidence)) for file in files)
    return any(map(continuity.is_compared, cases))


def is_at_hand(shared: PageCase, files: Sequence[File], evidence: Mapping[Filename, EvidenceOrPending]) -> bool:
    """Whether what bears on these files is found without a look at the whole page: nothing does, or it was had."""
    if is_prepared(shared.kept):
        return True
    return all(map(release.spreads, files)) and not any_compared(shared, files, evidence)


def is_prepared(kept: Mapping[str, object]) -> bool:
    """Whether that was worked out, and is kept."""
    return history.KEPT in kept and _WHEELS in kept


def _wheels_of(shared: PageCase) -> Mapping[Version | None, Sequence[File]]:
    """The wheels of each release, found in one pass over the page."""
    found: dict[Version | None, list[File]] | None = shared.kept.get(_WHEELS)
    if found is None:
        found = {}
        for file in shared.page.files:
            version = stated_version(file.filename, shared.page.name)
            if version is not None:  # without reading the whole name: pages list thousands
                found.setdefault(version, []).append(file)
            elif release.spreads(file):
                found.setdefault(shared.page.version_of(file), []).append(file)
        shared.kept[_WHEELS] = found
    return found

"""Projects whose last releases were all published by one publisher, and the policy rule that holds them to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from packaging.version import Version

from inbond.model.evidence import EvidenceOrPending, Pending, Unavailable, Verified, state_of
from inbond.model.names import Filename, Kind, ProjectName
from inbond.model.page import File, Page
from inbond.model.publisher import Forge, PublisherPattern, SigningIdentity
from inbond.model.text import counted

RELEASES: Final = 3  # so many final releases in a row are a habit
_WILD: Final = "*"  # in a name it would be read as a pattern, and name others too
_CASELESS: Final = frozenset({Forge.GITHUB, Forge.GITLAB, Forge.GOOGLE})  # as `PublisherPattern` compares names


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggested:
    """A project, the narrowest pattern that all its last releases share, and these, the newest first."""

    project: ProjectName
    publisher: PublisherPattern
    versions: tuple[Version, ...]
    files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A project for which nothing can be proposed, and why."""

    project: ProjectName
    reason: str
    told: bool = True  # False: asking again, or with the network, may tell


def last_releases(page: Page) -> Mapping[Version, tuple[File, ...]]:
    """The newest final releases and those of their files that installers take, the newest first.

    What upstream yanked is no release any more, as nobody is given it.
    """
    found: dict[Version, list[File]] = {}
    for file in page.files:
        version = page.version_of(file)
        if version is None or version.is_prerelease or file.kind is Kind.LEGACY or file.yanked is not False:
            continue
        found.setdefault(version, []).append(file)
    return {version: tuple(found[version]) for version in sorted(found, reverse=True)[:RELEASES]}


def suggest(page: Page, evidence: Mapping[Filename, EvidenceOrPending]) -> Suggested | LeftOut:
    """What to propose for a project, from what is known of its last releases' files."""
    releases = last_releases(page)
    if len(releases) < RELEASES:
        return LeftOut(project=page.name, reason=f"has {counted(len(releases), 'final release')}, not {RELEASES}")
    signers: list[SigningIdentity] = []
    for version, files in releases.items():
        for file in files:
            known = evidence.get(file.filename, Pending())
            if not isinstance(known, Verified):
                return _unverified(page.name, version, file, known)
            signers += known.identities
    pattern = shared_by(signers)
    if isinstance(pattern, str):
        return LeftOut(project=page.name, reason=pattern)
    number = sum(map(len, releases.values()))
    return Suggested(project=page.name, publisher=pattern, versions=tuple(releases), files=number)


def _unverified(project: ProjectName, version: Version, file: File, known: EvidenceOrPending) -> LeftOut:
    told = not isinstance(known, Pending | Unavailable)
    what = {"absent": "has no attestation", "pending": "was not checked yet"}.get(
        state_of(known), f"is {state_of(known)}"
    )
    return LeftOut(project=project, reason=f"{version}: {file.filename} {what}", told=told)


def shared_by(signers: Sequence[SigningIdentity]) -> PublisherPattern | str:
    """The narrowest pattern that names all of them; or why there is none.

    The workflow stands in it where all share one, the environment only where every certificate proves the same.
    """
    publishers = {_named(signer): signer for signer in signers}
    if len(publishers) != 1:
        names = sorted(f"{one.forge}:{one.pattern_subject}" for one in publishers.values())
        return f"{len(names)} publishers: {', '.join(names)}"
    if len(ids := {one.repository_id for one in signers if one.repository_id is not None}) > 1:
        return f"{len(ids)} repositories, one after the other, under the name of {next(iter(publishers))[1]}"
    (one,) = publishers.values()
    workflow, environment = (
        _common(s.pattern_workflow for s in signers),
        _common(s.pattern_environment for s in signers),
    )
    at = f"@{workflow}" if workflow else ""
    hash_ = f"#{environment}" if environment else ""
    for text in (f"{one.forge}:{one.pattern_subject}{at}{hash_}", f"{one.forge}:{one.pattern_subject}"):
        pattern = _read(text)
        if pattern is not None and _WILD not in text and all(map(pattern.matches, signers)):
            return pattern
    return f"no pattern can name {one.forge}:{one.pattern_subject}"


def _named(signer: SigningIdentity) -> tuple[Forge, str]:
    subject = signer.pattern_subject
    return signer.forge, subject.lower() if signer.forge in _CASELESS else subject


def _common(parts: Iterable[str | None]) -> str | None:
    found = set(parts)
    part = found.pop() if len(found) == 1 else None
    return None if part is None or _WILD in part else part


def _read(text: str) -> PublisherPattern | None:
    try:
        return PublisherPattern.parse(text)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A rule of a policy: the projects that one publisher stands for."""

    publisher: PublisherPattern
    projects: tuple[Suggested, ...]


def proposals(suggested: Iterable[Suggested]) -> tuple[Proposal, ...]:
    """One rule for each publisher, ordered by its writing; projects by name."""
    found: dict[str, list[Suggested]] = {}
    for one in suggested:
        found.setdefault(str(one.publisher), []).append(one)
    return tuple(
        Proposal(publisher=below[0].publisher, projects=tuple(sorted(below, key=lambda one: one.project)))
        for _, below in sorted(found.items())
    )

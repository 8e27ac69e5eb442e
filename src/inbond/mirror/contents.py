"""What the documents of a bundle say, read and compared with the manifest that names them. Bytes in, values out.

The sending side's key vouches for who wrote it and not for sense: what contradicts itself is refused whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from inbond.bundles.attached import decode_attached
from inbond.bundles.decisions import Repositories, decode_pins, decode_repositories
from inbond.bundles.manifest import BundledFile, BundledProject, Claimed, DocumentKind, Manifest
from inbond.bundles.memory import decode_memory
from inbond.model.decisions import Pin
from inbond.model.errors import InvalidBundle
from inbond.model.imports import Attached
from inbond.model.memory import PageRecord
from inbond.model.names import ProjectName
from inbond.model.page import Claim, File, Page
from inbond.simple.document import decode_page

_MAKE_ANEW: Final = "it was signed like that: ask its sender for one that inbond bundle export made"

Project = tuple[str, ProjectName]  # with its upstream's name first
Listed = tuple[str, str | None]  # a file on a page: its name and sha256

# A document's bytes by its sha256, which they have.
Read = Callable[[str], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """The documents of a bundle. `memory` in the order of the manifest's projects; `serials`: of their pages.

    `places`: on which projects' pages the files stand that something is attached to, by name and sha256.
    """

    memory: tuple[PageRecord, ...]
    pins: tuple[Pin, ...]
    repositories: tuple[Repositories, ...]
    attached: tuple[Attached, ...] = ()
    serials: Mapping[Project, int | None] = field(default_factory=dict)
    places: Mapping[Listed, Collection[Project]] = field(default_factory=dict)

    def about(self, projects: Iterable[BundledProject]) -> Contents:
        """What of it is about these projects; of those of which nothing is carried, memory alone."""
        projects = tuple(projects)
        known = {(one.upstream, one.project) for one in projects}
        kept = {(one.upstream, one.project) for one in projects if any(file.carried for file in one.files)}
        names = {project for _, project in kept}
        return replace(
            self,
            memory=tuple(one for one in self.memory if (one.upstream, one.project) in known),
            pins=tuple(one for one in self.pins if one.project in names),
            repositories=tuple(one for one in self.repositories if one[:2] in kept),
            attached=tuple(one for one in self.attached if kept.intersection(_places_of(one, self.places))),
        )


def read_project(entry: BundledProject, read: Read, sizes: Mapping[str, int]) -> tuple[Page, PageRecord]:
    """A project's page and memory. `sizes`: of the blobs. Raises `InvalidBundle` where the two and `entry` disagree."""
    try:
        page = decode_page(read(entry.page))
    except ValueError as error:
        raise InvalidBundle(
            f"what the bundle has as the page of {entry.project} is none: {error}", remedy=_MAKE_ANEW
        ) from error
    if page.name != entry.project:
        raise InvalidBundle(
            f"what the bundle has as the page of {entry.project} is that of {page.name}", remedy=_MAKE_ANEW
        )
    memory = decode_memory(read(entry.memory), upstream=entry.upstream, project=entry.project)
    remembered = {one.filename: one.first_sha256 for one in memory.files}
    for bundled in entry.files:
        file = page.file(bundled.filename)
        if file is None:
            raise _contradiction(bundled, f"is not on the page of {entry.project}")
        _check_file(bundled, file, remembered.get(file.filename), sizes)
    return page, memory


def check_memory(memory: PageRecord, page: Page, made_at: datetime) -> None:
    """Raises `InvalidBundle` where memory knows more than the sending side could when it made the bundle.

    A first sight in the future would never pass, and a serial that no page has would refuse every later page.
    """
    times = [memory.first_seen, *(one.first_seen for one in memory.files)]
    times += [one.vanished_at for one in memory.files if one.vanished_at is not None]
    if max(times) > made_at:
        raise InvalidBundle(
            f"the bundle remembers of {memory.project} what happened after it was made itself", remedy=_MAKE_ANEW
        )
    if memory.highest_serial is not None and memory.highest_serial > (page.serial or 0):
        raise InvalidBundle(
            f"the bundle remembers serial {memory.highest_serial} of {memory.project}, and its page has "
            f"{'none' if page.serial is None else page.serial}",
            remedy=_MAKE_ANEW,
        )


def read_decisions(manifest: Manifest, read: Read) -> tuple[tuple[Pin, ...], tuple[Repositories, ...]]:
    """The pins and repositories, which must be of the manifest's own projects. Raises `InvalidBundle`."""
    projects = {(one.upstream, one.project) for one in manifest.projects}
    names = {project for _, project in projects}
    pins: list[Pin] = []
    repositories: list[Repositories] = []
    for document in manifest.documents:
        if document.kind is DocumentKind.PINS:
            pins += decode_pins(read(document.sha256))
        elif document.kind is DocumentKind.REPOSITORIES:
            repositories += decode_repositories(read(document.sha256))
    strange = [pin.project for pin in pins if pin.project not in names]
    strange += [project for upstream, project, _ in repositories if (upstream, project) not in projects]
    if strange:
        raise InvalidBundle(f"the bundle decides about {strange[0]}, of which it has no page", remedy=_MAKE_ANEW)
    return tuple(pins), tuple(repositories)


def read_attached(manifest: Manifest, read: Read) -> tuple[Attached, ...]:
    """The evidence that operators attached over there. Raises `InvalidBundle`."""
    documents = [one for one in manifest.documents if one.kind is DocumentKind.ATTACHED]
    return tuple(one for document in documents for one in decode_attached(read(document.sha256)))


def listed_on(page: Page, memory: PageRecord) -> set[Listed]:
    """A page's files by name and sha256, the one that it gives or the one that they were first had with."""
    remembered = {one.filename: one.first_sha256 for one in memory.files}
    return {(file.filename, file.listed_sha256 or remembered.get(file.filename)) for file in page.files}


def require_listed(attached: Sequence[Attached], places: Mapping[Listed, Collection[Project]]) -> None:
    """Raises `InvalidBundle` for evidence beside a file on no page of its upstream; `places` as in `Contents`."""
    for one in attached:
        if not _places_of(one, places):
            raise InvalidBundle(
                f"the bundle attaches evidence to {one.filename}, which is on none of its pages", remedy=_MAKE_ANEW
            )


def _places_of(one: Attached, places: Mapping[Listed, Collection[Project]]) -> set[Project]:
    """On which pages of its own upstream the file stands that something is attached to."""
    return {place for place in places.get((one.filename, one.sha256), ()) if place[0] == one.upstream}


def checked(content: bytes, sha256: str) -> bytes:
    """A document as it was read from the disk. Raises `InvalidBundle` where it is not what it was."""
    if hashlib.sha256(content).hexdigest() != sha256:
        raise InvalidBundle(
            f"the bytes of the blob {sha256} changed on this disk", remedy="look at the disk, then import it again"
        )
    return content


def _check_file(bundled: BundledFile, file: File, remembered: str | None, sizes: Mapping[str, int]) -> None:
    digest = file.listed_sha256 or remembered
    if bundled.sha256 != digest:
        told = "its page gives" if file.listed_sha256 else "it was first had with"
        raise _contradiction(bundled, f"has sha256 {_short(bundled.sha256)}, and {told} {_short(digest)}")
    if bundled.carried and bundled.sha256 is not None:
        size = sizes[bundled.sha256]
        if file.size not in (None, size):
            raise _contradiction(bundled, f"has {size} bytes, and its page gives {file.size}")
        if not size:
            raise _contradiction(bundled, "is empty")
    _check_metadata(bundled, file)
    if file.provenance is Claim.NONE and bundled.claimed is Claimed.FOUND:
        raise _contradiction(bundled, "comes with provenance, and its page says that there is none")
    if not isinstance(file.provenance, Claim) and bundled.claimed is Claimed.ABSENT:
        raise _contradiction(bundled, "is said to have no provenance, and its page names where that is")


def _check_metadata(bundled: BundledFile, file: File) -> None:
    if bundled.metadata is None:
        return
    if file.core_metadata is False:
        raise _contradiction(bundled, "comes with core metadata, and its page offers none")
    if file.metadata_sha256 not in (None, bundled.metadata):
        told = f"has sha256 {_short(bundled.metadata)}, and its page gives {_short(file.metadata_sha256)}"
        raise InvalidBundle(
            f"the bundle contradicts itself: the core metadata of {bundled.filename} {told}", remedy=_MAKE_ANEW
        )


def _contradiction(bundled: BundledFile, what: str) -> InvalidBundle:
    return InvalidBundle(f"the bundle contradicts itself: {bundled.filename} {what}", remedy=_MAKE_ANEW)


def _short(sha256: str | None) -> str:
    return f"{sha256[:12]}..." if sha256 is not None else "none"

"""The rules of a manifest: one way to write each thing, nothing named that is not there, nothing there without a name.

Held on both sides: what the sending one would get wrong shows there, where it can still be mended.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from inbond.bundles import limits
from inbond.bundles.manifest import (
    BundledBlob,
    BundledFile,
    BundledProject,
    BundledUpstream,
    Claimed,
    DocumentKind,
    Manifest,
)
from inbond.bundles.manifest_fields import (
    broken,
    check_digest,
    check_name,
    check_order,
    check_time,
    is_index_url,
    short,
)
from inbond.model.errors import InvalidBundle
from inbond.model.evidence import EvidenceState
from inbond.model.units import format_size

_STATES: Final = frozenset(map(str, EvidenceState))


def check_manifest(manifest: Manifest) -> None:
    """Raises `InvalidBundle` for the first rule that a manifest breaks."""
    for what, name in (("the bundle", manifest.name), ("the index", manifest.index)):
        check_name(name, f"the name of {what}")
    check_time(manifest.created_at, "the bundle's creation")
    if manifest.base is not None:
        check_digest(manifest.base, "the manifest that this is a delta against")
    _check_counts(manifest)
    _check_upstreams(manifest.upstreams)
    _check_projects(manifest)
    _check_documents(manifest)
    _check_blobs(manifest)


def check_project(project: BundledProject) -> None:
    """Raises `InvalidBundle` for the first rule that one project breaks by itself."""
    what = f"the project {project.project} of {project.upstream!a}"
    check_name(project.upstream, f"the upstream of the project {project.project}")
    check_time(project.validated_at, f"the page of {what}")
    check_digest(project.page, f"the page of {what}")
    check_digest(project.memory, f"the memory of {what}")
    check_order([file.filename for file in project.files], f"the files of {what}")
    for file in project.files:
        _check_file(file)


def _check_file(file: BundledFile) -> None:
    what = f"the file {file.filename!a}"
    for part, digest in (("bytes", file.sha256), ("metadata", file.metadata), ("provenance", file.provenance)):
        if digest is not None:
            check_digest(digest, f"the {part} of {what}")
    if file.carried and file.sha256 is None:
        raise broken(f"{what} is carried without a digest")
    if (file.claimed is Claimed.FOUND) != (file.provenance is not None):
        given = "none is" if file.provenance is None else "its digest is"
        raise broken(f"the provenance of {what} is said to be {file.claimed}, and {given} given")
    if file.evidence is not None and file.evidence not in _STATES:
        raise broken(f"{what} has evidence of no known state: {short(file.evidence)}")


def _check_counts(manifest: Manifest) -> None:
    files = sum(len(project.files) for project in manifest.projects)
    for count, limit, what in (
        (len(manifest.upstreams), limits.MAX_UPSTREAMS, "upstreams"),
        (len(manifest.projects), limits.MAX_PROJECTS, "projects"),
        (files, limits.MAX_FILES, "files"),
        (len(manifest.documents), limits.MAX_DOCUMENTS, "documents"),
        (len(manifest.blobs), limits.MAX_BLOBS, "blobs"),
    ):
        if count > limit:
            remedy = "sync less under one name, and export several bundles"
            raise InvalidBundle(f"the manifest names {count:,} {what}, more than {limit:,}", remedy=remedy)


def _check_upstreams(upstreams: Sequence[BundledUpstream]) -> None:
    for upstream in upstreams:
        check_name(upstream.name, "the name of an upstream")
        if not is_index_url(upstream.url):
            # It is not shown: there may be a password in it.
            needs = "http or https, without credentials, and a slash at its end"
            raise broken(f"the upstream {upstream.name} has a URL that is none of an index: {needs}")
    check_order([upstream.name for upstream in upstreams], "the upstreams")


def _check_projects(manifest: Manifest) -> None:
    upstreams = {upstream.name for upstream in manifest.upstreams}
    for project in manifest.projects:
        check_project(project)
        if project.upstream not in upstreams:
            raise broken(f"the project {project.project} is of the upstream {project.upstream!a}, which is not named")
        _check_not_later(project.validated_at, manifest, f"the page of the project {project.project}")
    check_order([(project.upstream, project.project) for project in manifest.projects], "the projects")


def _check_documents(manifest: Manifest) -> None:
    for document in manifest.documents:
        what = f"the {document.kind} document {document.name!a}"
        check_name(document.name, f"the name of {what}")
        check_digest(document.sha256, what)
        check_time(document.as_of, what)
        _check_not_later(document.as_of, manifest, what)
    check_order([(str(document.kind), document.name) for document in manifest.documents], "the documents")


def _check_blobs(manifest: Manifest) -> None:
    files = {file.sha256 for project in manifest.projects for file in project.files if file.carried}
    for blob in manifest.blobs:
        check_digest(blob.sha256, "a blob")
        if not blob.carried and manifest.base is None:
            raise broken(f"the blob {blob.sha256} is not carried, and the bundle is no delta")
    check_order([(blob.sha256 in files, blob.sha256) for blob in manifest.blobs], "the blobs")
    sizes = {blob.sha256: blob for blob in manifest.blobs}
    named = set()
    for sha256, limit, what in _named(manifest):
        if sha256 not in sizes:
            raise broken(f"{what} is the blob {sha256}, which the manifest does not list")
        _check_blob_size(sizes[sha256], limit, what)
        named.add(sha256)
    for blob in manifest.blobs:
        if blob.sha256 not in named:
            raise broken(f"the blob {blob.sha256} belongs to nothing that the manifest names")


def _named(manifest: Manifest) -> Iterator[tuple[str, int, str]]:
    """Each reference to a blob: its digest, the most bytes that such a thing may have, and what it is."""
    for project in manifest.projects:
        yield project.page, limits.MAX_PAGE_BYTES, f"the page of the project {project.project}"
        yield project.memory, limits.MAX_MEMORY_BYTES, f"the memory of the project {project.project}"
        for file in project.files:
            if file.carried and file.sha256 is not None:
                yield file.sha256, limits.MAX_FILE_BYTES, f"the file {file.filename!a}"
            if file.metadata is not None:
                yield file.metadata, limits.MAX_METADATA_BYTES, f"the metadata of {file.filename!a}"
            if file.provenance is not None:
                yield file.provenance, limits.MAX_PROVENANCE_BYTES, f"the provenance of {file.filename!a}"
    for document in manifest.documents:
        advisories = document.kind is DocumentKind.ADVISORIES
        limit = limits.MAX_ADVISORIES_BYTES if advisories else limits.MAX_DOCUMENT_BYTES
        yield document.sha256, limit, f"the {document.kind} document {document.name!a}"


def _check_blob_size(blob: BundledBlob, limit: int, what: str) -> None:
    if blob.size < 0:
        raise broken(f"{what} is said to have a negative size")
    if blob.size > limit:
        size = format_size(blob.size) if blob.size < 2**63 else "more bytes than any disk"
        raise broken(f"{what} is said to have {size}, more than the {format_size(limit)} that are taken")


def _check_not_later(time: datetime, manifest: Manifest, what: str) -> None:
    # One comparison with a clock, that of the creation, then holds for all.
    if time > manifest.created_at:
        raise broken(f"{what} is said to be of {time.isoformat()}, later than the bundle itself")

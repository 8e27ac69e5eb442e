"""Which blobs a bundle's projects and documents refer to. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from inbond.bundles.manifest import BundledDocument, BundledProject
from inbond.model.imports import ImportedDocument


def documents_of(
    projects: Iterable[BundledProject], documents: Iterable[BundledDocument | ImportedDocument]
) -> frozenset[str]:
    """The blobs that are read for what they say: pages, memory, metadata, provenance and documents of no project."""
    found = {document.sha256 for document in documents}
    for project in projects:
        found |= {project.page, project.memory}
        found |= {digest for file in project.files for digest in (file.metadata, file.provenance) if digest}
    return frozenset(found)


def blobs_of(
    projects: Iterable[BundledProject], documents: Iterable[BundledDocument | ImportedDocument] = ()
) -> frozenset[str]:
    """All of the blobs: those documents, and the distribution files that are carried."""
    known = tuple(projects)
    carried = {file.sha256 for project in known for file in project.files if file.carried and file.sha256}
    return documents_of(known, documents) | carried

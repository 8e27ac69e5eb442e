"""A project of which several bundles bring files: what one name brought stays when another's bundle comes. Pure."""

from __future__ import annotations

from dataclasses import replace

from inbond.bundles.manifest import BundledFile, BundledProject, Claimed
from inbond.model.names import Filename
from inbond.model.page import Page


def joined(earlier: BundledProject, later: BundledProject, page: Page) -> BundledProject:
    """The later project with what the earlier one knew of files besides. `page`: the later one's, which counts.

    A file is taken over only while the page still has it with the same digest.
    """
    known = {file.filename: file for file in later.files}
    for file in earlier.files:
        listed = page.file(file.filename)
        if listed is None or file.sha256 is None or listed.listed_sha256 != file.sha256:
            continue
        known[file.filename] = _with(file, known.get(file.filename))
    return replace(later, files=tuple(known[Filename(name)] for name in sorted(known)))


def _with(earlier: BundledFile, later: BundledFile | None) -> BundledFile:
    if later is None:
        return earlier
    told = later if later.claimed is not Claimed.UNKNOWN else earlier
    return replace(
        later,
        carried=earlier.carried or later.carried,
        metadata=later.metadata or earlier.metadata,
        claimed=told.claimed,
        provenance=told.provenance,
    )

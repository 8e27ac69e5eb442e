"""A project of which several bundles bring files, as it is served: what each name brought last, joined. Pure.

Each name has its own record, and nothing is ever joined in the ledger: so the order of imports does not matter, and a
file that one name brought goes when that name drops it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from inbond.bundles.manifest import BundledFile, BundledProject, Claimed
from inbond.model.names import Filename
from inbond.model.page import File, Page


def joined(newest_first: Sequence[BundledProject], page: Page) -> BundledProject:
    """The first with what the others know of files besides. `page`: the first one's, which counts.

    A file is taken over only while the page has it with the same digest.
    """
    newest, *others = newest_first
    known = {file.filename: file for file in newest.files}
    for file in (file for other in others for file in other.files):
        listed = page.file(file.filename)
        if listed is None or file.sha256 is None or listed.listed_sha256 != file.sha256:
            continue
        fitting = _fitting(file, listed)
        there = known.get(file.filename)
        known[file.filename] = fitting if there is None else _with(fitting, there)
    return replace(newest, files=tuple(known[Filename(name)] for name in sorted(known)))


def _fitting(file: BundledFile, listed: File) -> BundledFile:
    """What the page does not contradict of it."""
    fits = listed.core_metadata is not False and listed.metadata_sha256 in (None, file.metadata)
    return file if fits else replace(file, metadata=None)


def _with(earlier: BundledFile, later: BundledFile) -> BundledFile:
    told = later if later.claimed is not Claimed.UNKNOWN else earlier
    return replace(
        later,
        carried=earlier.carried or later.carried,
        metadata=later.metadata or earlier.metadata,
        claimed=told.claimed,
        provenance=told.provenance,
        evidence=later.evidence or earlier.evidence,
    )

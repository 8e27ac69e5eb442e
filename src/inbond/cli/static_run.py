"""Writing a static tree with everything that judges, and what is printed of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from inbond.bundles.keys import SigningKey
from inbond.bundles.limits import MAX_KEY_FILE_BYTES
from inbond.cli.check_locks import PATIENT
from inbond.cli.compose import Running, assembled
from inbond.cli.config import Config
from inbond.cli.transfer_progress import transferring
from inbond.cli.verifying import verifying
from inbond.cli.whole_files import read_regular
from inbond.gateway.clock import Clock, utc_now
from inbond.gateway.provenance import Verifier
from inbond.mirror.static_tree import Left, TreeOptions, TreeReport, TreeSources, write_tree
from inbond.mirror.synced import Synced, SyncedBook, SyncedFile, parse_synced_name
from inbond.model.errors import ConfigurationError, OperatorFault
from inbond.model.text import counted, printable
from inbond.model.units import format_size
from inbond.upstream.settings import UpstreamSettings

ALL: Final = 0
STOPPED: Final = 1
MISSING: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to write. `key`: the file of the one that signs it."""

    directory: Path
    name: str
    link: bool = False
    url: str = ""
    key: Path | None = None


async def run(config: Config, wanted: Wanted) -> TreeReport:
    """Writes the tree with the real verifier. Raises `OperatorFault`."""
    async with verifying(config) as (upstreams, verifier):
        return await written(config, upstreams, verifier, wanted)


async def written(
    config: Config,
    upstreams: tuple[UpstreamSettings, ...],
    verifier: Verifier,
    wanted: Wanted,
    *,
    clock: Clock = utc_now,
) -> TreeReport:
    """The same with a verifier that is there already."""
    options = TreeOptions(link=wanted.link, url=checked_url(wanted.url))
    key = signing_key(wanted.key)
    synced = SyncedBook(config.storage.mirror_dir / "synced").read(checked_name(wanted.name))
    async with assembled(config, upstreams, verifier, clock=clock, limits=PATIENT, serving=False) as up:
        return await tree_of(up, synced, wanted.directory, options=options, key=key)


async def tree_of(
    up: Running, synced: Synced, directory: Path, *, options: TreeOptions | None = None, key: SigningKey | None = None
) -> TreeReport:
    """Writes the tree of a sync from a gateway that is up. Raises `OperatorFault`."""
    sources = TreeSources(
        index=up.gateway.index(synced.index),
        pages=up.parts.base.pages,
        judge=up.parts.judge,
        files=up.gateway.files,
        blobs=up.parts.blobs,
    )
    size = sum(file.size for file in synced.files)
    with transferring("writing", files=len(synced.files), size=size) as progress:

        def done(file: SyncedFile) -> None:
            progress.bytes(file.size)
            progress.file(file.filename)

        return await write_tree(directory, synced, sources, options=options, key=key, done=done)


def signing_key(path: Path | None) -> SigningKey | None:
    """The key in a file. Raises `OperatorFault`."""
    if path is None:
        return None
    try:
        return SigningKey.parse(read_regular(path, MAX_KEY_FILE_BYTES))
    except OSError as error:
        raise OperatorFault(f"{path} cannot be read: {error.strerror or error}") from error


def checked_name(name: str) -> str:
    """The name of a sync. Raises `ConfigurationError`."""
    try:
        return parse_synced_name(name)
    except ValueError as error:
        raise ConfigurationError(str(error), remedy="name it as inbond sync --name did") from error


def checked_url(url: str) -> str:
    """A tree's address, with a slash. Raises `ConfigurationError`."""
    if url and not url.startswith(("https://", "http://")):
        raise ConfigurationError(f"{url!a} is no address", remedy="write it as in https://packages.acme.example/tree/")
    return f"{url.rstrip('/')}/" if url else ""


def exit_code(report: TreeReport) -> int:
    """0, 1 or 2, as the help says: what could not be had counts before what is stopped."""
    left = {one.left for one in report.left_out}
    if Left.MISSING in left:
        return MISSING
    return STOPPED if left else ALL


def as_text(report: TreeReport) -> str:
    """For people."""
    signed = f", signed with {report.signed_by}" if report.signed_by is not None else ""
    what = f"{counted(report.files, 'file')} of {counted(report.projects, 'project')}, {format_size(report.size)}"
    lines = [
        f"{printable(str(report.root))}: {what}{signed}",
        f"  pages and the like counted: {report.written:,} written, {report.kept:,} kept, {report.removed:,} removed",
    ]
    lines += [
        f"  left out ({one.left}): {printable(one.file.filename)}: {printable(one.reason)}" for one in report.left_out
    ]
    return "\n".join(lines)


def as_json(report: TreeReport) -> str:
    """For programs."""
    said = {
        "directory": str(report.root),
        "projects": report.projects,
        "files": report.files,
        "size": report.size,
        "written": report.written,
        "kept": report.kept,
        "removed": report.removed,
        "signed_by": report.signed_by,
        "left_out": [
            {
                "upstream": one.file.upstream,
                "project": one.file.project,
                "filename": one.file.filename,
                "why": str(one.left),
                "reason": one.reason,
            }
            for one in report.left_out
        ],
    }
    return json.dumps(said, indent=2)

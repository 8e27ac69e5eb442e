"""What goes into a bundle besides projects: the advisories that this side has, and the roots that it trusts.

Nobody is asked over the network: what goes out is what this side itself goes by. Everything here blocks, but for
`trusted_roots`.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final, assert_never

from inbond.advisories.limits import MAX_RECORD_BYTES
from inbond.bundles.limits import MAX_ADVISORIES_BYTES
from inbond.gateway.advisory_archive import KeptArchive
from inbond.gateway.advisory_sources import (
    AdvisorySource,
    FromImports,
    Look,
    Unreadable,
    files_below,
    look_at,
    require_records,
)
from inbond.gateway.advisory_unpacking import BEHIND_ONE
from inbond.gateway.brought import FindBrought
from inbond.gateway.trust import RootSource, bundled_root_path, written_at
from inbond.gateway.trust_files import TrustFiles
from inbond.model.errors import OperatorFault
from inbond.model.units import format_size
from inbond.upstream.feed import FeedSettings

_NO_TIME: Final = (1980, 1, 1, 0, 0, 0)  # the earliest that a .zip archive can name
_PLAIN_FILE: Final = 0o100644 << 16
_UNIX: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingArchive:
    """An archive that no one writes to any more. `as_of`: when its records were last known to be all there are."""

    path: Path
    size: int
    as_of: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingRoot:
    """A trusted root. `as_of`: when it was last known to be the newest, or else came to be here."""

    scope: str
    content: bytes
    as_of: datetime


def advisories_archive(source: AdvisorySource, *, kept: Path, find: FindBrought, into: Path) -> OutgoingArchive:
    """What a source holds on this machine, as one archive in the directory `into`; the same records, the same bytes.

    An archive goes out as it is; of a directory one is made. `kept`: the directory where archives from URLs are;
    `find`: what imports brought under the source's name. Raises OperatorFault where there is nothing to send.
    """
    to = into / f"{source.name}.archive"
    try:
        as_of = _gather(source, kept, find, to)
        require_records(to)
    except (Unreadable, OSError) as error:
        said = str(error).replace(f"{to}", "what would go out")
        raise OperatorFault(
            f"[advisories.{source.name}] cannot be sent: {said}",
            remedy="see inbond advisories status, mend the source or take it out of the configuration",
        ) from error
    size = to.stat().st_size
    if size > MAX_ADVISORIES_BYTES:
        raise OperatorFault(
            f"[advisories.{source.name}] is larger than {format_size(MAX_ADVISORIES_BYTES)} as an archive",
            remedy="name a .zip or .tar.gz archive of the directory as path: that goes out as it is",
        )
    return OutgoingArchive(path=to, size=size, as_of=as_of)


def _gather(source: AdvisorySource, kept: Path, find: FindBrought, to: Path) -> datetime:
    match source.place:
        case Path() as path:
            copy = _pack if path.is_dir() else _copy
            return _steady(partial(look_at, path), partial(copy, path, to))
        case FeedSettings() as feed:
            archive = KeptArchive(kept, feed)
            return _steady(partial(_kept, archive), partial(_copy, archive.path, to))
        case FromImports():
            brought = find()
            if brought is None:
                raise Unreadable("no bundle that was imported brought any")
            _copy(brought.path, to)
            return brought.as_of
        case _:
            assert_never(source.place)


def _kept(archive: KeptArchive) -> Look:
    found = archive.look()
    if found is None:
        raise Unreadable("nothing of it was fetched yet")
    return found


def _steady(look: Callable[[], Look], copy: Callable[[], object]) -> datetime:
    """Copies what looks the same before and after; of when it is."""
    before = look()
    copy()
    if look().mark != before.mark:
        raise Unreadable("it is just being written; try again in a moment")
    return before.at


def _copy(path: Path, to: Path) -> None:
    shutil.copyfile(path, to)


def _pack(directory: Path, to: Path) -> None:
    """An archive that depends on names and contents alone: stored, as what packs has versions."""
    names = sorted(name for name, _ in files_below(directory))
    if not names:
        raise Unreadable(f"{directory} holds no advisory")
    with zipfile.ZipFile(to, "w", zipfile.ZIP_STORED) as archive:
        for name in names:
            entry = zipfile.ZipInfo(_portable(name), _NO_TIME)
            entry.create_system, entry.external_attr = _UNIX, _PLAIN_FILE
            with (directory / name).open("rb") as file:
                archive.writestr(entry, file.read(MAX_RECORD_BYTES + BEHIND_ONE))


def _portable(name: str) -> str:
    """A name that is text, and another one for every other name."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


async def trusted_roots(sources: Iterable[RootSource], directory: Path) -> tuple[OutgoingRoot, ...]:
    """The roots in force here, by scope: what was accepted last, or else what the source has.

    `sources`: such as ask nobody, as with `config.offline`; `directory`: where last good roots are kept. Raises
    OperatorFault where a scope has none.
    """
    return tuple([await _in_force(one, TrustFiles(directory)) for one in sorted(sources, key=lambda one: one.name)])


async def _in_force(source: RootSource, files: TrustFiles) -> OutgoingRoot:
    raw, error = None, None
    try:
        raw = await source.read()
    except OperatorFault as fault:
        error = fault
    kept = await asyncio.to_thread(files.root, source.name)
    if kept is not None and kept.origin == source.origin and kept.raw != raw:
        return OutgoingRoot(scope=source.name, content=kept.raw, as_of=kept.since)
    if raw is None:
        assert error is not None
        raise error
    as_of = await source.as_of()
    if (
        as_of is None
    ):  # it is sigstore's, of which nobody says how old it is: at least it is not from after it came here
        as_of = await asyncio.to_thread(_installed)
    return OutgoingRoot(scope=source.name, content=raw, as_of=as_of)


def _installed() -> datetime:
    """When the root came here that sigstore ships: the same at every export. Raises OperatorFault."""
    path = bundled_root_path()
    found = written_at(path)
    assert found is not None, f"{path} was just read"
    return found

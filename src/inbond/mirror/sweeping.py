"""Blobs that nothing in force refers to any more, removed: they are never evicted, so this is how they go.

Only while no import is under way (`mirror/import.lock`): what one has just written is not referred to yet. A server
that has a file open keeps it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from inbond.bundles.manifest_json import decode_project
from inbond.mirror.references import blobs_of
from inbond.model.imports import Withdrawn
from inbond.model.names import is_sha256
from inbond.store.files import unavailable
from inbond.store.ledger import Ledger

BLOBS: Final = "blobs"  # the directory's name, below the mirror's


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What was removed: so many files, of so many bytes."""

    files: int = 0
    size: int = 0


async def withdraw(ledger: Ledger, mirror: Path, name: str) -> tuple[Withdrawn, Swept] | None:
    """Takes back what bundles of a name brought, and removes what nothing refers to then; None: nothing is here of it.

    Documents, pins and memory stay. Raises `StoreUnavailable`, `InvalidBundle` for a record that cannot be read.
    """
    withdrawn = await ledger.withdraw_import(name)
    return None if withdrawn is None else (withdrawn, await sweep(ledger, mirror))


async def sweep(ledger: Ledger, mirror: Path) -> Swept:
    """Removes all blobs that nothing in force refers to. Raises as `withdraw`."""
    kept = await referenced(ledger)
    return await asyncio.to_thread(_remove_but, mirror / BLOBS, kept)


async def sweep_of(ledger: Ledger, mirror: Path, superseded: Collection[str]) -> Swept:
    """The same of some blobs only, to which something referred before. Raises as `withdraw`."""
    if not superseded:
        return Swept()
    kept = await referenced(ledger)
    return await asyncio.to_thread(_remove, mirror / BLOBS, frozenset(superseded) - kept)


async def referenced(ledger: Ledger) -> frozenset[str]:
    """The blobs that anything in force refers to, under whichever name. Raises as `withdraw`."""
    rows = await ledger.imported_projects()
    documents = await ledger.imported_documents()
    return await asyncio.to_thread(lambda: blobs_of([decode_project(row.entry) for row in rows], documents))


def _remove_but(blobs: Path, kept: Collection[str]) -> Swept:
    return _remove(blobs, (name for name in _names(blobs) if name not in kept))


def _names(blobs: Path) -> Iterator[str]:
    try:
        for directory in sorted((blobs / "sha256").iterdir()):
            yield from [path.name for path in directory.iterdir() if is_sha256(path.name)]
    except FileNotFoundError:
        return  # nothing was ever imported
    except OSError as error:
        raise unavailable("look for files that nothing refers to", error) from error


def _remove(blobs: Path, names: Iterable[str]) -> Swept:
    files = size = 0
    for sha256 in names:
        path = blobs / "sha256" / sha256[:2] / sha256
        with contextlib.suppress(OSError):  # what stays is whole, and the next sweep finds it
            length = path.lstat().st_size
            path.unlink()
            files, size = files + 1, size + length
    return Swept(files=files, size=size)

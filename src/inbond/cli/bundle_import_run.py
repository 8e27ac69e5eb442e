"""Running an import, or a verification: where the bundle is read from, and what it is judged with."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

from inbond.bundles.keys import PublicKey
from inbond.cli.check_locks import PATIENT
from inbond.cli.compose import assembled
from inbond.cli.config import Config
from inbond.cli.logs import log_alerts
from inbond.cli.transfer_progress import transferring
from inbond.cli.trust_sources import trust_dir
from inbond.cli.verifying import verifying
from inbond.cli.whole_files import open_regular
from inbond.gateway.clock import Clock, utc_now
from inbond.gateway.provenance import Verifier
from inbond.mirror.import_outcome import Imported
from inbond.mirror.importing import Importer, Rules
from inbond.mirror.rejudging import Bench
from inbond.model.errors import OperatorFault
from inbond.store.files import PRIVATE_FILE, make_private, remove_tree, unavailable
from inbond.store.ledger import open_ledger
from inbond.upstream.settings import UpstreamSettings

STREAM: Final = "-"
LARGE_BYTES: Final = 2**20
ADVISORIES: Final = "advisories"  # what was fetched of them, below the cache's directory

Verifying = Callable[[Config], AbstractAsyncContextManager[tuple[tuple[UpstreamSettings, ...], Verifier]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to take. `bundle`: a file, or "-". Where not `keep`, it is only verified."""

    bundle: str
    keys: tuple[PublicKey, ...]
    keep: bool = True
    allow_older: bool = False


@asynccontextmanager
async def _verifying(config: Config) -> AsyncIterator[tuple[tuple[UpstreamSettings, ...], Verifier]]:
    async with verifying(config) as found:
        yield found


async def run(config: Config, wanted: Wanted, *, clock: Clock = utc_now, verifier: Verifying = _verifying) -> Imported:
    """Imports a bundle, or verifies it. Raises `InvalidBundle`, `OperatorFault`."""
    doing = "importing" if wanted.keep else "verifying"
    with _stream(wanted.bundle) as stream, _scratch(config, keep=wanted.keep) as scratch:
        ledger_file = config.storage.ledger
        if not wanted.keep and not ledger_file.exists():
            ledger_file = scratch / "empty" / ledger_file.name  # who only looks at a bundle begins no ledger
        ledger = await asyncio.to_thread(open_ledger, ledger_file, observer=log_alerts)
        try:
            importer = Importer(
                ledger=ledger,
                mirror=config.storage.mirror_dir,
                scratch=scratch,
                open_bench=partial(_bench, config, wanted, clock, verifier),
                clock=clock,
                observer=log_alerts,
                rules=Rules(keys=wanted.keys, keep=wanted.keep, allow_older=wanted.allow_older),
            )
            return await importer.run(stream, lambda files, size: transferring(doing, files=files, size=size))
        finally:
            await ledger.aclose()


@asynccontextmanager
async def _bench(
    config: Config, wanted: Wanted, clock: Clock, verifier: Verifying, scratch: Path
) -> AsyncIterator[Bench]:
    """What judges as a server would, on the scratch directory's ledger and without a network."""
    storage = replace(
        config.storage,
        cache_dir=scratch / "cache",
        ledger_dir=scratch / "ledger",
        mirror_dir=config.storage.mirror_dir if wanted.keep else scratch / "mirror",
    )
    there = replace(config, storage=storage, offline=True, webhooks=())
    await asyncio.to_thread(_lend, config, there)
    async with (
        verifier(there) as (upstreams, verifies),
        assembled(there, upstreams, verifies, clock=clock, limits=PATIENT, serving=False) as up,
    ):
        base = up.parts.base
        yield Bench(
            indexes=up.gateway.indexes,
            pages=base.pages,
            judge=up.parts.judge,
            inspections=base.inspections,
            blobs=up.parts.blobs,
        )


def _lend(config: Config, there: Config) -> None:
    """Copies what trust and advisories are judged by besides imports: roots and archives that were fetched earlier."""
    for path, copy in (
        (trust_dir(config), trust_dir(there)),
        (config.storage.cache_dir / ADVISORIES, there.storage.cache_dir / ADVISORIES),
    ):
        if path.is_dir():
            make_private(copy.parent)
            shutil.copytree(path, copy, copy_function=_lent)


def _lent(source: str, copy: str) -> None:
    """A copy, or for what is large a second name: archives are replaced by renaming, never written to.

    What is small may be a lock, which would be the same one under another name.
    """
    try:
        if Path(source).stat().st_size >= LARGE_BYTES:
            with contextlib.suppress(OSError):  # another file system
                os.link(source, copy)
                return
        shutil.copy2(source, copy)
    except FileNotFoundError:
        return  # a server replaced it a moment ago


@contextmanager
def _stream(bundle: str) -> Iterator[BinaryIO]:
    if bundle == STREAM:
        yield sys.stdin.buffer
        return
    try:
        stream = open_regular(Path(bundle))
    except OSError as error:
        raise OperatorFault(f"{bundle} cannot be read: {error.strerror or error}") from error
    with stream:
        yield stream


@contextmanager
def _scratch(config: Config, *, keep: bool) -> Iterator[Path]:
    """A directory that is gone afterwards."""
    try:
        if keep:
            with _scratch_of_import(config.storage.mirror_dir) as directory:
                yield directory
        else:
            with tempfile.TemporaryDirectory(prefix="inbond-verify-") as name:
                yield Path(name)
    except OSError as error:
        raise unavailable("import a bundle" if keep else "verify a bundle", error) from error


@contextmanager
def _scratch_of_import(mirror: Path) -> Iterator[Path]:
    """There is one import at a time: the next one removes what an interrupted one left."""
    make_private(mirror)
    with _alone(mirror / "import.lock"):
        remove_tree(mirror / "importing")
        try:
            yield mirror / "importing"
        finally:
            remove_tree(mirror / "importing")


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OperatorFault("another import is under way here", remedy="wait until it has ended") from error
        yield
    finally:
        with contextlib.suppress(OSError):
            os.close(handle)

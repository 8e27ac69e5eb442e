"""Running an import, or a verification: where the bundle is read from, and what it is judged with."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

from inbond.bundles.keys import PublicKey
from inbond.cli.acts import act_of_command
from inbond.cli.bundle_input import Input, reading
from inbond.cli.bundle_scratch import copied_to_look_at, scratch_directory
from inbond.cli.check_locks import PATIENT
from inbond.cli.compose import assembled
from inbond.cli.config import Config, StorageSettings
from inbond.cli.ledger_opened import opened_ledger
from inbond.cli.logs import log_alerts
from inbond.cli.transfer_progress import transferring
from inbond.cli.trust_sources import trust_dir
from inbond.cli.upstream_sources import asked, late
from inbond.cli.verifying import verifying
from inbond.gateway.clock import Clock, utc_now
from inbond.gateway.provenance import Verifier
from inbond.mirror.admission import Rules
from inbond.mirror.import_outcome import Imported
from inbond.mirror.importing import Importer
from inbond.mirror.receiving import Told
from inbond.mirror.rejudging import Bench
from inbond.model.acts import Act, ActKind
from inbond.model.text import counted, printable
from inbond.store.files import make_private
from inbond.store.ledger import Ledger, open_ledger
from inbond.upstream.settings import UpstreamSettings

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
    new_key: bool = False


@asynccontextmanager
async def _verifying(config: Config) -> AsyncIterator[tuple[tuple[UpstreamSettings, ...], Verifier]]:
    async with verifying(config) as found:
        yield found


def _ledger(storage: StorageSettings, scratch: Path | None) -> Ledger:
    """The configured one, or a copy of it to look at. Blocks."""
    if scratch is None:
        return opened_ledger(storage, observer=log_alerts)
    return open_ledger(copied_to_look_at(storage.ledger, scratch), observer=log_alerts)


async def run(config: Config, wanted: Wanted, *, clock: Clock = utc_now, verifier: Verifying = _verifying) -> Imported:
    """Imports a bundle, or verifies it. Raises `InvalidBundle`, `OperatorFault`."""
    doing = "importing" if wanted.keep else "verifying"
    with reading(wanted.bundle) as coming, scratch_directory(config, keep=wanted.keep) as scratch:
        ledger = await asyncio.to_thread(_ledger, config.storage, None if wanted.keep else scratch)
        try:
            importer = Importer(
                ledger=ledger,
                mirror=config.storage.mirror_dir,
                scratch=scratch,
                open_bench=partial(_bench, config, wanted, clock, verifier),
                clock=clock,
                observer=log_alerts,
                rules=Rules(
                    keys=wanted.keys,
                    keep=wanted.keep,
                    allow_older=wanted.allow_older,
                    new_key=wanted.new_key,
                    asked=asked(config),
                ),
            )
            told = partial(_transferring, doing)
            before, fed = await ledger.imports(), {one.name for one in await ledger.imported_upstreams()}
            done = await _unless_cancelled(asyncio.create_task(importer.run(coming.stream, told)), coming)
            if done.kept:
                await ledger.record_acts([_act(done, clock())])
            return replace(
                done,
                again=done.sha256 in {one.manifest for one in before},
                late=tuple(sorted(late(config, {one.upstream for one in done.taken} - fed))) if wanted.keep else (),
            )
        finally:
            await ledger.aclose()


def _act(done: Imported, now: datetime) -> Act:
    name = done.manifest.name
    return act_of_command(
        ActKind.BUNDLE_IMPORTED,
        f"the bundle {printable(name)} was imported: {counted(len(done.taken), 'file')} taken",
        now=now,
        target=name,
        detail={"manifest": done.sha256, "key": done.key},
    )


def _transferring(doing: str, files: int, size: int) -> AbstractContextManager[Told]:
    return transferring(doing, files=files, size=size)


async def _unless_cancelled(importing: asyncio.Task[Imported], coming: Input) -> Imported:
    """What it returns. Where nobody wants that any more, it ends before this does: it waits for no more bytes."""
    try:
        await asyncio.wait([importing])
    except asyncio.CancelledError:
        coming.abandon()
        importing.cancel()
        await asyncio.gather(importing, return_exceptions=True)
        raise
    return importing.result()


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

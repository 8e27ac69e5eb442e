"""Running a sync: read what is wanted, have the policy choose, fetch, and write down what is there."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from inbond.check.addresses import Addresses
from inbond.cli.check_locks import PATIENT, base_url
from inbond.cli.compose import Running, assembled
from inbond.cli.config import Config
from inbond.cli.static_run import tree_of
from inbond.cli.sync_examined import Examination, Examined
from inbond.cli.sync_wanted import How, Sorted, Wanted, read_wanted
from inbond.cli.telling import say
from inbond.cli.transfer_progress import transferring
from inbond.cli.verifying import verifying
from inbond.gateway.clock import Clock, utc_now
from inbond.gateway.indexes import Index
from inbond.gateway.provenance import Verifier
from inbond.mirror.accounting import FileKey, entry_of, merged
from inbond.mirror.fetching import Fetcher
from inbond.mirror.outcomes import STOPPED_OR_MISSING, FileOutcome, State, SyncOutcome
from inbond.mirror.static_tree import TreeReport
from inbond.mirror.synced import Synced, SyncedBook
from inbond.mirror.syncing import Plan, Syncer, planned, records_of
from inbond.model.errors import ConfigurationError
from inbond.model.text import counted
from inbond.model.units import format_size
from inbond.store.files import unavailable
from inbond.upstream.limits import Limits
from inbond.upstream.settings import UpstreamSettings

SYNCED: Final = "synced"  # the records' directory, in the mirror's


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A sync that ended, and the tree that was written of it."""

    outcome: SyncOutcome
    tree: TreeReport | None = None


async def run(config: Config, wanted: Sequence[Wanted], how: How) -> tuple[Done, ...]:
    """Syncs with the real verifier. Raises `InvalidLock`, and `OperatorFault`."""
    async with verifying(config) as (upstreams, verifier):
        return await sync(config, upstreams, verifier, wanted, how)


async def sync(
    config: Config,
    upstreams: tuple[UpstreamSettings, ...],
    verifier: Verifier,
    wanted: Sequence[Wanted],
    how: How,
    *,
    clock: Clock = utc_now,
    limits: Limits = PATIENT,
) -> tuple[Done, ...]:
    """The same with a verifier that is there already."""
    read = [(one, await asyncio.to_thread(read_wanted, one)) for one in wanted]
    async with assembled(config, upstreams, verifier, clock=clock, limits=limits, serving=False) as up:
        return tuple([await _Sync(config=config, up=up, wanted=one, how=how).run(parts) for one, parts in read])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sync:
    """One sync on a gateway that is up."""

    config: Config
    up: Running
    wanted: Wanted
    how: How

    async def run(self, parts: Sequence[Sorted]) -> Done:
        clock = asyncio.get_running_loop().time
        started, began = clock(), time.time()
        index = self._index()
        urls = [self.up.upstream_urls[name] for name in index.upstreams]
        examination = Examination(
            up=self.up,
            config=self.config,
            index=index,
            wanted=self.wanted,
            addresses=Addresses(base=f"{base_url(self.config)}/{index.prefix}".rstrip("/"), upstreams=urls),
            how=self.how,
        )
        examined = await examination.of(parts)
        plan = await planned(examined.rows, self.up.parts.blobs, since=began)
        warnings = self._warnings(plan, examined)
        here = await self._fetched(index, plan)
        files = records_of(here)
        outcome = SyncOutcome(
            synced=Synced(name=self.wanted.name, index=index.name, at=self.up.gateway.clock(), files=files),
            recorded=False,
            policy=index.policy.name,
            entries=merged(entry_of(row, here) for row in examined.rows),
            unresolved=examined.unresolved,
            warnings=warnings,
            fetched=sum(one.size or 0 for one in here.values() if one.state is State.FETCHED),
            seconds=clock() - started,
        )
        return await self._recorded(outcome)

    def _index(self) -> Index:
        index = self.up.gateway.indexes.get(self.wanted.index)
        if index is None:
            known = ", ".join(self.up.gateway.indexes)
            raise ConfigurationError(f"there is no index {self.wanted.index!a}", remedy=f"configured are: {known}")
        return index

    async def _fetched(self, index: Index, plan: Plan) -> Mapping[FileKey, FileOutcome]:
        fetcher = Fetcher(files=self.up.gateway.files, pages=self.up.parts.base.pages, index=index)
        with transferring("fetching", files=len(plan.files), size=plan.to_fetch) as told:
            syncer = Syncer(fetcher=fetcher, blobs=self.up.parts.blobs, told=told)
            try:
                return await syncer.run(plan)
            except asyncio.CancelledError:
                rest = "the same command goes on from there, and the record is as it was"
                say(f"inbond: {syncer.count(plan):,} of {counted(len(plan.files), 'file')} are here; {rest}", err=True)
                raise

    def _warnings(self, plan: Plan, examined: Examined) -> tuple[str, ...]:
        """Said before anything is fetched, and once more in the report."""
        quota = self.up.parts.base.quota
        limit = quota.files(quota.count())
        free = shutil.disk_usage(self.config.storage.cache_dir).free
        idle = [f"{one} names nothing for the Pythons and platforms asked for" for one in examined.idle]
        warnings = (*idle, *room_warnings(plan, limit=limit, free=free))
        for warning in warnings:
            say(f"inbond: {warning}", err=True)
        return warnings

    async def _recorded(self, outcome: SyncOutcome) -> Done:
        whole = outcome.state not in STOPPED_OR_MISSING
        if not outcome.synced.files or (self.how.all_or_nothing and not whole):
            return Done(outcome=outcome)
        book = SyncedBook(self.config.storage.mirror_dir / SYNCED)
        try:
            await asyncio.to_thread(book.write, outcome.synced)
        except OSError as error:
            raise unavailable("write what was synced", error) from error
        tree = await tree_of(self.up, outcome.synced, self.how.static) if self.how.static is not None else None
        return Done(outcome=replace(outcome, recorded=True), tree=tree)


def room_warnings(plan: Plan, *, limit: int, free: int) -> Iterable[str]:
    """Where there is no room for what is wanted. `limit`: bytes of files that the cache keeps; `free`: on the disk."""
    if plan.to_fetch > free:
        yield f"{format_size(plan.to_fetch)} are still to be fetched, and {format_size(free)} of the disk are free"
    if plan.size > limit:
        yield (
            f"what is wanted takes {format_size(plan.size)}, and the cache keeps {format_size(limit)} of files: some"
            " are evicted before they are exported. Raise max_size in [storage]; a tenth of the free disk"
            " and of what the cache has taken itself is the most"
        )

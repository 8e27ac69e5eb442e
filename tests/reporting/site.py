"""A place where inbond has run: pages and evidence in the cache, requests in the ledger, and the index gone since."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from check.support import check, dependency, lock
from inbond.cli import policy_suggest_run, policy_test_run, report_run
from inbond.cli.config import Config, load_config
from inbond.cli.options import GivenOptions
from inbond.locks.lock import Lock
from inbond.model.events import unobserved
from inbond.model.history import AskedRow
from inbond.model.occurrence import Occurrence
from inbond.model.verdict import Decision
from inbond.reporting.report import Report
from inbond.store.ledger import Ledger, open_ledger
from reporting.support import asked
from sim.index import SimFile, SimIndex
from stack import ONE_INDEX, LocalVerifier, SetClock
from store.samples import rows_from


@dataclass
class Site:
    """The configuration is `inbond.toml`; the clock begins now."""

    place: Path
    index: SimIndex
    more: str = ""
    clock: SetClock | None = None

    @property
    def file(self) -> Path:
        return self.place / "inbond.toml"

    def config(self) -> Config:
        self.file.write_text((ONE_INDEX + self.more).format(data=self.place / "data", upstream=self.index.url))
        return load_config(file=self.file, overrides={}, environ={})

    async def visit(self, *files: SimFile) -> None:
        """Has the cache know these releases' pages and evidence."""
        entries = {(file.project, file.version): dependency(file.project, file.version) for file in files}
        await check(self.place, self.index, lock(*entries.values()), more=self.more, clock=self.clock)

    async def asked_for(self, *files: SimFile, clients: Sequence[str] = ("192.0.2.1",), **changes: Any) -> None:
        """Records a request of each client for each file, half a day ago; held by the cooldown in `audit`."""
        at = datetime.now(UTC) - timedelta(hours=12)
        fields = {"at": at, **changes}
        rows = [
            asked(file.filename, **{"version": file.version, "sha256": file.sha256, "client": client, **fields})
            for file in files
            for client in clients
        ]
        async with self.ledger() as ledger:
            await ledger.record(rows_from(rows))

    async def let_through(self, *files: SimFile, **changes: Any) -> None:
        """Records requests that nothing would have stopped."""
        await self.asked_for(*files, would=Decision.ALLOW, rule="", code="", message="", **changes)

    async def happened(self, *occurrences: Occurrence) -> None:
        async with self.ledger() as ledger:
            await ledger.happened(occurrences)

    async def rows(self) -> tuple[AskedRow, ...]:
        async with self.ledger() as ledger:
            return await ledger.asked(since=datetime(2000, 1, 1, tzinfo=UTC))

    @asynccontextmanager
    async def ledger(self) -> AsyncIterator[Ledger]:
        ledger = open_ledger(self.place / "data" / "ledger" / "ledger.sqlite3", observer=unobserved)
        try:
            yield ledger
        finally:
            await ledger.aclose()

    async def report(self, *, days: int = 14, index: str | None = None) -> Report:
        config = self.config()
        wanted = report_run.Wanted(since=timedelta(days=days), index=index)
        upstreams = config.upstreams_at("")
        return await report_run.report(config, upstreams, LocalVerifier(), wanted, clock=self.clock or SetClock())

    async def test(self, policy: str | Path, *locks: Lock, **wanted: Any) -> policy_test_run.Tried:
        config = self.config()
        asked_ = policy_test_run.Wanted(policy=str(policy), **wanted)
        given = GivenOptions(file=self.file, overrides={})
        return await policy_test_run.tried_on(
            config, config.upstreams_at(""), LocalVerifier(), asked_, given=given, locks=list(locks),
            clock=self.clock or SetClock(),
        )  # fmt: skip

    async def suggest(self, *locks: Lock, **wanted: Any) -> policy_suggest_run.Suggestions:
        config = self.config()
        asked_ = policy_suggest_run.Wanted(**wanted)
        verifier = LocalVerifier()
        return await policy_suggest_run.suggestions(config, config.upstreams_at(""), verifier, asked_, locks=locks)


def parsed(text: str) -> dict[str, Any]:
    """A command's JSON."""
    document: dict[str, Any] = json.loads(text)
    return document

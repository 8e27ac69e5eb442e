"""A bundle carried from a connected inbond to one behind the gap, in this process, with all that is real."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from inbond.bundles.keys import SigningKey
from inbond.cli import bundle_export_run, bundle_import_run
from inbond.cli.bundle_export_run import Exported
from inbond.cli.config import Config, load_config, load_written
from inbond.gateway.provenance import Verifier
from inbond.mirror.import_outcome import Imported
from inbond.model.decisions import Decided
from inbond.model.events import unobserved
from inbond.model.imports import Import, ImportedProject
from inbond.model.names import ProjectName
from inbond.store.ledger import Ledger, open_ledger
from inbond.upstream.settings import UpstreamSettings
from mirror.importing import FED
from mirror.syncing import Connected
from stack import LocalVerifier, SetClock


@cache
def signing_key(number: int = 0) -> SigningKey:
    """A key for all tests, and others."""
    return SigningKey(bytes([number]) * 32)


@asynccontextmanager
async def locally(
    verifier: LocalVerifier, config: Config
) -> AsyncIterator[tuple[tuple[UpstreamSettings, ...], Verifier]]:
    """Verifies in this process."""
    yield config.upstreams_at(""), verifier


@dataclass(frozen=True)
class Sender:
    """What was synced at a `Connected`, exported."""

    near: Connected

    async def export(
        self, name: str = "default", *, to: str = "out.bundle", since: Path | None = None, key: SigningKey | None = None
    ) -> Exported:
        place = self.near.place
        (place / "own.key").write_bytes((key or signing_key()).pem)
        output = str(place / to)
        loaded = load_written(file=place / "inbond.toml", overrides={}, environ={})
        return await bundle_export_run.run(
            loaded,
            bundle_export_run.Wanted(name=name, key=place / "own.key", output=output, since=since),
            clock=self.near.clock,
            verifier=lambda config: locally(self.near.verifier, config),
        )

    @property
    def bundle(self) -> Path:
        return self.near.place / "out.bundle"


@dataclass
class Receiver:
    """The other side. `toml`: its configuration, which may name `{data}`."""

    place: Path
    more: str = ""
    toml: str = FED
    clock: SetClock = field(default_factory=SetClock)
    verifier: LocalVerifier = field(default_factory=LocalVerifier)

    def __post_init__(self) -> None:
        self.place.mkdir(exist_ok=True)
        self.configure(self.more)

    def configure(self, more: str) -> None:
        (self.place / "inbond.toml").write_text((self.toml + more).format(data=self.place / "data"))

    @property
    def config(self) -> Config:
        return load_config(file=self.place / "inbond.toml", overrides={}, environ={})

    async def take(self, bundle: Path, **how: Any) -> Imported:
        """Imports it, or verifies it with `keep=False`."""
        keys = how.pop("keys", (signing_key().public,))
        return await bundle_import_run.run(
            self.config,
            bundle_import_run.Wanted(bundle=str(bundle), keys=keys, **how),
            clock=self.clock,
            verifier=lambda config: locally(self.verifier, config),
        )

    @asynccontextmanager
    async def ledger(self) -> AsyncIterator[Ledger]:
        ledger = open_ledger(self.config.storage.ledger, observer=unobserved)
        try:
            yield ledger
        finally:
            await ledger.aclose()

    async def imports(self) -> tuple[Import, ...]:
        async with self.ledger() as ledger:
            return await ledger.imports()

    async def rows(self, project: str) -> tuple[ImportedProject, ...]:
        """What is in force of a project, the one whose page counts first."""
        async with self.ledger() as ledger:
            return await ledger.imported("pypi", ProjectName(project))

    async def decisions(self) -> tuple[Decided, ...]:
        ledger = open_ledger(self.config.storage.ledger, observer=unobserved)
        try:
            return tuple(await ledger.decisions())
        finally:
            await ledger.aclose()

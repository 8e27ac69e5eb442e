"""Taking back what bundles of a name brought, and the bytes that nothing else refers to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from inbond.cli.acts import act_of_command
from inbond.cli.bundle_scratch import import_directory
from inbond.cli.config import Config
from inbond.cli.ledger_opened import opened_ledger
from inbond.cli.logs import log_alerts
from inbond.gateway.clock import utc_now
from inbond.mirror.sweeping import Swept, withdraw
from inbond.model.acts import ActKind
from inbond.model.imports import Withdrawn
from inbond.model.text import printable
from inbond.store.files import unavailable
from inbond.store.ledger import Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class ToRemove:
    """What is here of a name."""

    name: str
    imports: int
    projects: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """What is gone; `withdrawn` is None where there was nothing."""

    name: str
    withdrawn: Withdrawn | None = None
    swept: Swept = field(default_factory=Swept)


async def to_remove(config: Config, name: str) -> ToRemove | None:
    """What would go, or None. Raises `OperatorFault`."""
    if not config.storage.ledger.exists():
        return None
    async with _opened(config) as ledger:
        imports = [one for one in await ledger.imports() if one.name == name]
        projects = [one for one in await ledger.imported_projects(None) if one.name == name]
    if not imports and not projects:
        return None
    return ToRemove(name=name, imports=len(imports), projects=len({(one.upstream, one.project) for one in projects}))


async def remove(config: Config, name: str) -> Removed:
    """Removes it, while nothing is imported. Raises `OperatorFault`."""
    if not config.storage.ledger.exists():
        return Removed(name=name)
    mirror = config.storage.mirror_dir
    try:
        with import_directory(mirror):
            async with _opened(config) as ledger:
                done = await withdraw(ledger, mirror, name)
                if done is not None:
                    message = f"what bundles of the name {printable(name)} brought was removed"
                    act = act_of_command(ActKind.BUNDLE_REMOVED, message, now=utc_now(), target=name)
                    await ledger.record_acts([act])
    except OSError as error:
        raise unavailable("remove a bundle", error) from error
    if done is None:
        return Removed(name=name)
    withdrawn, swept = done
    return Removed(name=name, withdrawn=withdrawn, swept=swept)


@asynccontextmanager
async def _opened(config: Config) -> AsyncIterator[Ledger]:
    ledger = await asyncio.to_thread(opened_ledger, config.storage, observer=log_alerts)
    try:
        yield ledger
    finally:
        await ledger.aclose()

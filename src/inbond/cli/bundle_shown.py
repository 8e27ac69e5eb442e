"""What there is to show of bundles: a file's own word, and what was imported and synced here."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from inbond.bundles.container import open_bundle
from inbond.cli.bundle_export_run import SYNCED
from inbond.cli.bundle_input import STREAM
from inbond.cli.bundle_keys import public_key
from inbond.cli.config import Config
from inbond.cli.ledger_opened import opened_ledger
from inbond.cli.logs import log_alerts
from inbond.cli.whole_files import open_regular
from inbond.mirror.peeking import Peeked, peek
from inbond.mirror.synced import Synced, SyncedBook
from inbond.model.errors import ConfigurationError, InvalidBundle, OperatorFault
from inbond.model.imports import Import


def peeked(config: Config, bundle: str) -> tuple[Peeked, bool]:
    """What a bundle says, and whether a key that is trusted here signed that. Raises `OperatorFault`."""
    if bundle == STREAM:
        return peek(sys.stdin.buffer), False  # it is read once, so it is believed nothing
    keys = [public_key(path) for path in config.imports.keys]
    try:
        with open_regular(Path(bundle)) as file:
            said = peek(file)
            file.seek(0)
            try:
                open_bundle(file, keys)
            except InvalidBundle:
                return said, False
            return said, True
    except OSError as error:
        raise OperatorFault(f"{bundle} cannot be read: {error.strerror or error}") from error


async def known_here(config: Config) -> tuple[tuple[Import, ...], tuple[Synced, ...]]:
    """What was imported, the latest first, and what was synced, by name. Raises `OperatorFault`."""
    book = SyncedBook(config.storage.mirror_dir / SYNCED)
    synced: list[Synced] = []
    for name in await asyncio.to_thread(book.names):
        try:
            synced.append(await asyncio.to_thread(book.read, name))
        except ConfigurationError:
            continue  # removed a moment ago
    if not config.storage.ledger.exists():
        return (), tuple(synced)
    ledger = await asyncio.to_thread(opened_ledger, config.storage, observer=log_alerts)
    try:
        return await ledger.imports(), tuple(synced)
    finally:
        await ledger.aclose()

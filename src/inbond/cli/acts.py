"""What a command writes into the audit trail of what it did."""

from __future__ import annotations

import asyncio
import getpass
import os
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from inbond.cli.config import StorageSettings
from inbond.cli.ledger_opened import opened_ledger
from inbond.cli.logs import log_alerts
from inbond.model.acts import COMMAND, Act, ActKind
from inbond.model.text import printable

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


def act_of_command(
    kind: ActKind,
    message: str,
    *,
    now: datetime,
    target: str = "",
    index: str | None = None,
    project: str | None = None,
    detail: Mapping[str, str] = _NOTHING,
    by: str | None = None,
) -> Act:
    """An act of the user who runs the command, or of the name that was given."""
    return Act(
        at=now,
        kind=kind,
        by=by or user(),
        client=COMMAND,
        message=message,
        index=index,
        project=project,
        target=target,
        detail={name: fact for name, fact in detail.items() if fact},
    )


def user() -> str:
    """Who runs the command: the name, or where it has none the number."""
    try:
        return printable(getpass.getuser())
    except (KeyError, OSError, ImportError):
        return f"uid {os.getuid()}"


async def record(storage: StorageSettings, act: Act) -> None:
    """Writes an act of what the ledger has no part in, where inbond has a ledger. Raises `OperatorFault` as it does."""
    if not storage.ledger.exists():  # whoever only changes a file makes none
        return
    ledger = await asyncio.to_thread(opened_ledger, storage, observer=log_alerts)
    try:
        await ledger.record_acts([act])
    finally:
        await ledger.aclose()

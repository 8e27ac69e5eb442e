"""Copying and examining the ledger, and what is printed of it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from inbond.cli.acts import act_of_command
from inbond.cli.config import Config
from inbond.gateway.clock import utc_now
from inbond.model.acts import ActKind
from inbond.model.errors import ConfigurationError, StoreUnavailable
from inbond.model.text import counted, printable
from inbond.model.units import format_size
from inbond.store.files import unavailable
from inbond.store.ledger_facts import LedgerFacts, examine
from inbond.store.ledger_file import beside_others, copy_file
from inbond.store.ledger_lost import Lost
from inbond.store.ledger_restore import NotRestored, Restored, restore

__all__ = [
    "NotRestored",
    "Restored",
    "as_json",
    "as_text",
    "backed_up",
    "checked",
    "examine",
    "path_of",
    "restored",
    "restored_text",
]


def path_of(config: Config) -> Path:
    """Where the configuration has its ledger."""
    return config.storage.ledger


def backed_up(config: Config, to: Path) -> LedgerFacts:
    """Copies the ledger, unless it is damaged, and examines the copy. Raises `OperatorFault`, `StoreUnavailable`."""
    path = path_of(config)
    with beside_others(path):
        found = examine(path)
        if not found.is_whole:
            return found
        if to.exists() and to.samefile(path):
            raise ConfigurationError(f"{to} is the ledger itself", remedy="name another file")
        try:
            copy_file(path, to)
        except OSError as error:
            raise unavailable("write the backup", error) from error
        except sqlite3.Error as error:
            raise StoreUnavailable(f"the ledger cannot be copied: {error}", remedy="see who else uses it") from error
    return examine(to)


def checked(config: Config) -> LedgerFacts:
    """Examines the ledger. Raises `OperatorFault`, `StoreUnavailable`."""
    path = path_of(config)
    with beside_others(path):
        return examine(path)


def restored(backup: Path, path: Path) -> Restored | NotRestored:
    """Restores a backup, which the ledger then tells. Raises `OperatorFault`, `StoreUnavailable`."""
    message = f"a backup was restored in the ledger's place: {printable(str(backup))}"
    told = act_of_command(ActKind.LEDGER_RESTORED, message, target=backup.name, now=utc_now())
    return restore(backup, path, told=told)


def as_text(facts: LedgerFacts, path: Path) -> str:
    """For people."""
    state = "damaged" if not facts.is_whole else "in doubt" if facts.doubts else "whole"
    lines = [f"{printable(str(path))}: {state}, {format_size(facts.size)}, schema {facts.schema}"]
    lines += [f"  {printable(complaint)}" for complaint in (*facts.complaints, *facts.doubts)]
    lines += [f"  {number:>9,}  {what}" for what, number in facts.counts.items()]
    lines += [
        f"  webhook {name} waits for {counted(number, 'delivery')}" for name, number in facts.waiting.items() if number
    ]
    if facts.is_whole and facts.is_earlier:
        lines.append("  the next start of inbond brings it to its own schema: keep a backup of it as it is")
    return "\n".join(lines)


def as_json(facts: LedgerFacts, path: Path) -> str:
    """For programs."""
    said = {
        "path": str(path),
        "whole": facts.is_whole,
        "size": facts.size,
        "schema": facts.schema,
        "complaints": facts.complaints,
        "doubts": facts.doubts,
        "counts": {what.replace(" ", "_"): number for what, number in facts.counts.items()},
        "waiting": facts.waiting,
    }
    return json.dumps(said, indent=2)


def restored_text(done: Restored | NotRestored, backup: Path, path: Path) -> str:
    """For people: what was done, and what is forgotten by it."""
    match done:
        case NotRestored(facts=facts):
            return f"{as_text(facts, backup)}\nnothing was restored: {printable(str(path))} is as it was"
        case Restored(facts=facts, aside=aside, lost=lost):
            before = f"the ledger before it is now {printable(str(aside))}" if aside else "there was none before it"
            return "\n".join([as_text(facts, path), before, *_lost_lines(lost)])


def _lost_lines(lost: Lost) -> Iterator[str]:
    if lost.untold is not None:
        yield f"what that one knew and the backup does not cannot be told: {printable(lost.untold)}"
        return
    if lost.counts:
        yield "what that one knew and the backup does not, and is forgotten:"
    yield from (f"  {number:>9,}  {what}" for what, number in lost.counts.items())
    for decision in lost.decisions:
        done = "revoked" if decision.revoked else "made"
        when = decision.at.isoformat(sep=" ", timespec="seconds")
        yield f"  {decision.kind} of {printable(decision.project)}, {done} by {printable(decision.by)}, {when}"
    for one in lost.serials:
        where = f"{printable(one.upstream)}, {printable(one.project)}"
        yield f"  {where}: serial {one.was} is now {'unknown' if one.now is None else one.now}"

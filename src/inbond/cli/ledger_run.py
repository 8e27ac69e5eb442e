"""Copying and examining the ledger, and what is printed of it."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from inbond.cli.config import Config
from inbond.model.errors import ConfigurationError, StoreUnavailable
from inbond.model.text import counted, printable
from inbond.model.units import format_size
from inbond.store.files import unavailable
from inbond.store.ledger_facts import LedgerFacts, examine
from inbond.store.ledger_file import copy_file

__all__ = ["as_json", "as_text", "backed_up", "examine", "path_of"]


def path_of(config: Config) -> Path:
    """Where the configuration has its ledger."""
    return config.storage.ledger


def backed_up(config: Config, to: Path) -> LedgerFacts:
    """Copies the ledger, unless it is damaged, and examines the copy. Raises `OperatorFault`, `StoreUnavailable`."""
    path = path_of(config)
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


def as_text(facts: LedgerFacts, path: Path) -> str:
    """For people."""
    state = "whole" if facts.is_whole else "damaged"
    lines = [f"{printable(str(path))}: {state}, {format_size(facts.size)}, schema {facts.schema}"]
    lines += [f"  {printable(complaint)}" for complaint in facts.complaints]
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
        "counts": {what.replace(" ", "_"): number for what, number in facts.counts.items()},
        "waiting": facts.waiting,
    }
    return json.dumps(said, indent=2)

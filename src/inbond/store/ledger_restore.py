"""A backup in the ledger's place: read whole first, told what it forgets, and put there whole or not at all. Blocks."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from inbond.model.acts import Act
from inbond.model.errors import OperatorFault, StoreUnavailable
from inbond.store.disk import DISK, Disk
from inbond.store.files import make_private, unavailable
from inbond.store.ledger_carried import carry
from inbond.store.ledger_facts import LedgerFacts, examine
from inbond.store.ledger_file import beside, connect
from inbond.store.ledger_lost import Lost, lost_between
from inbond.store.ledger_swap import finish, swap
from inbond.store.ledger_use import LedgerUse


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """`facts`: of what is the ledger now. `aside`: where the one before is, and `lost` what only that one knows."""

    facts: LedgerFacts
    aside: Path | None
    lost: Lost


@dataclass(frozen=True, slots=True, kw_only=True)
class NotRestored:
    """The backup is not whole, or no ledger; all is as it was."""

    facts: LedgerFacts


def restore(backup: Path, path: Path, disk: Disk = DISK, *, told: Act | None = None) -> Restored | NotRestored:
    """Puts a copy of `backup` in the place of the ledger at `path`, which stays beside it under another name.

    The copy has this inbond's schema, and all acts of both (`ledger_carried`); `told`: the act of restoring. Raises
    OperatorFault where there is no such file or somebody uses the ledger, StoreUnavailable where the disk refuses;
    then all is as it was.
    """
    if not backup.is_file():
        raise OperatorFault(f"there is no backup at {backup}", remedy="name a file that `inbond ledger backup` wrote")
    try:
        make_private(path.parent, disk)
        with _alone(path.parent):
            finish(path, disk)
            return _restored(backup, path, disk, told)
    except OSError as error:
        raise unavailable("restore the ledger", error) from error
    except sqlite3.OperationalError as error:
        raise StoreUnavailable(
            f"the backup cannot be read: {error}", remedy="see that it is readable, and its directory writable"
        ) from error


def _restored(backup: Path, path: Path, disk: Disk, told: Act | None) -> Restored | NotRestored:
    if path.exists() and backup.samefile(path):
        raise OperatorFault(f"{backup} is the ledger itself", remedy="name a backup of it")
    found = examine(backup)
    if not found.is_whole:
        return NotRestored(facts=found)
    with beside(path, disk) as copy:
        with contextlib.closing(connect(backup)) as source, contextlib.closing(connect(copy)) as into:
            source.backup(into)
        _carry(copy, path, told)
        facts = examine(copy)  # what counts is what this disk took
        if not facts.is_whole:
            return NotRestored(facts=facts)
        lost = lost_between(copy, path) if path.exists() else Lost()
        return Restored(facts=facts, aside=swap(copy, path, disk), lost=lost)


def _carry(copy: Path, path: Path, told: Act | None) -> None:
    try:
        carry(copy, path if path.exists() else None, told)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:  # of a copy that is not whole, which is found next
        pass


@contextlib.contextmanager
def _alone(directory: Path) -> Iterator[None]:
    use = LedgerUse(directory)
    try:
        if not use.alone():
            raise OperatorFault(
                "the ledger is in use", remedy="stop inbond, wait for its commands, and restore then (lsof names them)"
            )
        yield
    finally:
        use.close()

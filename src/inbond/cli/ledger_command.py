"""`inbond ledger backup|check|restore`: what cannot be asked for again, copied, examined and put back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import click

from inbond.cli.options import GivenOptions, config_from_options, config_options
from inbond.cli.telling import ending, say

WHOLE: Final = 0
DAMAGED: Final = 1

_BACKUP_EPILOG: Final = """\b
Exit codes:
  0  the backup is there, and was found whole
  1  the ledger is damaged, and so is its copy: an earlier backup stays where it was
  2  there is none: the ledger or the disk cannot be used; also usage errors
\b
Examples:
  inbond ledger backup /var/backups/inbond.sqlite3
\b
To put one back: stop inbond, and `inbond ledger restore FILE`.
"""
_CHECK_EPILOG: Final = """\b
Exit codes:
  0  it is whole
  1  it is damaged or in doubt, or not a ledger that this inbond can read
  2  could not tell: there is none, or it cannot be read; also usage errors
"""
_RESTORE_EPILOG: Final = """\b
Exit codes:
  0  the backup is the ledger now
  1  the backup is damaged, or no ledger that this inbond can read: nothing was changed
  2  could not: the ledger is in use, there is no backup, the disk refuses; also usage errors.
     Nothing was changed
\b
Examples:
  inbond ledger restore /var/backups/inbond.sqlite3
\b
The ledger that was there is kept beside it as ledger.sqlite3.replaced-N (and -wal), which
`inbond ledger check` reads: remove it once nothing in it is missed. Where bundles were imported,
restore mirror/blobs as well.
"""
_file = click.Path(path_type=Path, dir_okay=False)


@click.group("ledger")
def ledger_group() -> None:
    """Back up, check or restore the ledger: memory, decisions, and the audit trail."""


@ledger_group.command("backup", epilog=_BACKUP_EPILOG)
@click.argument("file", type=_file)
@config_options
def backup(*, file: Path, given: GivenOptions) -> None:
    """Write the ledger as it is now to FILE, whole or not at all, while a server may be running.

    FILE is one file that is opened like any ledger; what was there before is replaced. It holds the addresses of
    clients where the audit trail keeps them: for you alone to read.
    """
    with ending():
        from inbond.cli import ledger_run  # noqa: PLC0415 (reading configuration imports much: --help does not wait)

        facts = ledger_run.backed_up(config_from_options(given), file)
        say(ledger_run.as_text(facts, file))
        sys.exit(WHOLE if facts.is_whole else DAMAGED)


@ledger_group.command("check", epilog=_CHECK_EPILOG)
@click.argument("file", type=_file, required=False)
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True,
    help="For people, or for programs.",
)  # fmt: skip
@config_options
def check(*, file: Path | None, form: str, given: GivenOptions) -> None:
    """Read all of the ledger, or of a backup in FILE: whether it is whole, and what it holds.

    Nothing is changed, and a server may be running.
    """
    with ending():
        from inbond.cli import ledger_run  # noqa: PLC0415 (as above)

        if file is None:
            config = config_from_options(given)
            path, facts = ledger_run.path_of(config), ledger_run.checked(config)
        else:
            path, facts = file, ledger_run.examine(file)
        say(ledger_run.as_json(facts, path) if form == "json" else ledger_run.as_text(facts, path))
        sys.exit(WHOLE if facts.is_whole and not facts.doubts else DAMAGED)


@ledger_group.command("restore", epilog=_RESTORE_EPILOG)
@click.argument("file", type=_file)
@config_options
def restore(*, file: Path, given: GivenOptions) -> None:
    """Put the backup in FILE in the place of the ledger, and say what is forgotten by it.

    Stop inbond first. FILE is read whole before anything is changed, and stays where it is; a crash at any moment
    leaves the old ledger or the new one.
    """
    with ending():
        from inbond.cli import ledger_run  # noqa: PLC0415 (as above)

        path = ledger_run.path_of(config_from_options(given))
        done = ledger_run.restored(file, path)
        say(ledger_run.restored_text(done, file, path))
        sys.exit(WHOLE if isinstance(done, ledger_run.Restored) else DAMAGED)

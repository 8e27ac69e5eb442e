"""`inbond ledger backup|check`: what cannot be asked for again, copied and examined."""

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
To restore one: stop inbond, remove ledger.sqlite3, ledger.sqlite3-wal and ledger.sqlite3-shm, and
copy the backup to ledger.sqlite3.
"""
_CHECK_EPILOG: Final = """\b
Exit codes:
  0  it is whole
  1  it is damaged, or not a ledger that this inbond can read
  2  could not tell: there is none, or it cannot be read; also usage errors
"""
_file = click.Path(path_type=Path, dir_okay=False)


@click.group("ledger")
def ledger_group() -> None:
    """Back up or check the ledger: memory, decisions, and the audit trail."""


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

        path = file or ledger_run.path_of(config_from_options(given))
        facts = ledger_run.examine(path)
        say(ledger_run.as_json(facts, path) if form == "json" else ledger_run.as_text(facts, path))
        sys.exit(WHOLE if facts.is_whole else DAMAGED)

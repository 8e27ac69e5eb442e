"""`inbond who`: who was given a file, and what is known of it now."""

from __future__ import annotations

import asyncio
import sys
from typing import Final

import click

from inbond.cli.options import TEXT, GivenOptions, config_from_options, config_options
from inbond.cli.telling import ending

SHOWN: Final = 100  # rows on a screen, where nothing else is said
MAX_SHOWN: Final = 10_000

_EPILOG: Final = """\b
Exit codes:
  0  nobody was given such a file, as far as history reaches
  1  somebody was
  2  it cannot be told: nothing is recorded, or the ledger cannot be read; also usage errors
  130  interrupted
\b
Examples:
  inbond who flask==3.1.0
  inbond who flask-3.1.0.tar.gz --index root
  inbond who flask@sha256:0ace… --format csv > clients.csv
"""


@click.command("who", epilog=_EPILOG)
@click.argument("what", metavar="PROJECT[==VERSION]|PROJECT@sha256:DIGEST|FILENAME")
@click.option("--index", "indexes", metavar="NAME", multiple=True, help="Of these indexes alone.")
@click.option(
    "--format", "form", type=click.Choice(["text", "json", "csv"]), default="text", show_default=True,
    help="For people, or for programs.",
)  # fmt: skip
@click.option(
    "--limit", type=click.IntRange(1, MAX_SHOWN), default=SHOWN, show_default=True,
    help="How many rows of a text; the others are counted. JSON and CSV hold all.",
)  # fmt: skip
@config_options
def who(*, what: str, indexes: tuple[str, ...], form: str, limit: int, given: GivenOptions) -> None:
    """Say who was given the files of a project, a version, or one file: who, from where, when, how often.

    Goes by the history of requests in the ledger, and says of each file what becomes of it now, by what is in the cache
    and by advisories. No index is asked, and a server may run beside. An answer that was cut off counts as given.
    """
    with ending():
        # As with other commands, `--help` does not wait for what these import.
        from inbond.cli.logs import set_up_logging  # noqa: PLC0415 (as said above)
        from inbond.cli.who_run import Wanted, run  # noqa: PLC0415 (as said above)

        set_up_logging(TEXT, verbose=False)
        wanted = Wanted(what=what, indexes=indexes, form=form, limit=limit)
        sys.exit(asyncio.run(run(config_from_options(given), wanted)))

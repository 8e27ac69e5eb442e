"""`inbond report`: what was stopped, and what enforcing would have stopped."""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import click

from inbond.cli.moments import moment_or_length
from inbond.cli.options import TEXT, GivenOptions, config_from_options, config_options
from inbond.cli.telling import UNTOLD, ending, say

if TYPE_CHECKING:
    from inbond.reporting.report import Report

MADE: Final = 0
NOT_READY: Final = 1

_EPILOG: Final = """\b
Exit codes:
  0  the report was made
  1  with --exit-code: enforcing would stop something that was asked for, still now
  2  it could not be made; with --exit-code: of something it cannot be told, or nothing is recorded; also usage errors
  130  interrupted
\b
Examples:
  inbond report --since 14d
  inbond report --since 2026-11-01 --index root --format json
  inbond report --since 14d --waivers
"""


@click.command("report", epilog=_EPILOG)
@click.option(
    "--since",
    callback=moment_or_length,
    metavar="LENGTH|DATE",
    default="14d",
    show_default=True,
    help="The time to report on: a length until now, or its beginning.",
)
@click.option("--index", metavar="NAME", default=None, help="One index alone; otherwise all.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="For people, or for programs.",
)
@click.option("--waivers", is_flag=True, help="Print the waivers alone, ready to paste.")
@click.option("--exit-code", "gate", is_flag=True, help="Exit with 1 or 2 where enforcing is not ready.")
@config_options
def report(
    *, since: datetime | timedelta, index: str | None, form: str, waivers: bool, gate: bool, given: GivenOptions
) -> None:
    """Say what was stopped, and what enforcing would have stopped.

    Reads the history of requests: which releases were refused to whom, and by which rule; and apart from them what
    rules in `audit` have only recorded. Says of each whether it is so still, by what is in the cache; no index is
    asked, and a server may run beside. What was served and turned out bad since stands there too, and what was noticed.
    """
    with ending():
        # As with other commands, `--help` does not wait for what these import.
        from inbond.cli import report_json, report_text  # noqa: PLC0415 (as said above)
        from inbond.cli.logs import set_up_logging  # noqa: PLC0415 (as said above)
        from inbond.cli.report_run import Wanted, run  # noqa: PLC0415 (as said above)

        set_up_logging(TEXT, verbose=False)
        made = asyncio.run(run(config_from_options(given), Wanted(since=since, index=index)))
        if form == "json":
            text = report_json.dumps(made)
        else:
            text = report_text.waivers(made) if waivers else report_text.dumps(made)
        say(text, nl=False, color=True)
        sys.exit(exit_code(made) if gate else MADE)


def exit_code(made: Report) -> int:
    """0, 1 or 2, as the help says for `--exit-code`."""
    from inbond.reporting.report import Readiness  # noqa: PLC0415 (as above)

    match made.readiness:
        case Readiness.READY:
            return MADE
        case Readiness.NOT_READY:
            return NOT_READY
        case _:
            return UNTOLD

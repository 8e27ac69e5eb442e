"""`inbond advisories status`: where advisories come from, and what is known from there."""

from __future__ import annotations

import asyncio
import sys
from typing import Final

import click

from inbond.cli.options import TEXT, GivenOptions, config_from_options, config_options
from inbond.cli.telling import ending, say

WELL: Final = 0
TROUBLE: Final = 1

_EPILOG: Final = """\b
Exit codes:
  0  all sources are as they should be
  1  one could not be read, or is too old
  2  could not tell: the configuration cannot be read, or names no source; also usage errors
\b
Examples:
  inbond advisories status
  inbond advisories status --format json
"""


@click.group("advisories")
def advisories_group() -> None:
    """Show what is known of malware and vulnerabilities."""


@advisories_group.command("status", epilog=_EPILOG)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="For people, or for programs.",
)
@config_options
def status(*, form: str, given: GivenOptions) -> None:
    """Show every source of advisories: what it holds, how old that is, and what is wrong with it.

    Reads paths, and what a server has kept of URLs; a URL of which nothing is kept is asked.
    """
    with ending():
        from inbond.cli import advisories_run  # noqa: PLC0415 (reading configuration imports much: --help does not wait)
        from inbond.cli.logs import set_up_logging  # noqa: PLC0415 (as above)

        set_up_logging(TEXT, verbose=False)
        found = asyncio.run(advisories_run.look(config_from_options(given)))
        say(advisories_run.as_json(found) if form == "json" else advisories_run.as_text(found))
        sys.exit(TROUBLE if found.troubles else WELL)

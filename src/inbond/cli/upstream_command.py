"""`inbond upstream accept-serials`: an index that was replaced, and whose pages therefore go back."""

from __future__ import annotations

import asyncio
import sys
from typing import Any, Final

import click

from inbond.cli.options import GivenOptions, config_from_options, config_options
from inbond.cli.telling import ending, say
from inbond.cli.waive_command import by_option, format_option, lazily

DONE: Final = 0
NOTHING: Final = 1

_ACCEPT_EPILOG: Final = """\b
Exit codes:
  0  accepted; or, without --reason, shown what would be
  1  there is nothing to accept: no page has a lower serial than was seen
  2  nothing was accepted: the upstream, the configuration or the ledger cannot be used
\b
Examples:
  inbond upstream accept-serials acme flask
  inbond upstream accept-serials acme flask --reason 'rebuilt from its backup on Monday'
  inbond upstream accept-serials acme --all --reason 'moved to another server'
"""


@click.group("upstream")
def upstream_group() -> None:
    """Tell inbond what it cannot know of an upstream."""


@upstream_group.command("accept-serials", epilog=_ACCEPT_EPILOG)
@click.argument("name", metavar="UPSTREAM")
@click.argument("projects", nargs=-1, metavar="[PROJECT]...")
@click.option("--all", "every", is_flag=True, help="All projects of the upstream that are remembered.")
@click.option("--reason", metavar="TEXT", help="Why this is right; without it nothing is accepted, only shown.")
@by_option
@format_option
@config_options
def accept_serials(*, form: str, given: GivenOptions, **asked: Any) -> None:
    """Accept that the pages of PROJECT at UPSTREAM have lower serials than were seen before.

    inbond refuses such pages, since an attacker, or a cache that is behind, could show an index as it was. Where an
    index was replaced on purpose, this asks it for its serials of today, and goes on from them: at once, also in a
    server that is running.
    """
    with ending():
        lazily()
        from inbond.cli import upstream_run  # noqa: PLC0415 (see `lazily`)

        found = asyncio.run(upstream_run.accept_serials(config_from_options(given), upstream_run.Asked(**asked)))
        text = upstream_run.as_text(found, shown_only=asked["reason"] is None)
        say(upstream_run.as_json(found) if form == "json" else text)
        sys.exit(DONE if any(one.goes_back for one in found) else NOTHING)

"""`inbond trust show|update`: whose signatures count, and how that changes."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Final

import click

from inbond.cli.options import TEXT, GivenOptions, config_from_options, config_options
from inbond.cli.telling import ending, say

DONE: Final = 0
NOT_DONE: Final = 1

_SHOW_EPILOG: Final = """\b
Exit codes:
  0  every trusted root can be used
  1  one cannot, or is older than its max_age
  2  could not tell: the configuration cannot be read; also usage errors
"""
_UPDATE_EPILOG: Final = """\b
Exit codes:
  0  the newest root is in place, also where it was before
  1  a new root was refused; the old one stays
  2  could not tell: there is none to be had, or it cannot be read; also usage errors
\b
Examples:
  inbond trust update
  inbond trust update --scope acme --from trusted_root.json
"""
_format = click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="For people, or for programs.",
)


@click.group("trust")
def trust_group() -> None:
    """Show the trusted roots that count, or renew them."""


@trust_group.command("show", epilog=_SHOW_EPILOG)
@_format
@config_options
def show(*, form: str, given: GivenOptions) -> None:
    """Show every trusted root: where it comes from, how fresh it is, whom it vouches for, and its keys.

    Needs no server, and asks nobody over the network.
    """
    with ending():
        # Reading configuration and roots imports much: `--help` does not wait for that.
        from inbond.cli import trust_show  # noqa: PLC0415 (as said above)
        from inbond.cli.logs import set_up_logging  # noqa: PLC0415 (as said above)
        from inbond.cli.trust_state import look  # noqa: PLC0415 (as said above)

        set_up_logging(TEXT, verbose=False)
        states = asyncio.run(look(config_from_options(given)))
        say(trust_show.as_json(states) if form == "json" else trust_show.as_text(states))
        sys.exit(NOT_DONE if any(state.failing and state.used for state in states) else DONE)


@trust_group.command("update", epilog=_UPDATE_EPILOG)
@click.option("--scope", "scope_name", metavar="NAME", help='Only [trust.NAME]; otherwise each with root = "auto".')
@click.option(
    "--from",
    "file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Take the trusted_root.json in this file, and ask nobody: for machines without a network.",
)
@click.option(
    "--lose-keys",
    is_flag=True,
    help="From a file, also where keys are lost, or their times, or none of a kind is in force.",
)
@_format
@config_options
def update(*, scope_name: str | None, file: Path | None, lose_keys: bool, form: str, given: GivenOptions) -> None:
    """Renew trusted roots, by TUF or from a file.

    A new root is read, and tried on files that were verified before, ere it takes the place of the old one. A server
    that is running takes it up within 10 s. What a lost key has proved is judged again, and proven no more.
    """
    with ending():
        from inbond.cli import trust_change_shown  # noqa: PLC0415 (as above)
        from inbond.cli.logs import set_up_logging  # noqa: PLC0415 (as above)
        from inbond.cli.trust_change import Refused, Wanted, run  # noqa: PLC0415 (as above)

        set_up_logging(TEXT, verbose=False)
        wanted = Wanted(scope=scope_name, file=file, lose_keys=lose_keys)
        outcomes = asyncio.run(run(config_from_options(given), wanted))
        shown = trust_change_shown.as_json(outcomes) if form == "json" else trust_change_shown.as_text(outcomes)
        say(shown)
        codes = [outcome.code for outcome in outcomes]
        sys.exit(NOT_DONE if any(isinstance(one, Refused) for one in outcomes) else max(codes, default=DONE))

"""`inbond token create|list|revoke`: who may use this inbond, and how far."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import click

from inbond.cli.options import TEXT, GivenOptions, config_from_options, config_options
from inbond.cli.telling import UNTOLD, ending, say
from inbond.model.errors import InbondError, NotFound

if TYPE_CHECKING:
    from inbond.cli.token_run import Created

NOT_IN_FORCE: Final = 1

_CREATE_EPILOG: Final = """\b
Exit codes:
  0  the token is in force
  2  none was made: something that was given cannot be read, or the ledger cannot be used
\b
Examples:
  inbond token create laptops --index root --expires 90d
  inbond token create ci --index root --index build --expires 2027-01-31 > token
  inbond token create ada --all-indexes --role operator --expires 1d
"""
_LIST_EPILOG: Final = """\b
Exit codes:
  0  listed
  2  could not tell: the configuration or the ledger cannot be read; also usage errors
"""
_REVOKE_EPILOG: Final = """\b
Exit codes:
  0  it is in force no more
  1  no such token is in force in the ledger
  2  could not tell: the configuration or the ledger cannot be used; also usage errors
"""

by_option = click.option("--by", metavar="NAME", help="Who does this; by default the user who runs the command.")
format_option = click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True,
    help="For people, or for programs.",
)  # fmt: skip


def _lazily() -> None:
    """What every command of a ledger does first; it imports much, and `--help` does not wait for that."""
    from inbond.cli.logs import set_up_logging  # noqa: PLC0415 (as said above)

    set_up_logging(TEXT, verbose=False)


def _code_of(error: InbondError) -> int:
    return NOT_IN_FORCE if isinstance(error, NotFound) else UNTOLD


@click.group("token")
def token_group() -> None:
    """Make, list and revoke tokens: the passwords of this inbond, with `__token__` as the user name.

    They stand in the ledger, beside a running server, which goes by them from its next request on.
    """


@token_group.command("create", epilog=_CREATE_EPILOG)
@click.argument("name")
@click.option("--index", "indexes", multiple=True, metavar="NAME", help="An index that it is for; may be repeated.")
@click.option("--all-indexes", is_flag=True, help="It is for every index, also those to come, and for inbond itself.")
@click.option(
    "--role",
    type=click.Choice(["reader", "operator", "admin"]),
    default="reader",
    show_default=True,
    help="What it may do: install and look; also decide (waivers, pins, reviews); or all, tokens included.",
)
@click.option(
    "--expires",
    default="90d",
    show_default=True,
    metavar="TIME",
    help="A length, '90d', a date, a time with its offset, or 'never'.",
)
@click.option(
    "--print-config",
    is_flag=True,
    help="Make no entry in the ledger: print one for the configuration, and the token to standard error.",
)
@by_option
@format_option
@config_options
def create(*, form: str, given: GivenOptions, **asked: Any) -> None:  # fmt: skip
    """Make a token, and print it: now, and never again. NAME says what it is for.

    The token stands alone on standard output; what it may do is told on standard error.
    """
    with ending():
        _lazily()
        from inbond.cli import token_run  # noqa: PLC0415 (as said above)

        created = asyncio.run(token_run.create(config_from_options(given), token_run.Wanted(**asked)))
        _say_created(created, form)


@token_group.command("list", epilog=_LIST_EPILOG)
@click.option("--all", "everyone", is_flag=True, help="Also those that have expired or were revoked.")
@format_option
@config_options
def show(*, everyone: bool, form: str, given: GivenOptions) -> None:
    """List tokens, of the ledger and the configuration.

    With what each may do, and when it was used last.
    """
    with ending():
        _lazily()
        from inbond.cli import token_run, token_shown  # noqa: PLC0415 (as said above)
        from inbond.gateway.clock import utc_now  # noqa: PLC0415 (as said above)

        now = utc_now()
        found = asyncio.run(token_run.listed(config_from_options(given)))
        kept = [one for one in found if everyone or one.token.why_not(now) is None]
        say(token_shown.listing(kept, form, now=now), nl=False, color=True)


@token_group.command("revoke", epilog=_REVOKE_EPILOG)
@click.argument("token_id", metavar="ID")
@by_option
@config_options
def revoke(*, token_id: str, by: str | None, given: GivenOptions) -> None:
    """End the token ID from the next request on.

    ID is as `inbond token list` shows it. Sessions of browsers that signed in with it end, too.
    """
    with ending(_code_of):
        _lazily()
        from inbond.cli import token_run  # noqa: PLC0415 (as said above)
        from inbond.gateway.tokens import described  # noqa: PLC0415 (as said above)
        from inbond.model.text import printable  # noqa: PLC0415 (as said above)

        ended = asyncio.run(token_run.revoke(config_from_options(given), token_id, by))
        say(printable(f"revoked {described(ended)}"))


def _say_created(created: Created, form: str) -> None:
    from inbond.cli import token_shown  # noqa: PLC0415 (as above)

    if form == "json":
        say(token_shown.created_json(created), nl=False)
        return
    say(token_shown.created_text(created), err=True, nl=False)
    say(token_shown.entry(created) if created.only_printed else f"{created.made.secret}\n", nl=False)

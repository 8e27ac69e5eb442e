"""`inbond review`: what people asked for and did not get, to accept or reject."""

from __future__ import annotations

import asyncio
import sys
from typing import Any, Final

import click

from inbond.cli.options import GivenOptions, config_from_options, config_options
from inbond.cli.telling import UNTOLD, ending, say
from inbond.cli.waive_command import by_option, code_of, format_option, lazily, listing_format_option
from inbond.model.errors import InbondError

CLEAR: Final = 0
WAITING: Final = 1
NOT_WAITING: Final = 1
_LIST: Final = "list"

_LIST_EPILOG: Final = """\b
Exit codes:
  0  nothing waits
  1  something does
  2  could not tell: the configuration or the ledger cannot be read; also usage errors
"""
_DECIDE_CODES: Final = """\b
Exit codes:
  0  decided, also where it was decided so before
  1  there is no such entry in the queue
  2  could not: something that was given cannot be read, or the ledger cannot be used
"""
_ACCEPT_EPILOG: Final = f"""{_DECIDE_CODES}
\b
Examples:
  inbond review accept q-3fa2b1 --reason 'read the diff to 3.0.9'
  inbond review accept 'flask==3.1.0' --until 7d --reason 'mends our outage'
"""
_REJECT_EPILOG: Final = f"""{_DECIDE_CODES}
\b
Examples:
  inbond review reject q-3fa2b1 --reason 'steals tokens'
  inbond review reject 'left-pad<2' --reason 'rewritten by strangers'
"""
_REVOKE_EPILOG: Final = """\b
Exit codes:
  0  it is in force no more
  1  there is no such rejection in the ledger
  2  could not tell: the configuration or the ledger cannot be used; also usage errors
"""
_since = click.option(
    "--since", metavar="LENGTH", default="30d", show_default=True, help="How far back somebody asked for it."
)
_reason = click.option("--reason", required=True, metavar="TEXT", help="Why; it is shown wherever the decision is.")


class _ListFirst(click.Group):
    """A group that lists where no command is named: `inbond review` is `inbond review list`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Names the command where the line does not."""
        asks_for_help = bool(args) and args[0] in self.get_help_option_names(ctx)
        if not asks_for_help and (not args or args[0].startswith("-")):
            args = [_LIST, *args]
        return super().parse_args(ctx, args)


@click.group("review", cls=_ListFirst)
def review_group() -> None:
    """Show what people asked for and did not get, and accept or reject it.

    Without a command: the queue, as `inbond review list`.
    """


@review_group.command(_LIST, epilog=_LIST_EPILOG)
@_since
@click.option("--index", metavar="NAME", help="Of this index alone; otherwise of all.")
@format_option
@config_options
def show(*, since: str, index: str | None, form: str, given: GivenOptions) -> None:
    """Show what waits: what was asked for, and is held or denied still.

    Judged by the pages and attestations that are kept: nobody is asked over the network.
    """
    with ending():
        lazily()
        from inbond.cli import review_run, review_shown  # noqa: PLC0415 (see `lazily`)
        from inbond.cli.deciding import ledger_of  # noqa: PLC0415 (see `lazily`)

        config = config_from_options(given)
        queue, ledger = asyncio.run(review_run.queue(config, since=since, index=index)), ledger_of(config)
        text = review_shown.as_json(queue, ledger) + "\n" if form == "json" else review_shown.as_text(queue, ledger)
        say(text, nl=False, color=True)
        sys.exit(WAITING if queue.entries else CLEAR)


@review_group.command("accept", epilog=_ACCEPT_EPILOG)
@click.argument("what", metavar="ID|TARGET")
@_reason
@click.option("--until", metavar="TIME", help="The end of the waivers, at most 366d; by default 30d. Pins have none.")
@click.option("--index", metavar="NAME", help="On this index alone.")
@click.option("--waive", is_flag=True, help="A waiver also where a pin would accept the publisher for good.")
@_since
@by_option
@format_option
@config_options
def accept(*, form: str, given: GivenOptions, **asked: Any) -> None:
    """Let through what waits: one entry of the queue, or all entries of a release.

    It becomes a waiver for that release, rule and index, until a time. Where the rule `continuity` found another
    publisher that certificates prove, it becomes a pin, which accepts that publisher from now on.
    """
    _decide("accept", given, form, asked)


@review_group.command("reject", epilog=_REJECT_EPILOG)
@click.argument("what", metavar="ID|TARGET")
@_reason
@click.option("--index", metavar="NAME", help="On this index alone; otherwise, of a TARGET, on all.")
@_since
@by_option
@format_option
@config_options
def reject(*, form: str, given: GivenOptions, **asked: Any) -> None:
    """Deny an entry of the queue, or any TARGET, until that is revoked; also once a hold has ended.

    TARGET is a project with versions, 'left-pad<2', or a file by its digest, 'flask@sha256:...'.
    """
    _decide("reject", given, form, asked)


@review_group.command("rejected")
@listing_format_option
@config_options
def rejected(*, form: str, given: GivenOptions) -> None:
    """List the rejections of the ledger and of the configuration."""
    with ending():
        lazily()
        from inbond.cli.deciding import listed  # noqa: PLC0415 (see `lazily`)
        from inbond.cli.decisions_shown import rejections  # noqa: PLC0415 (see `lazily`)
        from inbond.gateway.clock import utc_now  # noqa: PLC0415 (see `lazily`)
        from inbond.model.decisions import Rejection  # noqa: PLC0415 (see `lazily`)

        found = asyncio.run(listed(config_from_options(given), Rejection))
        say(rejections(found, form, now=utc_now()), nl=False, color=True)


@review_group.command("revoke", epilog=_REVOKE_EPILOG)
@click.argument("rejection_id", metavar="ID")
@by_option
@config_options
def revoke(*, rejection_id: str, by: str | None, given: GivenOptions) -> None:
    """End the rejection ID. It stays in the ledger, with who revoked it and when."""
    with ending(code_of):
        lazily()
        from inbond.cli.revoking import run  # noqa: PLC0415 (see `lazily`)
        from inbond.model.decisions import Rejection  # noqa: PLC0415 (see `lazily`)

        say(f"revoked {run(config_from_options(given), rejection_id, Rejection, by)}")


def _decide(how: str, given: GivenOptions, form: str, asked: dict[str, Any]) -> None:
    with ending(_code_of):
        lazily()
        from inbond.cli import decisions_made, review_run  # noqa: PLC0415 (see `lazily`)

        deciding = {"accept": review_run.accept, "reject": review_run.reject}[how]
        made = asyncio.run(deciding(config_from_options(given), review_run.Asked(**asked)))
        say(decisions_made.as_json("decided", made) if form == "json" else decisions_made.as_text(made))
        say(decisions_made.warnings_of(made), err=True, nl=False)


def _code_of(error: InbondError) -> int:
    from inbond.reporting.review_meant import NotWaiting  # noqa: PLC0415 (see `lazily`)

    return NOT_WAITING if isinstance(error, NotWaiting) else UNTOLD

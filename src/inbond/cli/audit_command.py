"""`inbond audit show|export`: what was done here, by whom, and who was stopped."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click

from inbond.cli.moments import moment_or_length
from inbond.cli.options import TEXT, GivenOptions, config_from_options, config_options
from inbond.cli.telling import ending
from inbond.model.acts import ActKind

SHOWN: Final = 50  # acts, where nothing else is said
MAX_SHOWN: Final = 10_000
_REQUESTS: Final = ("none", "stopped", "all")

_EXIT: Final = """\b
Exit codes:
  0  told
  2  it could not be: the ledger cannot be read, or the output not be written; also usage errors
  130  interrupted
"""
_SHOW_EPILOG: Final = f"""{_EXIT}\b
Examples:
  inbond audit show
  inbond audit show --since 7d --kind sign-in-failed --kind refused
  inbond audit show --by ada --project flask
"""
_EXPORT_EPILOG: Final = f"""{_EXIT}\b
Examples:
  inbond audit export --since 2026-11-01 --output november.jsonl
  inbond audit export --requests none --after 4711    # acts since the one of that number
\b
What stands in a line is told in docs/audit.md.
"""
Given = datetime | timedelta | None

_FILTERS: Final[tuple[Callable[[Callable[..., Any]], Callable[..., Any]], ...]] = (
    click.option(
        "--since", callback=moment_or_length, metavar="LENGTH|DATE", default=None,
        help="From when on: a length until now, as 7d, or a moment, as 2026-11-01.",
    ),
    click.option(
        "--until", callback=moment_or_length, metavar="LENGTH|DATE", default=None, help="Until when, itself left out."
    ),
    click.option(
        "--kind", "kinds", type=click.Choice(list(map(str, ActKind))), multiple=True, metavar="KIND",
        help=f"Acts of these kinds: {', '.join(ActKind)}.",
    ),
    click.option("--by", metavar="TEXT", default=None, help="By whom, or a part of it."),
    click.option("--index", "indexes", metavar="NAME", multiple=True, help="Of these indexes alone."),
    click.option("--project", metavar="NAME", default=None, help="Of one project alone."),
)  # fmt: skip


def _filters(command: Callable[..., Any]) -> Callable[..., Any]:
    return functools.reduce(lambda wrapped, option: option(wrapped), reversed(_FILTERS), command)


@click.group("audit")
def audit_group() -> None:
    """Say who did what, when, and from where."""


@audit_group.command("show", epilog=_SHOW_EPILOG)
@_filters
@click.option(
    "--limit", type=click.IntRange(1, MAX_SHOWN), default=SHOWN, show_default=True, help="How many acts, the newest."
)
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True,
    help="For people, or for programs.",
)  # fmt: skip
@config_options
def show(*, limit: int, form: str, given: GivenOptions, **filters: Any) -> None:
    """Show acts, the newest first: denials, decisions, sign-ins, tokens, changes of policy and trust.

    Reads the ledger, beside a server that may be running. Each denial is shown once an hour for each client and rule;
    `inbond report` says how often, and `inbond who` who was given a file.
    """
    with ending():
        # As with other commands, `--help` does not wait for what these import.
        from inbond.cli.audit_run import Filters, shown  # noqa: PLC0415 (as said above)
        from inbond.cli.logs import set_up_logging  # noqa: PLC0415 (as said above)

        set_up_logging(TEXT, verbose=False)
        asyncio.run(shown(config_from_options(given), Filters(**filters), limit=limit, form=form))


@audit_group.command("export", epilog=_EXPORT_EPILOG)
@_filters
@click.option("--after", type=click.IntRange(0), default=None, metavar="NUMBER", help="Acts of higher numbers alone.")
@click.option(
    "--requests",
    type=click.Choice(_REQUESTS),
    default=None,
    help="Which requests for files stand among the acts, summed up: those that were stopped, unless --kind or --after"
    " asks for acts alone.",
)
@click.option(
    "--output", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), default=None,
    help="Write there, whole or not at all, for you alone to read; otherwise to standard output.",
)  # fmt: skip
@config_options
def export(
    *, after: int | None, requests: str | None, output: Path | None, given: GivenOptions, **filters: Any
) -> None:
    """Write the audit trail as JSON lines, in the order of time.

    All acts, and the requests for files that were stopped, with how often. Nothing is changed, and a server may be
    running.
    """
    with ending():
        from inbond.cli.audit_run import Filters, exported  # noqa: PLC0415 (as said above)
        from inbond.cli.logs import set_up_logging  # noqa: PLC0415 (as said above)

        set_up_logging(TEXT, verbose=False)
        asked = requests or ("none" if filters["kinds"] or after is not None else "stopped")
        config = config_from_options(given)
        asyncio.run(exported(config, Filters(**filters, after=after), requests=asked, output=output))

"""`inbond waive add|list|revoke`: lifting what one rule finds about one release, until a time."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final

import click

from inbond.cli.options import TEXT, GivenOptions, config_from_options, config_options
from inbond.cli.telling import UNTOLD, ending, say
from inbond.model.errors import InbondError

if TYPE_CHECKING:
    from inbond.cli.waive_run import Added

NOT_IN_FORCE: Final = 1
MAX_FILES_SHOWN: Final = 5

_ADD_EPILOG: Final = """\b
Exit codes:
  0  the waiver is in force, also where it was before
  2  it is not: something that was given cannot be read or does not exist, or the ledger cannot be used
\b
Examples:
  inbond waive add 'flask==3.1.0' --rule cooldown --until 4d --reason 'mends our outage, read by Ada'
  inbond waive add 'numpy>=2,<3' --rule sdists --until 2027-01-31 --index batch --reason 'no wheels for s390x'
"""
_LIST_EPILOG: Final = """\b
Exit codes:
  0  listed
  2  could not tell: the configuration or the ledger cannot be read; also usage errors
"""
_REVOKE_EPILOG: Final = """\b
Exit codes:
  0  it is in force no more
  1  there is no such waiver in the ledger
  2  could not tell: the configuration or the ledger cannot be used; also usage errors
"""

by_option = click.option("--by", metavar="NAME", help="Who decides this; by default the user who runs the command.")
format_option = click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True,
    help="For people, or for programs.",
)  # fmt: skip
listing_format_option = click.option(
    "--format", "form", type=click.Choice(["text", "json", "toml"]), default="text", show_default=True,
    help="For people, for programs, or a file for `decisions.files`.",
)  # fmt: skip


def code_of(error: InbondError) -> int:
    """The exit code of a fault: 1 where nothing was to be revoked, 2 for all others."""
    from inbond.gateway.deciding import NotInForce  # noqa: PLC0415 (as below)

    return NOT_IN_FORCE if isinstance(error, NotInForce) else UNTOLD


def lazily() -> None:
    """What every command of a ledger does first; it imports much, and `--help` does not wait for that."""
    from inbond.cli.logs import set_up_logging  # noqa: PLC0415 (as said above)

    set_up_logging(TEXT, verbose=False)


@click.group("waive")
def waive_group() -> None:
    """Let a release through that a rule stops, until a time and with a reason; list and revoke such waivers.

    They stand in the ledger, beside a running server, which goes by them from its next request on.
    """


@waive_group.command("add", epilog=_ADD_EPILOG)
@click.argument("target")
@click.option("--rule", required=True, metavar="RULE", help="The rule whose finding is lifted; all others still count.")
@click.option(
    "--until", required=True, metavar="TIME", help="A length, '7d', a date, or a time with its offset; at most 366d."
)
@click.option("--reason", required=True, metavar="TEXT", help="Why; it is shown wherever the finding is.")
@click.option("--index", metavar="NAME", help="On this index alone; otherwise on all.")
@by_option
@format_option
@config_options
def add(*, form: str, given: GivenOptions, **asked: Any) -> None:
    """Lift what RULE finds about TARGET.

    TARGET is a project with versions, 'flask==3.1.0', or a file by its digest, 'flask@sha256:...'.
    """
    with ending():
        lazily()
        from inbond.cli import waive_run  # noqa: PLC0415 (as said above)
        from inbond.cli.decisions_made import warnings_of  # noqa: PLC0415 (as said above)

        added = asyncio.run(waive_run.add(config_from_options(given), waive_run.Asked(**asked)))
        say(_added_json(added) if form == "json" else _added_text(added))
        say(warnings_of([added.made]), err=True, nl=False)


@waive_group.command("list", epilog=_LIST_EPILOG)
@click.option("--expired", is_flag=True, help="Also those that have expired.")
@listing_format_option
@config_options
def show(*, expired: bool, form: str, given: GivenOptions) -> None:
    """List the waivers of the ledger and of the configuration."""
    with ending():
        lazily()
        from inbond.cli.deciding import listed  # noqa: PLC0415 (as said above)
        from inbond.cli.decisions_shown import waivers  # noqa: PLC0415 (as said above)
        from inbond.gateway.clock import utc_now  # noqa: PLC0415 (as said above)
        from inbond.model.decisions import Waiver  # noqa: PLC0415 (as said above)

        now = utc_now()
        found = asyncio.run(listed(config_from_options(given), Waiver))
        say(waivers([pair for pair in found if expired or pair[0].until > now], form, now=now), nl=False, color=True)


@waive_group.command("revoke", epilog=_REVOKE_EPILOG)
@click.argument("waiver_id", metavar="ID")
@by_option
@config_options
def revoke(*, waiver_id: str, by: str | None, given: GivenOptions) -> None:
    """End the waiver ID before its time. It stays in the ledger, with who revoked it and when."""
    with ending(code_of):
        lazily()
        from inbond.cli.revoking import run  # noqa: PLC0415 (as said above)
        from inbond.model.decisions import Waiver  # noqa: PLC0415 (as said above)

        say(f"revoked {run(config_from_options(given), waiver_id, Waiver, by)}")


def _added_text(added: Added) -> str:
    from inbond.gateway.deciding import told  # noqa: PLC0415 (as above)
    from inbond.model.text import counted, printable  # noqa: PLC0415 (as above)

    waiver, lifted = added.waiver, added.lifted
    lines = [f"{waiver.id}{'' if added.made.new else ' was in force already'}: {told(waiver)}"]
    if waiver.target.is_every_version:
        lines.append(f"  it covers every version, also those to come: '{waiver.target}==...' would be narrower")
    for one in lifted.on:
        more = f" and {len(one.files) - MAX_FILES_SHOWN} more" if len(one.files) > MAX_FILES_SHOWN else ""
        named = ", ".join(one.files[:MAX_FILES_SHOWN])
        still = f"; still stopped by {', '.join(one.still)}" if one.still else ""
        lines.append(f"  lifted on index {one.index} for {counted(len(one.files), 'known file')}: {named}{more}{still}")
    if lifted.untold is not None:
        lines.append(f"  what it lifts now cannot be told: {lifted.untold}")
    elif not lifted.on:
        lines.append("  of the files that are known it lifts nothing now")
    return "\n".join(map(printable, lines))


def _added_json(added: Added) -> str:
    from inbond.gateway.clock import utc_now  # noqa: PLC0415 (as above)
    from inbond.web.decision_json import decision_json  # noqa: PLC0415 (as above)

    waiver = decision_json(added.waiver, utc_now())
    lifts = [{"index": one.index, "files": one.files, "still": one.still} for one in added.lifted.on]
    body = {"new": added.made.new, "waiver": waiver, "lifts": lifts, "untold": added.lifted.untold}
    return json.dumps(body, indent=2)

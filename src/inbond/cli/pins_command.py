"""`inbond pins list|accept|revoke|export|import`: which publishers of a project are known to be right."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Final

import click

from inbond.cli.options import GivenOptions, config_from_options, config_options
from inbond.cli.telling import ending, say
from inbond.cli.waive_command import by_option, code_of, format_option, lazily, listing_format_option

_CODES: Final = """\b
Exit codes:
  0  done, also where it was so before
  2  it is not: something that was given cannot be read, or the configuration or the ledger cannot be used
"""
_ACCEPT_EPILOG: Final = f"""{_CODES}
\b
Examples:
  inbond pins accept flask github:pallets/flask@publish.yaml --reason 'the workflow was renamed'
  inbond pins accept flask github:pallets/flask --repository-id 596892
"""
_REVOKE_EPILOG: Final = """\b
Exit codes:
  0  it is in force no more
  1  there is no such pin in the ledger
  2  could not tell: the configuration or the ledger cannot be used; also usage errors
"""
_EXPORT_EPILOG: Final = f"""{_CODES}
\b
Examples:
  inbond pins export decisions.toml
  inbond pins export | diff decisions.toml -
"""


@click.group("pins")
def pins_group() -> None:
    """Accept publishers of a project, and list, revoke, export and import what was accepted.

    To the rule `continuity` a pin is as if a settled release were by that publisher.
    """


@pins_group.command("list", epilog=_CODES)
@listing_format_option
@config_options
def show(*, form: str, given: GivenOptions) -> None:
    """List the pins of the ledger and of the configuration."""
    with ending():
        lazily()
        from inbond.cli.deciding import listed  # noqa: PLC0415 (see `lazily`)
        from inbond.cli.decisions_shown import pins  # noqa: PLC0415 (see `lazily`)
        from inbond.gateway.clock import utc_now  # noqa: PLC0415 (see `lazily`)
        from inbond.model.decisions import Pin  # noqa: PLC0415 (see `lazily`)

        found = asyncio.run(listed(config_from_options(given), Pin))
        say(pins(found, form, now=utc_now()), nl=False, color=True)


@pins_group.command("accept", epilog=_ACCEPT_EPILOG)
@click.argument("project")
@click.argument("publisher")
@click.option(
    "--repository-id", metavar="ID", help="Accept the repository of this id, where another had its name before."
)
@click.option("--reason", metavar="TEXT", help="Why.")
@by_option
@format_option
@config_options
def accept(*, form: str, given: GivenOptions, **asked: Any) -> None:
    """Accept PUBLISHER for PROJECT: it is known to be right, though no settled release is by it.

    PUBLISHER is written as everywhere, 'github:owner/repo@workflow.yml'; later parts may be left out.
    """
    with ending():
        lazily()
        from inbond.cli import decisions_made, pins_run  # noqa: PLC0415 (see `lazily`)

        made = asyncio.run(pins_run.accept(config_from_options(given), pins_run.AskedPin(**asked)))
        say(decisions_made.as_json("pins", [made]) if form == "json" else decisions_made.as_text([made]))
        say(decisions_made.warnings_of([made]), err=True, nl=False)


@pins_group.command("revoke", epilog=_REVOKE_EPILOG)
@click.argument("pin_id", metavar="ID")
@by_option
@config_options
def revoke(*, pin_id: str, by: str | None, given: GivenOptions) -> None:
    """End the pin ID. It stays in the ledger, with who revoked it and when."""
    with ending(code_of):
        lazily()
        from inbond.cli.revoking import run  # noqa: PLC0415 (see `lazily`)
        from inbond.model.decisions import Pin  # noqa: PLC0415 (see `lazily`)

        say(f"revoked {run(config_from_options(given), pin_id, Pin, by)}")


@pins_group.command("export", epilog=_EXPORT_EPILOG)
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@config_options
def export(*, file: Path | None, given: GivenOptions) -> None:
    """Write all pins to FILE, or to standard output: TOML to review in git, and to name in `decisions.files`.

    The same pins give the same bytes.
    """
    with ending():
        lazily()
        from inbond.cli import pins_run  # noqa: PLC0415 (see `lazily`)

        text = asyncio.run(pins_run.exported(config_from_options(given)))
        if file is None:
            say(text, nl=False)
        else:
            pins_run.write(file, text)


@pins_group.command("import", epilog=_CODES)
@click.argument("file", type=click.Path(path_type=Path))
@format_option
@config_options
def take_in(*, file: Path, form: str, given: GivenOptions) -> None:
    """Take the pins of FILE into the ledger: all of them, or none where one cannot be read.

    Those that are known already stay as they are.
    """
    with ending():
        lazily()
        from inbond.cli import decisions_made, pins_run  # noqa: PLC0415 (see `lazily`)

        made = asyncio.run(pins_run.taken_in(config_from_options(given), file))
        if form == "json":
            say(decisions_made.as_json("pins", made))
        else:
            new = sum(one.new for one in made)
            say(
                "\n".join([decisions_made.as_text(made)] * bool(made) + [f"{new} new, {len(made) - new} known already"])
            )
        say(decisions_made.warnings_of(made), err=True, nl=False)

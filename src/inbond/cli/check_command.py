"""`inbond check`: what locks, requirements and files look like through an index and its policy, without a server."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from inbond.cli.options import TEXT, GivenOptions, config_from_options, config_options
from inbond.cli.telling import UNTOLD, ending, say
from inbond.model.text import printable

if TYPE_CHECKING:
    from inbond.cli.check_locks import Checked

CLEAR: Final = 0
STOPPED: Final = 1

_EPILOG: Final = """\b
Exit codes:
  0  all clear (warnings do not count, unless --strict)
  1  something is denied or held
  2  could not tell: something could not be read or checked; never a pass; also usage errors
  130  interrupted
\b
Examples:
  inbond check uv.lock
  inbond check requirements.txt --against origin-main-requirements.txt
  inbond check 'flask>=3' dist/acme-1.0-py3-none-any.whl
  inbond check uv.lock --format sarif --output inbond.sarif
"""


@click.command("check", epilog=_EPILOG)
@click.argument("targets", nargs=-1, required=True, metavar="LOCKFILE|REQUIREMENTS|SPEC|FILE...")
@click.option("--index", "index_name", metavar="NAME", default="root", show_default=True, help="The index to ask.")
@click.option(
    "--against",
    metavar="LOCKFILE",
    type=click.Path(path_type=Path),
    help="An older lock: shows what changed in trust since then.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "sarif"]),
    default="table",
    show_default=True,
    help="For people, for programs, for code scanning (SARIF 2.1.0).",
)
@click.option("--output", "-o", metavar="FILE", type=click.Path(path_type=Path), help="Write there, not to the screen.")
@click.option(
    "--write-pylock",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write a pylock.toml with the attestation identities that were verified (PEP 751).",
)
@click.option("--here", is_flag=True, help="Only what environment markers select for this Python on this machine.")
@click.option("--strict", is_flag=True, help="Warnings, and grave changes with --against, count as denied.")
@click.option("--quiet", "-q", is_flag=True, help="Show only what is not clear.")
@config_options
def check(
    *,
    targets: tuple[str, ...],
    index_name: str,
    against: Path | None,
    form: str,
    output: Path | None,
    write_pylock: Path | None,
    here: bool,
    strict: bool,
    quiet: bool,
    given: GivenOptions,
) -> None:
    """Say what a lock looks like through inbond's eyes.

    Reads uv.lock, pylock.toml, poetry.lock, pdm.lock, Pipfile.lock, requirements files, single requirements such as
    'flask==3.1.0', and distribution files. Asks the index about every file that they name, verifies its attestations,
    judges it under the policy, and shows a line for each dependency. Needs no server; what it finds is kept in the
    cache, so that a second run is quick.
    """
    if here and write_pylock is not None:
        raise click.UsageError("--write-pylock completes a whole lock, and --here leaves out some of it")
    with ending():
        # Reading configuration and talking to an index import much: `--help` does not wait for that.
        from inbond.cli.check_run import Wanted, run  # noqa: PLC0415 (as said above)
        from inbond.cli.logs import set_up_logging  # noqa: PLC0415 (as said above)

        set_up_logging(TEXT, verbose=False)
        wanted = Wanted(targets=targets, against=against, index=index_name, here=here)
        checked = asyncio.run(run(config_from_options(given), wanted))
        code = exit_code(checked, strict=strict)
        _show(checked, form=form, output=output, quiet=quiet)
        if write_pylock is not None:
            say(_write_pylock(checked, write_pylock, code), err=True)
        sys.exit(code)


def exit_code(checked: Checked, *, strict: bool) -> int:
    """0, 1 or 2, as the help says. What is stopped counts before what could not be told."""
    from inbond.check.compare import GRAVE  # noqa: PLC0415 (as above)
    from inbond.check.files import Result  # noqa: PLC0415 (as above)

    results = {row.result for report in checked.reports for row in report.rows}
    results |= {finding.result for report in checked.reports for finding in report.findings}
    stopping = {Result.DENIED, Result.HELD, *([Result.WARNED] if strict else [])}
    if results & stopping or (strict and any(change.change in GRAVE for change in checked.changes)):
        return STOPPED
    return UNTOLD if Result.UNTOLD in results else CLEAR


def _write_pylock(checked: Checked, target: Path, code: int) -> str:
    from inbond.cli.check_pylock import write  # noqa: PLC0415 (as above)

    if code != CLEAR:
        return printable(f"inbond: {target} was not written: that takes a check whose exit code is 0")
    return printable(write(checked, target))


def _show(checked: Checked, *, form: str, output: Path | None, quiet: bool) -> None:
    from inbond.cli import check_json, check_sarif, check_table  # noqa: PLC0415 (as above)
    from inbond.cli.whole_files import write_whole  # noqa: PLC0415 (as above)

    match form:
        case "table":
            text = check_table.dumps(checked, quiet=quiet, to_file=output is not None)
        case "json":
            text = f"{check_json.dumps(checked)}\n"
        case _:
            text = f"{check_sarif.dumps(checked, base=Path.cwd())}\n"
    if output is None:
        say(text, nl=False, color=True)  # the table has them only where they are wanted
    else:
        write_whole(output, text.encode())

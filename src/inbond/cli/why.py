"""`inbond why`: the whole story of one file, without a server."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Final

import click

from inbond.cli.options import TEXT, GivenOptions, config_from_options, config_options
from inbond.cli.telling import UNTOLD, ending, say

if TYPE_CHECKING:
    from inbond.cli.why_run import Story

ALLOWED: Final = 0
STOPPED: Final = 1

_EPILOG: Final = """\b
Exit codes:
  0  it may be had
  1  it is denied or held
  2  could not tell: something could not be read or checked; also usage errors
\b
Examples:
  inbond why sampleproject sampleproject-4.0.0.tar.gz
  inbond why sampleproject sampleproject-4.0.0.tar.gz --format json
"""


@click.command("why", epilog=_EPILOG)
@click.argument("project")
@click.argument("file")
@click.option("--index", "index_name", metavar="NAME", default="root", show_default=True, help="The index to ask.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="For people, or the JSON that /-/verdict/ of a server gives.",
)
@config_options
def why(*, project: str, file: str, index_name: str, form: str, given: GivenOptions) -> None:
    """Say what becomes of one file, and why.

    Asks the index about the file, verifies its attestations, and shows the verdict, what every rule found, and what the
    signing certificates prove. Needs no server. The bytes are not downloaded, so what only they would tell stays open.
    """
    with ending():
        # Talking to an index imports much: `--help` does not wait for that.
        from inbond.cli.logs import set_up_logging  # noqa: PLC0415 (as said above)
        from inbond.cli.why_run import run  # noqa: PLC0415 (as said above)
        from inbond.cli.why_text import as_json, as_text  # noqa: PLC0415 (as said above)

        set_up_logging(TEXT, verbose=False)
        story = asyncio.run(run(config_from_options(given), project=project, file=file, index=index_name))
        say(as_json(story) if form == "json" else as_text(story), nl=False, color=True)
        sys.exit(exit_code(story))


def exit_code(story: Story) -> int:
    """0, 1 or 2, as the help says."""
    from inbond.check.files import Result  # noqa: PLC0415 (as above)

    match story.result:
        case Result.CLEAR | Result.WARNED:
            return ALLOWED
        case Result.DENIED | Result.HELD:
            return STOPPED
        case _:
            return UNTOLD

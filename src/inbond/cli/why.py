"""`inbond why`: the whole story of one file, or of a release and its project, without a server."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Final

import click

from inbond.cli.options import TEXT, GivenOptions, config_from_options, config_options
from inbond.cli.telling import UNTOLD, ending, say

if TYPE_CHECKING:
    from inbond.cli.why_run import ProjectStory, Story

ALLOWED: Final = 0
STOPPED: Final = 1

_EPILOG: Final = """\b
Exit codes:
  0  it may be had; of a release, each of its files
  1  it, or one of its files, is denied or held
  2  could not tell: something could not be read or checked; also usage errors
\b
Examples:
  inbond why sampleproject
  inbond why sampleproject==4.0.0
  inbond why sampleproject sampleproject-4.0.0.tar.gz
  inbond why sampleproject sampleproject-4.0.0.tar.gz --format json
"""


@click.command("why", epilog=_EPILOG)
@click.argument("project", metavar="PROJECT[==VERSION]")
@click.argument("file", required=False)
@click.option("--index", "index_name", metavar="NAME", default="root", show_default=True, help="The index to ask.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="For people, or JSON: of a file what /-/verdict/ of a server gives.",
)
@config_options
def why(*, project: str, file: str | None, index_name: str, form: str, given: GivenOptions) -> None:
    """Say what becomes of a file, a release or a project, and why.

    Asks the index about the file, verifies its attestations, and shows the verdict, what every rule found, what the
    signing certificates prove, and who published the project's releases. Without FILE it tells of all files of a
    release: the one that is named, or else the newest. Needs no server. The bytes are not downloaded, so what only they
    would tell stays open.
    """
    with ending():
        # Talking to an index imports much: `--help` does not wait for that.
        from inbond.cli.logs import set_up_logging  # noqa: PLC0415 (as said above)
        from inbond.cli.why_run import run  # noqa: PLC0415 (as said above)

        set_up_logging(TEXT, verbose=False)
        story = asyncio.run(run(config_from_options(given), project=project, file=file, index=index_name))
        say(_told(story, form), nl=False, color=True)
        sys.exit(exit_code(story))


def _told(story: Story | ProjectStory, form: str) -> str:
    from inbond.cli.why_project_text import project_json, project_text  # noqa: PLC0415 (as above)
    from inbond.cli.why_run import Story  # noqa: PLC0415 (as above)
    from inbond.cli.why_text import as_json, as_text  # noqa: PLC0415 (as above)

    if isinstance(story, Story):
        return as_json(story) if form == "json" else as_text(story)
    return project_json(story) if form == "json" else project_text(story)


def exit_code(story: Story | ProjectStory) -> int:
    """0, 1 or 2, as the help says."""
    from inbond.check.files import Result  # noqa: PLC0415 (as above)

    match story.result:
        case Result.CLEAR | Result.WARNED:
            return ALLOWED
        case Result.DENIED | Result.HELD:
            return STOPPED
        case _:
            return UNTOLD

"""`inbond static write|verify`: what was synced as a tree of plain files for any web server, and examining one."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Final

import click

from inbond.cli.options import TEXT, GivenOptions, config_from_options, config_options
from inbond.cli.telling import ending, say

WHOLE: Final = 0
LEFT_OUT: Final = 1
WRONG: Final = 1

_WRITE_EPILOG: Final = """\b
Exit codes:
  0  everything that was synced is in the tree
  1  something is denied or held by now, and left out
  2  something could not be had, or there is no tree; also usage errors
  130  interrupted: the tree is as it was, or has some of the new files that no page names yet
\b
Examples:
  inbond static write /srv/simple
  inbond static write /srv/simple --name team --key bundle.key
"""
_VERIFY_EPILOG: Final = """\b
Exit codes:
  0  nothing is wrong with it
  1  something is wrong
  2  could not tell: a key cannot be read; also usage errors
\b
Examples:
  inbond static verify /srv/simple --key bundle.pub --max-age 7d
"""
_directory = click.Path(path_type=Path, file_okay=False)
_key_file = click.Path(path_type=Path, dir_okay=False)
_form = click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True,
    help="For people, or for programs.",
)  # fmt: skip


@click.group("static")
def static_group() -> None:
    """Write what was synced as a tree for any web server, or examine one."""


@static_group.command("write", epilog=_WRITE_EPILOG)
@click.argument("directory", type=_directory)
@click.option("--name", metavar="NAME", default="default", show_default=True, help="Which sync (inbond sync --name).")
@click.option("--link", is_flag=True, help="Hard links to the cache's files, not copies: where nobody may write them.")
@click.option("--url", metavar="URL", default="", help="The tree's own address: provenance is then named by it.")
@click.option("--key", "key_file", metavar="FILE", type=_key_file, help="Sign the manifest (inbond bundle keygen).")
@_form
@config_options
def write(
    *, directory: Path, name: str, link: bool, url: str, key_file: Path | None, form: str, given: GivenOptions
) -> None:
    """Write DIRECTORY as an index of plain files (PEP 503, PEP 691), from what inbond sync brought.

    The policy is asked once more; what it stops by now is left out. A tree that is there is brought up to date while
    it is served: no page ever names a file that is not there. No file is fetched.
    """
    with ending():
        # Reading configuration and judging import much: `--help` does not wait for that.
        from inbond.cli import static_run  # noqa: PLC0415 (as said above)
        from inbond.cli.logs import set_up_logging  # noqa: PLC0415 (as said above)

        set_up_logging(TEXT, verbose=False)
        wanted = static_run.Wanted(directory=directory, name=name, link=link, url=url, key=key_file)
        report = asyncio.run(static_run.run(config_from_options(given), wanted))
        say(static_run.as_json(report) if form == "json" else static_run.as_text(report))
        sys.exit(static_run.exit_code(report))


@static_group.command("verify", epilog=_VERIFY_EPILOG)
@click.argument("directory", type=_directory)
@click.option(
    "--key", "key_files", metavar="FILE", type=_key_file, multiple=True,
    help="A public key that must have signed the tree; of several, one.",
)  # fmt: skip
@click.option("--max-age", metavar="LENGTH", help="How long ago it may have been synced, as in 7d.")
@_form
def verify(*, directory: Path, key_files: tuple[Path, ...], max_age: str | None, form: str) -> None:
    """Examine every file of a tree: its digest, what else lies there, links, and what the pages say.

    Without a key it only tells whether the tree fits its own manifest.
    """
    with ending():
        from inbond.cli import static_check  # noqa: PLC0415 (as above)

        examined = static_check.examined(directory, key_files, max_age)
        say(static_check.as_json(examined) if form == "json" else static_check.as_text(examined))
        sys.exit(WHOLE if examined.is_whole else WRONG)

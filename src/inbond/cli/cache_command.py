"""`inbond cache adopt`: the files of an existing mirror, taken over into the cache."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import click

from inbond.cli.options import GivenOptions, config_from_options, config_options
from inbond.cli.telling import ending, say

_ADOPT_EPILOG: Final = """\b
Exit codes:
  0  every distribution file of the directory is in the cache
  1  some are not: the cache's limit was reached, or they could not be read or were being written
  2  nothing could be taken; also usage errors
  130  interrupted: what was taken stays
\b
Examples:
  inbond cache adopt /srv/bandersnatch/web/packages
  inbond cache adopt /var/lib/devpi/+files --move
"""


@click.group("cache")
def cache_group() -> None:
    """Take over files into the cache."""


@cache_group.command("adopt", epilog=_ADOPT_EPILOG)
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--move", is_flag=True, help="Take the files away from where they are.")
@click.option("--link", is_flag=True, help="Hard links, made read-only: where nobody writes these files any more.")
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True,
    help="For people, or for programs.",
)  # fmt: skip
@config_options
def adopt(*, directory: Path, move: bool, link: bool, form: str, given: GivenOptions) -> None:
    """Take over the wheels and source distributions below DIRECTORY, by their digests.

    Any directory will do: a devpi's, a bandersnatch's, a wheelhouse. Nothing is trusted by being taken over: a file is
    used only where an index's page names its sha256, and the policy is asked as ever. It stops before the cache's limit
    would have others removed. A server may be running.
    """
    if move and link:
        raise click.UsageError("--move and --link exclude each other")
    with ending():
        from inbond.cli import cache_run  # noqa: PLC0415 (reading configuration imports much: --help does not wait)

        how = cache_run.How.MOVE if move else cache_run.How.LINK if link else cache_run.How.COPY
        adoption = cache_run.adopted(config_from_options(given), directory, how)
        say(cache_run.as_json(adoption) if form == "json" else cache_run.as_text(adoption))
        sys.exit(cache_run.exit_code(adoption))

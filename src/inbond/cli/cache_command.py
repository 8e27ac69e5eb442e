"""`inbond cache`: files taken over, compared with their digests, counted, and removed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Final, TypeVar

import click

from inbond.cli.options import GivenOptions, config_from_options, config_options
from inbond.cli.telling import ending, say
from inbond.model.units import parse_duration, parse_size

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
_SCRUB_EPILOG: Final = """\b
Exit codes:
  0  every stored file has the digest in its name
  1  some are damaged or cannot be read: those were put into quarantine/ beside the files
  2  could not be done; also usage errors
  130  interrupted: what was read is known
\b
Examples:
  inbond cache scrub
  inbond cache scrub --rate 50MiB
"""
_STATS_EPILOG: Final = """\b
Exit codes:
  0  it was looked through
  2  it could not be; also usage errors
\b
Examples:
  inbond cache stats
  inbond cache stats --format json | jq .files.size
"""
_GC_EPILOG: Final = """\b
Exit codes:
  0  done, and no more than --to SIZE is left
  1  more is left: it is being sent, or was used a moment ago
  2  could not be done; also usage errors
\b
Examples:
  inbond cache gc
  inbond cache gc --to 5GiB --dry-run
"""


@click.group("cache")
def cache_group() -> None:
    """See to the cache: what lies in it, whether it is whole, and how much of it."""


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


T = TypeVar("T")


def _as(parse: Callable[[str], T]) -> Callable[[click.Context, click.Parameter, str | None], T | None]:
    """A callback that reads an option's text."""

    def read(ctx: click.Context, param: click.Parameter, text: str | None) -> T | None:
        try:
            return None if text is None else parse(text)
        except ValueError as error:
            raise click.BadParameter(str(error), ctx=ctx, param=param) from None

    return read


def _rate(text: str) -> int:
    rate = parse_size(text)
    if not rate:
        raise ValueError("nothing would ever be read")
    return rate


@cache_group.command("scrub", epilog=_SCRUB_EPILOG)
@click.option("--rate", callback=_as(_rate), metavar="SIZE", help="Read at most so many bytes a second, as in 50MiB.")
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True,
    help="For people, or for programs.",
)  # fmt: skip
@config_options
def scrub(*, rate: int | None, form: str, given: GivenOptions) -> None:
    """Read every stored file, of the cache and of what was imported, and compare it with its digest.

    Disks change bytes that nobody writes, and no file system need notice. What is damaged is put into quarantine; a
    server, which may be running, fetches it anew when it is asked for. Of imported files, which nobody else can give,
    it is told which bundle must be imported again.
    """
    with ending():
        from inbond.cli import cache_scrub_run  # noqa: PLC0415 (as above)

        found = cache_scrub_run.scrubbed(config_from_options(given), rate)
        say(cache_scrub_run.as_json(found) if form == "json" else cache_scrub_run.as_text(found))
        sys.exit(found.exit_code)


@cache_group.command("stats", epilog=_STATS_EPILOG)
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True,
    help="For people, or for programs.",
)  # fmt: skip
@config_options
def stats(*, form: str, given: GivenOptions) -> None:
    """Count what lies in the cache, beside what may, and look at its disk.

    Nothing is changed. A server may be running.
    """
    with ending():
        from inbond.cli import cache_stats_run  # noqa: PLC0415 (as above)

        found = cache_stats_run.stats_of(config_from_options(given))
        say(cache_stats_run.as_json(found) if form == "json" else cache_stats_run.as_text(found))


@cache_group.command("gc", epilog=_GC_EPILOG)
@click.option(
    "--to",
    callback=_as(parse_size),
    metavar="SIZE",
    help="Leave at most so many bytes of files, as in 5GiB; else what is configured.",
)
@click.option(
    "--older", callback=_as(parse_duration), metavar="TIME", default="30d", show_default=True,
    help="What was put aside as damaged or broken goes when that was longer ago.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Say what would go, and remove nothing.")
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True,
    help="For people, or for programs.",
)  # fmt: skip
@config_options
def gc(*, to: int | None, older: timedelta, dry_run: bool, form: str, given: GivenOptions) -> None:
    """Make room in the cache: the files used longest ago go, and what killed processes left.

    A server does so by itself where its limits are reached. One may be running: what it sends stays.
    """
    with ending():
        from inbond.cli import cache_gc_run  # noqa: PLC0415 (as above)

        wanted = cache_gc_run.Wanted(to=to, older=older, dry_run=dry_run)
        config = config_from_options(given)
        done = cache_gc_run.collected(config, wanted)
        cache_gc_run.told(config, done)
        say(cache_gc_run.as_json(done) if form == "json" else cache_gc_run.as_text(done))
        sys.exit(done.exit_code)

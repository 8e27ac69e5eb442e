"""`inbond relock`: the file URLs of a lock to inbond, and back."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from inbond.cli.options import TEXT, GivenOptions, config_from_options, config_options
from inbond.cli.telling import UNTOLD, ending, say
from inbond.model.errors import InbondError
from inbond.model.text import counted, printable

if TYPE_CHECKING:
    from inbond.cli.relock_run import Done, Wanted
    from inbond.locks.lock import Lock

DONE: Final = 0
NOT_DONE: Final = 1
STDOUT: Final = "-"
MAX_SHOWN: Final = 20  # URLs that were left, each on a line

_EPILOG: Final = """\b
Exit codes:
  0  done, also where there was nothing to do
  1  it cannot be done so that the way back is exact, or upstream has none of the files;
     with --check: something of an index does not point there yet
  2  could not tell: the lock cannot be read, or upstream did not answer; also usage errors
  130  interrupted
\b
Examples:
  inbond relock uv.lock
  inbond relock uv.lock --at https://inbond.acme.example
  inbond relock uv.lock --back
  inbond relock pylock.toml --check
"""


@click.command("relock", epilog=_EPILOG)
@click.argument("lockfile", metavar="LOCKFILE", type=click.Path(path_type=Path))
@click.option("--back", is_flag=True, help="From inbond back to where the files came from.")
@click.option("--index", "index_name", metavar="NAME", default="root", show_default=True, help="The index at inbond.")
@click.option(
    "--at",
    metavar="URL",
    help="inbond's address as clients reach it; otherwise public_url or the listen address of the configuration.",
)
@click.option(
    "--files-at",
    metavar="URL-PREFIX",
    multiple=True,
    help="Where upstream has the files, as in https://files.example/packages/: upstream is not asked then.",
)
@click.option(
    "--simple-at",
    metavar="URL",
    help="The index that the lock names, as in https://index.example/simple; otherwise the configured upstream's.",
)
@click.option("--output", "-o", metavar="FILE", help="Write there, and leave the lock as it is; - is standard output.")
@click.option("--check", "only_check", is_flag=True, help="Write nothing; exit code 1 where something would change.")
@config_options
def relock(
    *,
    lockfile: Path,
    back: bool,
    index_name: str,
    at: str | None,
    files_at: tuple[str, ...],
    simple_at: str | None,
    output: str | None,
    only_check: bool,
    given: GivenOptions,
) -> None:
    """Point the file URLs of a lock to inbond, or back.

    uv.lock, pylock.toml and pdm.lock name the URL of each file, and installers go there, past every index they are
    told to use. This swaps the beginning of these URLs, and of the index in uv.lock and pylock.toml, and no other
    byte; `--back` gives exactly the lock that was there before. It refuses where that would not be so.

    Which beginning on upstream belongs to inbond is learned from a page of each host: a server need not be running.
    What a lock takes from a URL or repository of its own stays, and is listed.
    """
    wanted_at = _address(at)
    with ending(_code_of):
        # Reading configuration and talking to an index import much: `--help` does not wait for that.
        from inbond.cli.check_targets import read_lock_file  # noqa: PLC0415 (as said above)
        from inbond.cli.logs import set_up_logging  # noqa: PLC0415 (as said above)
        from inbond.cli.relock_run import Wanted, names_files, run  # noqa: PLC0415 (as said above)

        set_up_logging(TEXT, verbose=False)
        wanted = Wanted(back=back, index=index_name, at=wanted_at, files_at=files_at, simple_at=simple_at)
        lock, raw = read_lock_file(lockfile)
        if not names_files(lock.format):
            told = f"{lockfile}: nothing to do: a lock of {lock.format} names no file URLs, the index decides"
            say(printable(told), err=output == STDOUT)
            sys.exit(DONE)
        done = asyncio.run(run(config_from_options(given), lock, raw, wanted))
        if not only_check:
            _write(lockfile, output, raw, done.result.raw)
        lines = _told(lock, done, wanted, only_check=only_check)
        say("\n".join(map(printable, lines)), err=output == STDOUT)
        sys.exit(_exit_code(lock, done, only_check=only_check))


def _code_of(error: InbondError) -> int:
    from inbond.locks.relock import NotReversible  # noqa: PLC0415 (as above)

    return NOT_DONE if isinstance(error, NotReversible) else UNTOLD


def _write(lockfile: Path, output: str | None, before: bytes, after: bytes) -> None:
    from inbond.cli.whole_files import write_whole  # noqa: PLC0415 (as above)

    if output == STDOUT:
        say(after, nl=False)
    elif output is not None:
        write_whole(Path(output), after)
    elif after != before:
        write_whole(lockfile, after)


def _address(at: str | None) -> str | None:
    from inbond.web.settings import parse_public_url  # noqa: PLC0415 (as above)

    try:
        return None if at is None else parse_public_url(at)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--at") from None


def _told(lock: Lock, done: Done, wanted: Wanted, *, only_check: bool) -> list[str]:
    result = done.result
    where = "where they came from" if wanted.back else done.base
    if result.files or result.indexes:
        verb = "would point" if only_check else "now point" + ("s" if result.files + result.indexes == 1 else "")
        head = f"{lock.source}: {_swapped(result.files, result.indexes)} {verb} to {where}"
    elif result.already:
        head = f"{lock.source}: nothing to do: {counted(result.already, 'file URL')} pointed to {where} before"
    else:
        head = f"{lock.source}: nothing points to {'inbond' if wanted.back else where}, and nothing was changed"
    if not result.left:
        return [head]
    lines = [f"{head}; {len(result.left)} left:"]
    lines += [f"  {one.place}: {one.url}" for one in result.left[:MAX_SHOWN]]
    if len(result.left) > MAX_SHOWN:
        lines.append(f"  … and {len(result.left) - MAX_SHOWN} more")
    return lines + [f"  {origin}: {reason}" for origin, reason in done.reasons.items()]


def _exit_code(lock: Lock, done: Done, *, only_check: bool) -> int:
    from inbond.locks.relock import index_files  # noqa: PLC0415 (as above)

    result = done.result
    swapped = bool(result.files or result.indexes)
    elsewhere = {one.url for one in result.left} & {file.url for _, file in index_files(lock)}
    if only_check:
        return NOT_DONE if swapped or elsewhere else DONE
    return NOT_DONE if elsewhere and not swapped else DONE


def _swapped(files: int, indexes: int) -> str:
    parts = [counted(number, noun) for number, noun in ((files, "file URL"), (indexes, "index")) if number]
    return " and ".join(parts)

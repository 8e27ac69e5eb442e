"""`inbond sync`: fill the cache with what locks and requirements name, as far as the policy lets it through."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from inbond.cli.options import TEXT, GivenOptions, config_from_options, config_options
from inbond.cli.telling import ending, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inbond.cli.config import Config
    from inbond.cli.sync_run import Done
    from inbond.cli.sync_wanted import Wanted
    from inbond.mirror.settings import Wheels

WHOLE: Final = 0
STOPPED: Final = 1
MISSING: Final = 2

_EPILOG: Final = """\b
Exit codes:
  0  everything is here
  1  something is denied or held; the rest is here
  2  something could not be had, judged or resolved: run it again; or nothing is here, and nothing is recorded; also
     usage errors
  130  interrupted: the same command goes on from there
\b
Examples:
  inbond sync uv.lock
  inbond sync uv.lock requirements.txt --name team --python 3.12 --platform linux-x86_64 --wheels-only
  inbond sync 'flask>=3' --python 3.11 --python 3.13 --platform linux-x86_64 --platform windows-x86_64
  inbond sync numpy pandas --no-dependencies --newest 3
  inbond sync uv.lock --static /srv/simple
"""


@click.command("sync", epilog=_EPILOG)
@click.argument("targets", nargs=-1, metavar="[LOCKFILE|REQUIREMENTS|SPEC...]")
@click.option(
    "--name",
    metavar="NAME",
    help="What the record is called, for `inbond bundle export`; 'default' unless given. Without anything named: the"
    " one [mirrors.NAME] to sync.",
)
@click.option("--index", "index_name", metavar="NAME", help="The index whose policy decides; 'root' unless given.")
@click.option("--python", "pythons", metavar="3.Y", multiple=True, help="Only files for this Python; may be repeated.")
@click.option(
    "--platform",
    "platforms",
    metavar="PLATFORM",
    multiple=True,
    help="Only files for this platform, such as linux-x86_64; may be repeated.",
)
@click.option("--wheels-only", is_flag=True, help="No sdists where wheels are there for all of these.")
@click.option(
    "--newest",
    metavar="N",
    type=click.IntRange(min=1),
    help="With --no-dependencies: so many releases of each project without a version, the newest first.",
)
@click.option("--no-dependencies", is_flag=True, help="Fetch what is named alone; uv is not needed then.")
@click.option(
    "--uv",
    metavar="PROGRAM",
    envvar="INBOND_UV",
    help="The uv that resolves requirements; the one on PATH unless given. [env: INBOND_UV]",
)
@click.option(
    "--allow-builds",
    is_flag=True,
    help="Let uv build source distributions to learn what they need: that runs their code.",
)
@click.option("--all-or-nothing", is_flag=True, help="Write no record where something is missing, denied or held.")
@click.option(
    "--static",
    metavar="DIRECTORY",
    type=click.Path(path_type=Path, file_okay=False),
    help="Also write what was synced as a tree for any web server.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="For people, or for programs.",
)
@config_options
def sync(
    *,
    targets: tuple[str, ...],
    name: str | None,
    index_name: str | None,
    pythons: tuple[str, ...],
    platforms: tuple[str, ...],
    wheels_only: bool,
    newest: int | None,
    no_dependencies: bool,
    uv: str | None,
    allow_builds: bool,
    all_or_nothing: bool,
    static: Path | None,
    form: str,
    given: GivenOptions,
) -> None:
    """Fetch what locks name, with all evidence, as far as the policy lets it through.

    Reads what `inbond check` reads. Entries with a version or files are fetched as they are; requirements without a
    version, and all that are typed here, are resolved by uv against this index, for each Python and platform asked for
    (this machine's unless given), with everything that they need. Fetches what is not in the cache yet, several files
    at once, and goes on past what is denied, held or cannot be had. Writes down what is there: `inbond bundle export`
    makes a bundle of it. Without anything named, syncs each [mirrors.NAME] of the configuration.
    """  # fmt: skip
    if newest is not None and not no_dependencies:
        raise click.UsageError("--newest goes with --no-dependencies: what is resolved has one release of each project")
    own = {"--index": index_name, "--python": pythons, "--platform": platforms, "--wheels-only": wheels_only,
           "--no-dependencies": no_dependencies}  # fmt: skip
    used = [option for option, value in own.items() if value]
    if not targets and used:
        raise click.UsageError(f"{used[0]} goes with what is named here; a [mirrors.NAME] has a key for it")
    with ending():
        # Reading configuration and talking to an index import much: `--help` does not wait for that.
        from inbond.cli.logs import set_up_logging  # noqa: PLC0415 (as said above)
        from inbond.cli.sync_run import run  # noqa: PLC0415 (as said above)
        from inbond.cli.sync_wanted import How, Wanted  # noqa: PLC0415 (as said above)

        set_up_logging(TEXT, verbose=False, quiet=True)  # what uv asks this index is of no interest
        config = config_from_options(given)
        named = Wanted(
            name=_checked_name(name),
            index=index_name or "root",
            targets=targets,
            wheels=_wheels(pythons, platforms, wheels_only=wheels_only),
            dependencies=not no_dependencies,
            newest=newest or 1,
        )
        wanted = [named] if targets else _standing(config, name)
        if static is not None and len(wanted) > 1:
            raise click.UsageError("a tree holds one sync: name one of the configuration's with --name")
        how = How(uv=uv, builds=allow_builds, all_or_nothing=all_or_nothing, static=static)
        done = asyncio.run(run(config, wanted, how))
        _show(done, form)
        sys.exit(exit_code(done))


def exit_code(done: Sequence[Done]) -> int:
    """0, 1 or 2, as the help says: 1 tells that nothing is missing but what the policy stops."""
    from inbond.cli.static_run import exit_code as of_tree  # noqa: PLC0415 (as above)
    from inbond.mirror.outcomes import State  # noqa: PLC0415 (as above)

    states = {one.outcome.state for one in done}
    trees = {of_tree(one.tree) for one in done if one.tree is not None}
    nothing = not all(one.outcome.synced.files for one in done)
    if nothing or State.MISSING in states or MISSING in trees:
        return MISSING
    return STOPPED if states & {State.HELD, State.DENIED} or STOPPED in trees else WHOLE


def _wheels(pythons: tuple[str, ...], platforms: tuple[str, ...], *, wheels_only: bool) -> Wheels:
    from inbond.cli.config_fields import PLATFORMS, parse_python  # noqa: PLC0415 (as above)
    from inbond.mirror.settings import Wheels  # noqa: PLC0415 (as above)
    from inbond.model.meant import did_you_mean  # noqa: PLC0415 (as above)

    for python in pythons:
        try:
            parse_python(python)
        except ValueError as error:
            raise click.UsageError(f"--python {error}") from None
    for platform in platforms:
        if platform not in PLATFORMS:
            known = did_you_mean(platform, PLATFORMS)
            raise click.UsageError(f"--platform {platform!a} is none that is known{known}")
    return Wheels(
        pythons=tuple(dict.fromkeys(pythons)), platforms=tuple(dict.fromkeys(platforms)), wheels_only=wheels_only
    )


def _checked_name(name: str | None) -> str:
    from inbond.mirror.synced import DEFAULT_NAME, parse_synced_name  # noqa: PLC0415 (as above)

    try:
        return parse_synced_name(name or DEFAULT_NAME)
    except ValueError as error:
        raise click.UsageError(f"--name {error}") from None


def _standing(config: Config, name: str | None) -> Sequence[Wanted]:
    from inbond.cli.sync_wanted import standing  # noqa: PLC0415 (as above)

    mirrors = standing(config)
    chosen = [one for one in mirrors if name in {None, one.name}]
    if not chosen:
        known = ", ".join(one.name for one in mirrors)
        raise click.UsageError(f"there is no [mirrors.{name}]; configured are: {known}")
    return chosen


def _show(done: Sequence[Done], form: str) -> None:
    from inbond.cli import sync_json, sync_table  # noqa: PLC0415 (as above)

    if form == "json":
        say(sync_json.dumps(done))
    else:
        say(sync_table.dumps(done), nl=False, color=True)

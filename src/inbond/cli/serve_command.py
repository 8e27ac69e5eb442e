"""The command `inbond serve`; the server itself is `inbond.cli.serve`, and several of them `inbond.cli.workers`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from inbond.cli.hang_ups import HangUps, ignore_hang_ups
from inbond.cli.options import JSON, TEXT, GivenOptions, config_options
from inbond.cli.worker_place import OPTION, WorkerPlace, read_place, require_same
from inbond.gateway.verifier_spare import Spare, beginning

if TYPE_CHECKING:
    from inbond.cli.config import Config, Loaded
    from inbond.cli.reload_source import Source


@click.command("serve")
@config_options
@click.option(
    "--log", "log_form", type=click.Choice([TEXT, JSON]), default=TEXT, envvar="INBOND_LOG", show_default=True,
    help="How log lines are written to standard error. [env: INBOND_LOG]",
)  # fmt: skip
@click.option("--verbose", is_flag=True, help="Log probes and metrics requests too.")
@click.option(OPTION, "place", hidden=True, callback=read_place)
def serve(*, log_form: str, verbose: bool, place: WorkerPlace | None, given: GivenOptions) -> None:
    """Serve the Simple API in front of the configured indexes.

    Without any configuration: on 127.0.0.1:8642, in front of PyPI, data in the user's cache directory.
    """
    asyncio.run(_serve(given, place, log_form, verbose=verbose))


async def _serve(given: GivenOptions, place: WorkerPlace | None, log_form: str, *, verbose: bool) -> None:
    hang_ups = None if place is not None else HangUps()
    if hang_ups is None:
        ignore_hang_ups()  # the supervisor's business
    async with beginning() as spare:  # while this process imports the server and reads its configuration
        # The server imports much: `--help` and the other commands do not wait for that.
        from inbond.cli.logs import set_up_logging  # noqa: PLC0415 (as said above)

        set_up_logging(log_form, verbose=verbose, worker=None if place is None else place.number)
        source, raw, loaded, config = _read(given, place)
        if place is not None:
            await _worker(config, place, spare, source, loaded)
            return
        assert hang_ups is not None
        if config.server.workers == 1:
            await _alone(config, spare, source, loaded, hang_ups)
            return
    flags = ["--log", log_form, *(["--verbose"] if verbose else [])]
    await _workers(config, [*given.arguments(), *flags], (source, raw, loaded), hang_ups)


def _read(given: GivenOptions, place: WorkerPlace | None) -> tuple[Source, bytes | None, Loaded, Config]:
    """Where the configuration comes from, what its file held, and what it says; a worker's is what all go by."""
    from inbond.cli.config import settings_of  # noqa: PLC0415 (as said above)
    from inbond.cli.reload_changes import digest_of  # noqa: PLC0415 (as said above)
    from inbond.cli.reload_source import Source  # noqa: PLC0415 (as said above)

    source = Source.of(given)
    raw = source.raw() if place is None else place.raw()
    loaded = source.load(raw)
    if place is not None:
        require_same(place, digest_of(loaded))
    return source, raw, loaded, settings_of(loaded)


async def _alone(config: Config, spare: Spare, source: Source, loaded: Loaded, hang_ups: HangUps) -> None:
    from inbond.cli.serve import serve_until_stopped  # noqa: PLC0415 (as said above)

    await serve_until_stopped(config, spare, source, loaded, hang_ups)


async def _worker(config: Config, place: WorkerPlace, spare: Spare, source: Source, loaded: Loaded) -> None:
    from inbond.cli.worker import serve_as_worker  # noqa: PLC0415 (as said above)

    await serve_as_worker(config, place, spare, source, loaded)


async def _workers(
    config: Config, arguments: list[str], read: tuple[Source, bytes | None, Loaded], hang_ups: HangUps
) -> None:
    from inbond.cli.workers import serve_by_workers  # noqa: PLC0415 (as said above)

    source, raw, loaded = read
    await serve_by_workers(config, arguments, source=source, raw=raw, loaded=loaded, hang_ups=hang_ups)

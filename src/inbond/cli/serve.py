"""`inbond serve`: the server, from start to a shutdown that lets downloads finish."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from pathlib import Path
from typing import Final

import click
import structlog
from aiohttp import web

from inbond import __version__
from inbond.cli.compose import Running, running
from inbond.cli.config import Config
from inbond.cli.logs import JSON, TEXT, set_up_logging
from inbond.cli.options import GivenOptions, config_from_options, config_options
from inbond.model.errors import OperatorFault
from inbond.web.app import build_app
from inbond.web.origin import is_loopback

# Requests under way and downloads behind them may take so long to finish once a stop is asked for.
SHUTDOWN_SECONDS: Final = 20.0
KEEPALIVE_SECONDS: Final = 75.0
log: Final = structlog.get_logger("inbond")


@click.command()
@config_options
@click.option(
    "--log", "log_form", type=click.Choice([TEXT, JSON]), default=TEXT, envvar="INBOND_LOG", show_default=True,
    help="How log lines are written to standard error.",
)  # fmt: skip
@click.option("--verbose", is_flag=True, help="Log probes and metrics requests too.")
def serve(*, log_form: str, verbose: bool, given: GivenOptions) -> None:
    """Serve the Simple API in front of the configured indexes.

    Without any configuration: on 127.0.0.1:8642, in front of PyPI, data in the user's cache directory.
    """
    set_up_logging(log_form, verbose=verbose)
    asyncio.run(serve_until_stopped(config_from_options(given)))


async def serve_until_stopped(config: Config) -> None:
    """Serves until SIGINT or SIGTERM. Raises `OperatorFault` where it cannot start."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, stop.set)
    async with running(config) as up:
        lag = loop.create_task(up.metrics.watch_lag())
        runner = await start(up, config)
        try:
            _announce(up, config, runner)
            await stop.wait()
        finally:
            lag.cancel()
            log.info("stopping: requests and downloads under way may finish", seconds=SHUTDOWN_SECONDS)
            await runner.cleanup()
            with suppress(TimeoutError):
                await asyncio.wait_for(up.gateway.downloads.wait(), SHUTDOWN_SECONDS)
    log.info("stopped")


async def start(up: Running, config: Config) -> web.AppRunner:
    """Listens. Raises `OperatorFault` where the address cannot be had."""
    app = build_app(up.gateway, config.server, up.metrics, up.checks)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS, keepalive_timeout=KEEPALIVE_SECONDS)
    await runner.setup()
    listen = config.server.listen
    try:
        await web.TCPSite(runner, listen.host, listen.port, backlog=1024).start()
    except OSError as error:
        await runner.cleanup()
        raise OperatorFault(
            f"cannot listen on {listen}: {error.strerror or error}",
            remedy="another program may be using the port; choose one with --listen 127.0.0.1:PORT",
        ) from error
    return runner


def address_of(runner: web.AppRunner) -> str:
    """Host and port that a runner really listens on, as a URL writes them."""
    host, port, *_ = runner.addresses[0]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _announce(up: Running, config: Config, runner: web.AppRunner) -> None:
    origin = config.server.public_url or f"http://{address_of(runner)}"
    lines = [f"inbond {__version__} is serving"]
    for index in up.gateway.indexes.values():
        upstreams = ", ".join(up.upstream_urls[name] for name in index.upstreams)
        audit = " (only recording: " + ", ".join(sorted(index.policy.audit)) + ")" if index.policy.audit else ""
        lines.append(f"  {origin}/{index.prefix}simple/  <-  {upstreams}  policy {index.policy.name}{audit}")
    first = next(iter(up.gateway.indexes.values()))
    lines += [
        f"  cache {_home(config.storage.cache_dir)}, ledger {_home(config.storage.ledger_dir)}",
        "",
        f"  pip install --index-url {origin}/{first.prefix}simple/ sampleproject",
        f"  uv pip install --default-index {origin}/{first.prefix}simple/ sampleproject",
        "",
    ]
    click.echo("\n".join(lines))
    if not is_loopback(config.server.listen.host):
        log.warning(
            "listening beyond this machine: anybody who reaches the port may read", listen=str(config.server.listen)
        )


def _home(path: Path) -> str:
    with suppress(ValueError, RuntimeError):
        return f"~/{path.relative_to(Path.home())}"
    return str(path)

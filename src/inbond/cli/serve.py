"""`inbond serve`: the server, from start to a shutdown that lets downloads finish."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final, Protocol

import click
import structlog
from aiohttp import web
from yarl import URL

from inbond import __version__
from inbond.cli.among import Among
from inbond.cli.compose import Running, running
from inbond.cli.config import Config
from inbond.cli.descriptors import with_descriptors
from inbond.cli.listening import BACKLOG, cannot_listen
from inbond.cli.stopping import STOP_SECONDS, stopping_by_signal
from inbond.gateway.verifier_spare import Spare
from inbond.mirror.in_force import InForce, told
from inbond.web.app import build_app
from inbond.web.operations import TOGETHER
from inbond.web.origin import is_loopback
from inbond.web.runner import Runner
from inbond.web.views import UPSTREAMS

# Once a stop is asked for, requests under way may take so long to finish. aiohttp waits for as long again where a
# client does not read what it is sent.
SHUTDOWN_SECONDS: Final = 15.0
UNSPECIFIED: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 (compared with, not bound to)
THIS_HOST: Final = "THIS-HOST"
log: Final = structlog.get_logger("inbond")


class Say(Protocol):
    """Tells whoever started this that it serves, and where."""

    async def __call__(self, up: Running, text: str, /) -> None:
        """`text`: for people."""
        ...


async def serve_until_stopped(config: Config, spare: Spare) -> None:
    """Serves until SIGINT or SIGTERM. Raises `OperatorFault` where it cannot start."""

    async def say(up: Running, text: str) -> None:
        click.echo(text)
        await warn(up, config)

    await serve_until(stopping_by_signal(), config, say=say, spare=spare)


async def serve_until(
    stop: asyncio.Event,
    config: Config,
    *,
    say: Say,
    spare: Spare | None = None,
    among: Among | None = None,
    sockets: Sequence[socket.socket] = (),
) -> None:
    """Serves until then, and lets finish what is under way. Raises `OperatorFault` where it cannot start.

    `spare`: of a verifier process. `among`: the processes that this one is of. `sockets`: listening ones, instead of
    the configured address.
    """
    config = replace(config, server=with_descriptors(config.server))
    async with running(config, among=among, spare=spare) as up:
        lag = asyncio.create_task(up.metrics.watch_lag())
        runner = await start(up, config, sockets=sockets)
        try:
            await say(up, announcement(up, config, runner, await up.imports.current()))
            keep_collections_short()
            await stop.wait()
        finally:
            lag.cancel()
            log.info("stopping: requests and downloads under way may finish", seconds=STOP_SECONDS)
            await finish(up, runner, seconds=STOP_SECONDS)
    log.info("stopped")


def keep_collections_short() -> None:
    """Takes what is there from the start out of Python's garbage collections, which stop everything while they last.

    Modules, classes and what they hold live to the end: to go through these 70,000 objects took up to a tenth of a
    second, again and again while a large page's files settle.
    """
    gc.collect()
    gc.freeze()


async def finish(up: Running, runner: web.AppRunner, *, seconds: float) -> None:
    """Takes no more requests and lets those under way finish, then downloads that nobody waits for any more.

    For both together there are that many seconds, of which requests may use up twice the runner's own timeout.
    """
    deadline = asyncio.get_running_loop().time() + seconds
    await runner.cleanup()
    with suppress(TimeoutError):
        async with asyncio.timeout_at(deadline):
            await up.gateway.downloads.wait()


async def start(
    up: Running,
    config: Config,
    *,
    shutdown_seconds: float = SHUTDOWN_SECONDS,
    sockets: Sequence[socket.socket] = (),
) -> web.AppRunner:
    """Listens: at the configured address, or by way of `sockets`. Raises `OperatorFault` where that cannot be had."""
    app = build_app(up.gateway, config.server, up.metrics, up.checks, up.imports)
    app[UPSTREAMS] = up.upstream_urls
    if up.together is not None:
        app[TOGETHER] = up.together
    runner = Runner(app, shutdown_timeout=shutdown_seconds)
    await runner.setup()
    listen = config.server.listen
    try:
        if sockets:
            await _share(runner, sockets)
        else:
            await web.TCPSite(runner, listen.host, listen.port, backlog=BACKLOG).start()
    except OSError as error:
        await runner.cleanup()
        raise cannot_listen(listen, error) from error
    return runner


async def _share(runner: web.AppRunner, sockets: Sequence[socket.socket]) -> None:
    """Takes connections from sockets that others take them from too: one at a time, so that all have their part.

    The event loop takes as many at once as may wait, and sets that; so what may wait is set right afterwards.
    """
    for one in sockets:
        await web.SockSite(runner, one, backlog=1).start()
        one.listen(BACKLOG)


def address_of(runner: web.AppRunner) -> str:
    """Host and port that a runner really listens on, as a URL writes them."""
    host, port, *_ = runner.addresses[0]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _name_of(config: Config, runner: web.AppRunner) -> str:
    address = address_of(runner)
    return f"{THIS_HOST}:{address.rpartition(':')[2]}" if _listens_to_all(config) else address


def _listens_to_all(config: Config) -> bool:
    # Such an address can be listened on, but nobody can be sent there.
    return config.server.listen.host in UNSPECIFIED


def _about_names(config: Config) -> list[str]:
    if config.server.public_url or not _listens_to_all(config):
        return []
    if names := sorted(config.server.hosts):
        return [f"  {THIS_HOST} is one of {', '.join(names)}; other names must be added to hosts in [server].", ""]
    return [
        f"  {THIS_HOST} is the name or address under which clients reach this machine: add it to hosts in [server],",
        "  or they are answered 421. Until then only localhost works.",
        "",
    ]


def _upstream(config: Config, name: str, url: str, imported: InForce) -> str:
    fed = imported.upstream(name)
    if fed is not None:
        return f"what was imported of {fed.url or name}"
    if config.offline:
        return f"what the cache holds of {url}"
    proxy = config.accesses[name].proxies.for_url(URL(url))
    return url if proxy is None else f"{url} through proxy {proxy.url}"


def announcement(up: Running, config: Config, runner: web.AppRunner, imported: InForce) -> str:
    """Where clients find this, and what stands behind it."""
    origin = config.server.public_url or f"http://{_name_of(config, runner)}"
    offline = " offline: nothing is asked over the network" if config.offline else ""
    lines = [f"inbond {__version__} is serving{offline}"]
    for index in up.gateway.indexes.values():
        upstreams = ", ".join(_upstream(config, name, up.upstream_urls[name], imported) for name in index.upstreams)
        audit = " (only recording: " + ", ".join(sorted(index.policy.audit)) + ")" if index.policy.audit else ""
        lines.append(f"  {origin}/{index.prefix}simple/  <-  {upstreams}  policy {index.policy.name}{audit}")
        fed = [one for name in index.upstreams if (one := imported.upstream(name)) is not None]
        lines += [f"    {one.name}: {told(one)}" for one in fed]
    first = next(iter(up.gateway.indexes.values()))
    lines += [
        f"  cache {_home(config.storage.cache_dir)}, ledger {_home(config.storage.ledger_dir)}",
        "",
        f"  pip install --index-url {origin}/{first.prefix}simple/ sampleproject",
        f"  uv pip install --default-index {origin}/{first.prefix}simple/ sampleproject",
        "",
        *_about_names(config),
    ]
    return "\n".join(lines)


async def warn(up: Running, config: Config) -> None:
    """Tells what is configured or imported, and not as it should be."""
    for warning in config.warnings:
        log.warning(warning)
    if not is_loopback(config.server.listen.host):
        log.warning(
            "listening beyond this machine: anybody who reaches the port may read", listen=str(config.server.listen)
        )
    for warning in (*await up.imports.problems(), *await up.imports.advice()):
        log.warning(warning)


def _home(path: Path) -> str:
    with suppress(ValueError, RuntimeError):
        return f"~/{path.relative_to(Path.home())}"
    return str(path)

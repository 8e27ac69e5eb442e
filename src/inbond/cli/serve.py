"""`inbond serve`: the server, from start to a shutdown that lets downloads finish."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final, Protocol

import click
import structlog
from aiohttp import web
from yarl import URL

from inbond import __version__
from inbond.cli.access_checks import access_advice
from inbond.cli.among import Among
from inbond.cli.compose import Running, running
from inbond.cli.config import Config, Loaded
from inbond.cli.control import controlled
from inbond.cli.descriptors import with_descriptors
from inbond.cli.full_collections import collect_in_quiet, keep_collections_short
from inbond.cli.hang_ups import HangUps
from inbond.cli.listening import BACKLOG, cannot_listen
from inbond.cli.reload import Reloading
from inbond.cli.reload_alone import Alone
from inbond.cli.reload_signal import reloading_by_signal
from inbond.cli.reload_source import Source
from inbond.cli.started import Standing, begun, standing_before, stopped
from inbond.cli.stopping import STOP_SECONDS, stopping_by_signal
from inbond.cli.tls import TLS, TlsInForce, checked, warnings_about
from inbond.gateway.coverage import Coverage
from inbond.gateway.overview_sums import OverviewSums
from inbond.gateway.reviewing import Look
from inbond.gateway.trust_standing import standing_of
from inbond.gateway.verifier_spare import Spare
from inbond.mirror.in_force import InForce, told
from inbond.model.acts import Act
from inbond.model.events import Did
from inbond.web.app import build_app
from inbond.web.behind import BEHIND, LEDGER, Behind
from inbond.web.desk import DESK, Desk
from inbond.web.operations import TOGETHER
from inbond.web.runner import Runner
from inbond.web.server_in_force import ServerInForce
from inbond.web.token_pages import SENT, Sent
from inbond.web.views import UPSTREAMS

# Once a stop is asked for, requests under way may take so long to finish. aiohttp waits for as long again where a
# client does not read what it is sent.
SHUTDOWN_SECONDS: Final = 15.0
UNSPECIFIED: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 (compared with, not bound to)
THIS_HOST: Final = "THIS-HOST"
USER: Final = "__token__"
log: Final = structlog.get_logger("inbond")


class Say(Protocol):
    """Tells whoever started this that it serves, and where."""

    async def __call__(self, up: Running, text: str, /) -> None:
        """`text`: for people."""
        ...


Reloads = Callable[[Running, web.Application], AbstractAsyncContextManager[None]]


async def serve_until_stopped(config: Config, spare: Spare, source: Source, loaded: Loaded, hang_ups: HangUps) -> None:
    """Serves until SIGINT or SIGTERM. Raises `OperatorFault` where it cannot start.

    `source`: of the configuration, and of others to come; `loaded`: this one as it was read.
    """
    stop = stopping_by_signal()

    async def say(up: Running, text: str) -> None:
        click.echo(text)
        await warn(up, config)

    @asynccontextmanager
    async def reloads(up: Running, app: web.Application) -> AsyncIterator[None]:
        alone = Alone(source, Reloading(source, loaded, config, up, app), up)
        signals = reloading_by_signal(hang_ups, alone.reload, stop)
        async with signals, controlled(config.storage.ledger_dir, alone.reload):
            yield

    standing = Standing.of(config, loaded)
    await serve_until(stop, config, say=say, standing=standing, spare=spare, reloads=reloads)


async def serve_until(
    stop: asyncio.Event,
    config: Config,
    *,
    say: Say,
    standing: Standing,
    spare: Spare | None = None,
    among: Among | None = None,
    sockets: Sequence[socket.socket] = (),
    reloads: Reloads | None = None,
) -> None:
    """Serves until then, and lets finish what is under way. Raises `OperatorFault` where it cannot start.

    `standing`: what the audit trail says of this configuration. `spare`: of a verifier process. `among`: the processes
    that this one is of. `sockets`: listening ones, instead of the configured address. `reloads`: how another
    configuration comes into force meanwhile, if it does.
    """
    config = replace(config, server=with_descriptors(config.server))
    async with running(config, among=among, spare=spare) as up:
        beside = [
            asyncio.create_task(up.metrics.watch_lag()),
            asyncio.create_task(collect_in_quiet(lambda: up.metrics.answers, lambda: up.metrics.under_way)),
        ]
        runner = await start(up, config, sockets=sockets)
        try:
            async with nullcontext() if reloads is None else reloads(up, runner.app):
                await say(up, announcement(up, config, runner, await up.imports.current()))
                keep_collections_short()
                await _tell_begun(up, address_of(runner), standing, among)
                await stop.wait()
        finally:
            for task in beside:
                task.cancel()
            _tell(up, stopped(up.gateway.clock()), among)
            log.info("stopping: requests and downloads under way may finish", seconds=STOP_SECONDS)
            await finish(up, runner, seconds=STOP_SECONDS)
    log.info("stopped")


async def _tell_begun(up: Running, address: str, standing: Standing, among: Among | None) -> None:
    before = await standing_before(up.parts.base.ledger)
    for act in begun(address, standing, before, up.gateway.clock()):
        _tell(up, act, among)


def _tell(up: Running, act: Act, among: Among | None) -> None:
    """Into the audit trail: once for several processes, by the first."""
    if among is None or among.peers.number == 1:
        up.gateway.observer(Did(act=act))


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
    tls = None if config.server.tls is None else await asyncio.to_thread(TlsInForce.of, config.server.tls)
    if tls is not None:
        up.checks["certificate"] = partial(checked, tls, up.gateway.clock)
        up.metrics.certificate(lambda: tls.certificate.not_after)
    app = build_app(
        up.gateway, ServerInForce(config.server), up.metrics, up.checks, up.imports, access=up.signing_in.access
    )
    if tls is not None:
        app[TLS] = tls
    app[UPSTREAMS] = up.upstream_urls
    app[LEDGER] = up.parts.base.ledger
    app[BEHIND] = _behind(up)
    app[SENT] = Sent()
    app[DESK] = Desk(
        ledger=up.parts.base.ledger,
        look=Look(indexes=up.gateway.indexes, pages=up.parts.base.pages, judge=up.parts.judge),
        configured=up.configured,
    )
    if up.together is not None:
        app[TOGETHER] = up.together
    runner = Runner(app, shutdown_timeout=shutdown_seconds, secured=tls)
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


def _behind(up: Running) -> Behind:
    base = up.parts.base
    return Behind(
        sums=OverviewSums(
            base.ledger, Coverage(base.pages, base.evidence, frozenset(base.upstreams)), up.gateway.clock
        ),
        sources=base.upstreams,
        answers=up.answers,
        roots=None if up.trust is None else partial(standing_of, up.trust),
    )


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
    scheme = "http" if config.server.tls is None else "https"
    origin = config.server.public_url or f"{scheme}://{_name_of(config, runner)}"
    offline = " offline: nothing is asked over the network" if config.offline else ""
    lines = [f"inbond {__version__} is serving{offline}"]
    for index in up.gateway.indexes.values():
        upstreams = ", ".join(_upstream(config, name, up.upstream_urls[name], imported) for name in index.upstreams)
        audit = " (only recording: " + ", ".join(sorted(index.policy.audit)) + ")" if index.policy.audit else ""
        lines.append(f"  {origin}/{index.prefix}simple/  <-  {upstreams}  policy {index.policy.name}{audit}")
        fed = [one for name in index.upstreams if (one := imported.upstream(name)) is not None]
        lines += [f"    {one.name}: {told(one)}" for one in fed]
    first = next(iter(up.gateway.indexes.values()))
    address = _with_token(f"{origin}/{first.prefix}simple/", anybody=config.access.indexes[first.name])
    lines += [
        f"  cache {_home(config.storage.cache_dir)}, ledger {_home(config.storage.ledger_dir)}",
        "",
        f"  pip install --index-url {address} sampleproject",
        f"  uv pip install --default-index {address} sampleproject",
        "",
        *_about_names(config),
    ]
    return "\n".join(lines)


def _with_token(address: str, *, anybody: bool) -> str:
    return address if anybody else address.replace("://", f"://{USER}:TOKEN@", 1)


async def warn(up: Running, config: Config) -> None:
    """Tells what is configured or imported, and not as it should be."""
    for warning in config.warnings:
        log.warning(warning)
    if config.server.tls is not None:
        for warning in await asyncio.to_thread(warnings_about, config.server.tls):
            log.warning(warning)
    access = up.signing_in.access
    for warning in await access_advice(config, access.sign_in.settings, access.tokens, up.gateway.clock):
        log.warning(warning, listen=str(config.server.listen))
    for warning in (*await up.imports.problems(), *await up.imports.advice()):
        log.warning(warning)


def _home(path: Path) -> str:
    with suppress(ValueError, RuntimeError):
        return f"~/{path.relative_to(Path.home())}"
    return str(path)

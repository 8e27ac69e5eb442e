"""One of several processes that serve; started, and started again, by `inbond.cli.workers`."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from inbond.cli.among import Among
from inbond.cli.compose import Running
from inbond.cli.config import Config, Loaded
from inbond.cli.leader import candidate
from inbond.cli.reload import Reloading
from inbond.cli.reload_source import Source
from inbond.cli.serve import serve_until, warn
from inbond.cli.started import Standing
from inbond.cli.stopping import stopping_by_signal
from inbond.cli.worker_place import Line, Serving, WorkerPlace
from inbond.cli.worker_reload import WorkerReload
from inbond.gateway.peers import Peers
from inbond.gateway.verifier_spare import Spare


async def serve_as_worker(config: Config, place: WorkerPlace, spare: Spare, source: Source, loaded: Loaded) -> None:
    """Serves until SIGINT, SIGTERM or the end of the supervisor. Raises `OperatorFault` where it cannot start.

    `source`: of the configuration, and of others to come; `loaded`: this one as it was read.
    """
    sockets = [_taken_over(descriptor) for descriptor in place.sockets]
    stop = stopping_by_signal()
    line = await Line.of(place.line)
    serving: asyncio.Future[WorkerReload] = asyncio.get_running_loop().create_future()
    following = asyncio.create_task(_follow(line, serving, stop))
    peers = Peers(directory=Path(place.directory), number=place.number, count=place.count)
    try:
        async with candidate(peers.directory) as leading:
            among = Among(peers=peers, leading=leading)

            async def say(up: Running, text: str) -> None:
                if place.number == 1:
                    await warn(up, config)
                await line.say(Serving(text))

            @asynccontextmanager
            async def reloads(up: Running, app: web.Application) -> AsyncIterator[None]:
                serving.set_result(WorkerReload(source, Reloading(source, loaded, config, up, app), up))
                yield

            await serve_until(
                stop,
                config,
                say=say,
                standing=Standing.of(config, loaded),
                spare=spare,
                among=among,
                sockets=sockets,
                reloads=reloads,
            )
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        line.close()
        for one in sockets:
            one.close()


def _taken_over(descriptor: int) -> socket.socket:
    os.set_inheritable(descriptor, False)  # noqa: FBT003 (positional only)
    return socket.socket(fileno=descriptor)


async def _follow(line: Line, serving: asyncio.Future[WorkerReload], stop: asyncio.Event) -> None:
    """Takes the supervisor's steps until that is gone."""
    try:
        async for step in line.steps():
            await line.answer(await (await serving).take(step))
    finally:
        stop.set()

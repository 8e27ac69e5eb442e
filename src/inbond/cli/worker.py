"""One of several processes that serve; started, and started again, by `inbond.cli.workers`."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

from inbond.cli.among import Among
from inbond.cli.compose import Running
from inbond.cli.config import Config
from inbond.cli.leader import candidate
from inbond.cli.serve import serve_until, warn
from inbond.cli.stopping import stopping_by_signal
from inbond.cli.worker_place import Line, Serving, WorkerPlace
from inbond.gateway.peers import Peers
from inbond.gateway.verifier_spare import Spare


async def serve_as_worker(config: Config, place: WorkerPlace, spare: Spare) -> None:
    """Serves until SIGINT, SIGTERM or the end of the supervisor. Raises `OperatorFault` where it cannot start."""
    sockets = [_taken_over(descriptor) for descriptor in place.sockets]
    stop = stopping_by_signal()
    line = await Line.of(place.line)
    orphaned = asyncio.create_task(_stop_after(line, stop))
    peers = Peers(directory=Path(place.directory), number=place.number, count=place.count)
    try:
        async with candidate(peers.directory) as leading:
            among = Among(peers=peers, leading=leading)

            async def say(up: Running, text: str) -> None:
                if place.number == 1:
                    await warn(up, config)
                await line.say(Serving(text))

            await serve_until(stop, config, among=among, sockets=sockets, say=say, spare=spare)
    finally:
        orphaned.cancel()
        await asyncio.gather(orphaned, return_exceptions=True)
        line.close()
        for one in sockets:
            one.close()


def _taken_over(descriptor: int) -> socket.socket:
    os.set_inheritable(descriptor, False)  # noqa: FBT003 (positional only)
    return socket.socket(fileno=descriptor)


async def _stop_after(line: Line, stop: asyncio.Event) -> None:
    await line.ended()
    stop.set()

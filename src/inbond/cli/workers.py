"""Several processes that serve one data directory, and the one that starts them: `[server] workers`.

The supervisor opens the sockets, which all workers take connections from, and serves nobody itself. Each worker is a
fresh interpreter. One that ends is started again, at once and then after pauses that grow; where none serves any more
and none can be started, the supervisor gives up. The first starts alone, so that a ledger is brought to this release
once.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click
import structlog

from inbond.cli.config import Config, Loaded
from inbond.cli.control import controlled
from inbond.cli.hang_ups import HangUps
from inbond.cli.listening import bound
from inbond.cli.reload_signal import reloading_by_signal
from inbond.cli.reload_source import Source
from inbond.cli.stopping import STOP_SECONDS, stopping_by_signal
from inbond.cli.worker_place import Serving, WorkerPlace, release
from inbond.cli.worker_process import COMMAND, WorkerProcess
from inbond.cli.workers_directory import workers_directory
from inbond.cli.workers_reload import WorkersConfiguration, WorkersReload
from inbond.model.errors import OperatorFault

FAILED_STARTS: Final = 5  # one after the other, while nobody serves
SPARE_SECONDS: Final = 5.0  # beyond what a worker takes to stop
log: Final = structlog.get_logger("inbond")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pauses:
    """Seconds before a worker is started again: the first after one that served for `settled`, then twice as many."""

    first: float = 0.1
    longest: float = 30.0
    settled: float = 10.0

    def after(self, failures: int) -> float:
        """Before the next start, after so many in a row that did not last."""
        return min(self.longest, self.first * 2.0 ** min(failures, 30))


PAUSES: Final = Pauses()


async def serve_by_workers(
    config: Config,
    arguments: Sequence[str],
    *,
    source: Source,
    raw: bytes | None,
    loaded: Loaded,
    hang_ups: HangUps,
    command: Sequence[str] = COMMAND,
    pauses: Pauses = PAUSES,
) -> None:
    """Serves until SIGINT or SIGTERM. Raises `OperatorFault` where it cannot start, or not go on.

    `arguments`: those of `inbond serve`, for each worker. `source`: of the configuration, and of others to come;
    `raw`, `loaded`: what its file held, and this one as it was read. `hang_ups`: since the start.
    """
    stop = stopping_by_signal()
    with ExitStack() as stack:
        sockets = [stack.enter_context(one) for one in await asyncio.to_thread(bound, config.server.listen)]
        directory = stack.enter_context(workers_directory(config.storage.ledger_dir))
        configuration = WorkersConfiguration(directory, source, raw, loaded)
        crew = Crew(
            config.server.workers,
            directory,
            sockets,
            arguments,
            configuration=configuration,
            command=command,
            pauses=pauses,
        )
        async with crew.serving(stop):
            reload = WorkersReload(configuration, crew).reload
            async with reloading_by_signal(hang_ups, reload, stop), controlled(config.storage.ledger_dir, reload):
                await _first_of(stop.wait(), crew.given_up())
            log.info("stopping: requests and downloads under way may finish", seconds=STOP_SECONDS)
    log.info("stopped")


class Crew:
    """The workers."""

    def __init__(
        self,
        count: int,
        directory: Path,
        sockets: Sequence[socket.socket],
        arguments: Sequence[str],
        *,
        configuration: WorkersConfiguration,
        command: Sequence[str],
        pauses: Pauses,
    ) -> None:
        self._count = count
        self._directory = directory
        self._sockets = sockets
        self._arguments = arguments
        self._configuration = configuration
        self._command = command
        self._pauses = pauses
        self._living: dict[int, WorkerProcess] = {}
        self._serving: set[int] = set()
        self._failed = 0  # starts in a row, of any
        self._stopping = False
        self._lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @asynccontextmanager
    async def serving(self, stop: asyncio.Event) -> AsyncIterator[None]:
        """Starts them, says where they serve, and starts them again; ends them in the end. Raises `OperatorFault`."""
        keeping: list[asyncio.Task[None]] = []
        try:
            started = await _first_of(self._started(), stop.wait())
            if isinstance(started, str):
                click.echo(started)
            keeping = [asyncio.create_task(self._keep(number)) for number in self._numbers]
            for task in keeping:
                task.add_done_callback(self._kept)
            yield
        finally:
            self._stopping = True
            await self._stop()
            for task in keeping:
                task.cancel()
            await asyncio.gather(*keeping, return_exceptions=True)

    @property
    def _numbers(self) -> range:
        return range(1, self._count + 1)

    @property
    def serving_now(self) -> dict[int, WorkerProcess]:
        """Those that serve, by number."""
        return {number: self._living[number] for number in sorted(self._serving)}

    @property
    def starting_now(self) -> dict[int, WorkerProcess]:
        """Those that have been started, and do not serve yet."""
        return {number: worker for number, worker in self._living.items() if number not in self._serving}

    async def _started(self) -> str:
        """All serve; what the first says of it. Raises `OperatorFault` where one does not."""
        first = await self._first_start(1)
        await asyncio.gather(*(self._first_start(number) for number in self._numbers[1:]))
        return first.announcement

    async def _first_start(self, number: int) -> Serving:
        serving = await self._start(number)
        if serving is None:
            how = await self._living[number].ended()
            raise OperatorFault(
                f"worker {number} of {self._count} cannot start ({how})",
                remedy="what is wrong stands above, in its own words",
            )
        return serving

    async def _start(self, number: int) -> Serving | None:
        def place(line: int) -> WorkerPlace:
            return WorkerPlace(
                number=number,
                count=self._count,
                directory=str(self._directory),
                sockets=[one.fileno() for one in self._sockets],
                line=line,
                fingerprint=self._configuration.fingerprint,
                release=release(),
                configuration=self._configuration.path,
            )

        try:
            async with self._configuration.lock:  # a reload under way ends first
                worker = await WorkerProcess.start(self._arguments, place, self._command)
                self._living[number] = worker
        except (OSError, RuntimeError) as error:  # RuntimeError: no thread can be started
            raise OperatorFault(f"worker {number} cannot be started: {error}") from error
        if self._stopping:
            worker.stop()
        serving = await worker.ready()
        if serving is not None:
            self._serving.add(number)
            self._failed = 0
        return serving

    async def _keep(self, number: int) -> None:
        """Starts it again whenever it has ended."""
        clock = asyncio.get_running_loop().time
        failures = 0
        while True:
            since = clock()
            how = await self._living[number].ended()
            if self._stopping:
                return
            lasted = number in self._serving and clock() - since >= self._pauses.settled
            failures = 0 if lasted else failures + (not self._living[number].is_superseded)
            self._living[number].is_superseded = False  # it counts once, also where none can be started after it
            self._serving.discard(number)
            pause = self._pauses.after(failures)
            log.error("a worker has ended; it is started again", number=number, how=how, seconds=pause)
            await asyncio.sleep(pause)
            await self._start_again(number)

    def _kept(self, keeping: asyncio.Task[None]) -> None:
        """What nobody foresaw ends all: a worker that nobody keeps would be missed by nobody."""
        error = None if keeping.cancelled() else keeping.exception()
        if error is not None and not self._lost.done():
            self._lost.set_exception(error)

    async def _start_again(self, number: int) -> None:
        try:
            serving = await self._start(number)
        except OperatorFault as error:
            log.error(error.message)  # noqa: TRY400 (a stack trace says no more)
            serving = None
        if serving is None and not self._living[number].is_superseded:
            self._failed += 1
            if not self._serving and self._failed >= FAILED_STARTS and not self._lost.done():
                self._lost.set_exception(
                    OperatorFault(
                        f"no worker serves any more, and {self._failed} starts in a row have failed",
                        remedy="what is wrong stands above, in the workers' own words",
                    )
                )

    async def given_up(self) -> None:
        """Raises `OperatorFault` once nobody serves, and nobody can be started."""
        await asyncio.shield(self._lost)

    async def _stop(self) -> None:
        """Has all finish what is under way; ends those that do not."""
        for worker in self._living.values():
            worker.stop()
        ending = [asyncio.create_task(worker.ended()) for worker in self._living.values()]
        if ending:
            _, late = await asyncio.wait(ending, timeout=STOP_SECONDS + SPARE_SECONDS)
            if late:
                log.error("workers that do not stop are ended", workers=len(late))
                for worker in self._living.values():
                    worker.kill()
            await asyncio.gather(*ending)


async def _first_of(*works: Coroutine[Any, Any, Any]) -> Any:
    """What the first to be done gives or raises; the others are cancelled."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return done.pop().result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

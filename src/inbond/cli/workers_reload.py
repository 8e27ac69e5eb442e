"""Reloads of several workers: all of them or none.

The supervisor keeps what the configuration's file held, and hands that to all, so that nobody reads another; what is
named in it, each reads by itself, and the digests of what they have read must be one. A worker that is being started
meanwhile is ended, and started by what is in force then; so is one that does not switch as it said it would.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

import structlog

from inbond.cli.config import Loaded
from inbond.cli.reload import refuse_what_needs_restart
from inbond.cli.reload_alone import unforeseen
from inbond.cli.reload_changes import digest_of
from inbond.cli.reload_outcome import Outcome
from inbond.cli.reload_source import Source
from inbond.cli.worker_process import WorkerProcess
from inbond.cli.worker_steps import Answer, CannotSwitch, CanSwitch, Done, Drop, Prepare, Step, Switch, Tell
from inbond.model.errors import InbondError, OperatorFault, StoreUnavailable

PREPARED_WITHIN: Final = 60.0  # seconds
SWITCHED_WITHIN: Final = 10.0  # seconds
_KEPT_MODE: Final = 0o600
log: Final = structlog.get_logger("inbond")


class WorkersConfiguration:
    """What all workers go by. Whoever holds `lock` may start one, or change it."""

    def __init__(self, directory: Path, source: Source, raw: bytes | None, loaded: Loaded) -> None:
        """`directory`: the workers'. `raw`: what the file held, None where there is none. Raises `StoreUnavailable`."""
        self._directory = directory
        self._number = 0
        self.source: Final = source
        self.lock = asyncio.Lock()
        self.loaded = loaded
        self.fingerprint = digest_of(loaded)
        self.path = self.kept(raw)

    def kept(self, raw: bytes | None) -> str:
        """A file of the workers' directory that holds it. Blocks. Raises `StoreUnavailable`."""
        if raw is None:
            return ""
        self._number += 1
        path = self._directory / f"configuration-{self._number}.toml"
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _KEPT_MODE)
            with os.fdopen(handle, "wb") as file:
                file.write(raw)
        except OSError as error:
            raise StoreUnavailable(f"{path} cannot be written: {error.strerror or error}") from error
        return str(path)

    def use(self, path: str, loaded: Loaded) -> None:
        """From now on workers are started by this one."""
        before, self.path, self.loaded, self.fingerprint = self.path, path, loaded, digest_of(loaded)
        self.forget(before)

    def forget(self, path: str) -> None:
        """Removes what was kept there, unless it is in force."""
        if path and path != self.path:
            with suppress(OSError):
                os.unlink(path)  # noqa: PTH108 (a text, as workers are given it)


class Workers(Protocol):
    """The workers, as a reload needs them: `inbond.cli.workers.Crew`."""

    @property
    def serving_now(self) -> Mapping[int, WorkerProcess]:
        """Those that serve, by number."""
        ...

    @property
    def starting_now(self) -> Mapping[int, WorkerProcess]:
        """Those that have been started, and do not serve yet."""
        ...


class WorkersReload:
    """One reload after the other."""

    def __init__(self, configuration: WorkersConfiguration, workers: Workers) -> None:
        self._configuration = configuration
        self._workers = workers
        self._one = asyncio.Lock()

    async def reload(self, by: str) -> Outcome:
        """Reads the configuration anew, and puts it in force in all workers unless something is wrong with it."""
        async with self._one:
            async with self._configuration.lock:
                outcome = await self._reloaded(by)
            await self._told(outcome)
        return outcome

    async def _reloaded(self, by: str) -> Outcome:
        path = ""
        try:
            source, configuration = self._configuration.source, self._configuration
            raw = await asyncio.to_thread(source.raw)
            path = await asyncio.to_thread(configuration.kept, raw)
            loaded = await asyncio.to_thread(source.load, raw)
            refuse_what_needs_restart(configuration.loaded, loaded)
            ready = await self._prepared(path)
            self._supersede_starting(ready)
            count = await self._switched(ready.digest)
            configuration.use(path, loaded)
            return Outcome.of(by, ready.changes, workers=count, warnings=ready.warnings)
        except InbondError as error:
            self._configuration.forget(path)
            return Outcome.refused(by, error)
        except Exception as error:  # whatever it is, the old configuration stays
            log.exception("the configuration could not be reloaded")
            self._configuration.forget(path)
            return Outcome.refused(by, unforeseen(error))

    async def _prepared(self, path: str) -> CanSwitch:
        """What all that serve have read. Raises `OperatorFault` where one cannot go by it; then none will."""
        answers = await self._asked(Prepare(path), PREPARED_WITHIN)
        try:
            return _agreed(answers)
        except OperatorFault:
            await self._asked(Drop(), SWITCHED_WITHIN)
            raise

    def _supersede_starting(self, ready: CanSwitch) -> None:
        """Who is being started has read what was in force. Only once all have agreed: before, nothing may end."""
        if ready.changes.lines():
            for worker in self._workers.starting_now.values():
                worker.supersede()

    async def _switched(self, digest: str) -> int:
        """How many go by it now; who does not is ended, and started again by it."""
        answers = await self._asked(Switch(digest), SWITCHED_WITHIN)
        for number, worker in self._workers.serving_now.items():
            if not isinstance(answers.get(number), Done):
                log.error("a worker does not go by the new configuration; it is started again", number=number)
                worker.kill()
        return sum(isinstance(answer, Done) for answer in answers.values())

    async def _asked(self, step: Step, within: float) -> dict[int, Answer | None]:
        """What those that serve say; None of one that ended, or says nothing and is ended."""
        workers = dict(self._workers.serving_now)
        answers = await asyncio.gather(*(worker.ask(step, within) for worker in workers.values()))
        return dict(zip(workers, answers, strict=True))

    async def _told(self, outcome: Outcome) -> None:
        for worker in self._workers.serving_now.values():
            if await worker.ask(Tell(outcome), SWITCHED_WITHIN) is not None:
                return
        log.error("what came of a reload is not in the audit trail: no worker serves", outcome=outcome.outcome)


def _agreed(answers: Mapping[int, Answer | None]) -> CanSwitch:
    """What all have read. Raises `OperatorFault`."""
    ready: list[CanSwitch] = []
    for number, answer in answers.items():
        match answer:
            case CanSwitch():
                ready.append(answer)
            case CannotSwitch():
                raise OperatorFault(f"worker {number}: {answer.message}", remedy=answer.remedy)
            case _:
                raise OperatorFault(f"worker {number} has not answered; it is started again", remedy="reload once more")
    if not ready:
        raise OperatorFault("no worker serves just now", remedy="reload once they do; the log says why they do not")
    if len({one.digest for one in ready}) > 1:
        raise OperatorFault(
            "the workers have not read the same: a file that the configuration names was changed meanwhile",
            remedy="reload once it is written",
        )
    return ready[0]

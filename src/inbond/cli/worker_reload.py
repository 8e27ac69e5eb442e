"""Reloads in a worker: it takes the steps that its supervisor has it take."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import assert_never

from inbond.cli.compose import Running
from inbond.cli.reload import Prepared, Reloading
from inbond.cli.reload_alone import prepared_or_refused
from inbond.cli.reload_outcome import tell
from inbond.cli.reload_source import Source
from inbond.cli.worker_steps import Answer, CannotSwitch, CanSwitch, Done, Drop, Prepare, Step, Switch, Tell
from inbond.model.errors import InbondError


class WorkerReload:
    """What this worker has prepared, if anything."""

    def __init__(self, source: Source, reloading: Reloading, up: Running) -> None:
        self._source = source
        self._reloading = reloading
        self._up = up
        self._prepared: Prepared | None = None

    async def take(self, step: Step) -> Answer:
        """Takes a step."""
        match step:
            case Prepare():
                return await self._prepare(step.path)
            case Switch():
                return self._switch(step.digest)
            case Drop():
                self._prepared = None
            case Tell():
                tell(step.outcome, self._up.gateway.observer, self._up.metrics, self._up.gateway.clock())
            case _:
                assert_never(step)
        return Done()

    async def _prepare(self, path: str) -> Answer:
        self._prepared = None
        try:
            raw = await asyncio.to_thread(Path(path).read_bytes) if path else None
        except OSError as error:
            return CannotSwitch(f"the kept configuration cannot be read: {error.strerror or error}", None)
        prepared = await prepared_or_refused(self._source, self._reloading, raw)
        if isinstance(prepared, InbondError):
            return CannotSwitch(prepared.message, prepared.remedy)
        self._prepared = prepared
        return CanSwitch(prepared.digest, prepared.changes, prepared.warnings)

    def _switch(self, digest: str) -> Answer:
        prepared, self._prepared = self._prepared, None
        if prepared is None or prepared.digest != digest:
            return CannotSwitch("nothing like that is prepared", None)
        self._reloading.switch(prepared)
        return Done()

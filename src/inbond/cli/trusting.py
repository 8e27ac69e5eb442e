"""The verifier with its trusted roots, built from the configuration: for serving, and for commands without a server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import NoReturn

from inbond.cli.config import Config
from inbond.cli.logs import log_alerts
from inbond.cli.trust_sources import max_ages, sources, trust_by_upstream, trust_dir
from inbond.gateway.clock import Clock, utc_now
from inbond.gateway.leading import Leading
from inbond.gateway.on_demand import VerifierOnDemand
from inbond.gateway.trust import RootSource
from inbond.gateway.trust_age import worded
from inbond.gateway.trust_keeper import POLL_EVERY, TrustKeeper
from inbond.gateway.trust_update import AutoSource
from inbond.gateway.verifier_spare import Spare
from inbond.model.events import Alert, Observer
from inbond.web.operations import Check


@asynccontextmanager
async def trusting(
    config: Config,
    *,
    clock: Clock,
    observer: Observer,
    poll_every: float = POLL_EVERY,
    leading: Leading | None = None,
    spare: Spare | None = None,
) -> AsyncIterator[TrustKeeper]:
    """Starts it, and closes it. Raises `OperatorFault`.

    `leading`: of several processes, only the one that leads keeps roots fresh; the others take up what it keeps.
    `spare`: of a verifier process that was begun before.
    """
    leading = leading or Leading()
    used = sources(config, clock=clock, observer=observer)
    keeper = _keeper(config, used, clock=clock, observer=observer, poll_every=poll_every, spare=spare)
    refreshing: list[asyncio.Task[NoReturn]] = []
    try:
        await keeper.start()
        for source in used:
            if isinstance(source, AutoSource):
                task = asyncio.create_task(_keep_fresh(source, leading), name=source.name)
                task.add_done_callback(partial(_tell_end, observer))
                refreshing.append(task)
        yield keeper
    finally:
        for task in refreshing:
            task.cancel()
        await asyncio.gather(*refreshing, return_exceptions=True)
        await keeper.aclose()


async def _keep_fresh(source: AutoSource, leading: Leading) -> NoReturn:
    await leading.begun()
    await source.keep_fresh()


async def verifier_on_demand(config: Config, *, clock: Clock = utc_now) -> VerifierOnDemand:
    """One that starts only where something has to be verified; close it. Raises `OperatorFault`."""
    used = sources(config, clock=clock, observer=log_alerts)
    return await VerifierOnDemand.open(_keeper(config, used, clock=clock, observer=log_alerts))


def _tell_end(observer: Observer, task: asyncio.Task[NoReturn]) -> None:
    """Nobody waits for a task that keeps a root fresh: if it ends by itself, that must not go unheard."""
    if not task.cancelled() and (error := task.exception()) is not None:
        told = f"the trusted root of [trust.{task.get_name()}] is not refreshed until inbond is restarted: {error!r}"
        observer(Alert(name="trusted-root-not-refreshed", message=told))


def checks_of(keeper: TrustKeeper) -> dict[str, Callable[[], Awaitable[Check]]]:
    """What readiness asks: whether anything can be verified, and whether the roots are as they should be."""

    async def verifying() -> Check:
        process = keeper.process
        if process.failing:
            return Check(problem="the verifier process keeps ending; nothing can be verified")
        if process.alive:
            return Check()
        return Check(advice="the verifier process has ended; it is started again for the next file to verify")

    async def trusted() -> Check:
        said = [status.problem for status in keeper.scopes()]
        said += [source.advice() for source in keeper.sources if isinstance(source, AutoSource)]
        ages = await keeper.ages.look()
        said += [worded(name, aged) for name, aged in ages.items() if aged.said is not None and not aged.failing]
        failing = [worded(name, aged) for name, aged in ages.items() if aged.failing]
        return Check(problem="; ".join(failing) or None, advice="; ".join(filter(None, said)) or None)

    return {"verifier": verifying, "trust": trusted}


def _keeper(
    config: Config,
    used: Iterable[RootSource],
    *,
    clock: Clock,
    observer: Observer,
    poll_every: float = POLL_EVERY,
    spare: Spare | None = None,
) -> TrustKeeper:
    return TrustKeeper(
        used,
        trust_by_upstream=trust_by_upstream(config),
        directory=trust_dir(config),
        clock=clock,
        observer=observer,
        poll_every=poll_every,
        max_ages=max_ages(config),
        spare=spare,
    )

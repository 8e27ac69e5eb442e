"""Tells webhooks what the ledger's outbox holds, each on its own: a slow one delays neither others nor serving.

A delivery is claimed, tried, and removed once it arrived; what failed is tried again after a time that doubles, with
some chance in it, for a day. Everything is in the ledger, so a restart forgets nothing; a process that is killed in an
attempt leaves a claim that ends by itself, and the message may arrive twice under one id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import SystemRandom
from typing import Final, assert_never

from inbond.model.errors import StoreUnavailable
from inbond.model.events import Alert, Event, Observer, Recorded, WebhookTried
from inbond.store.protocols import Delivery, Outbox
from inbond.webhooks.message import Message
from inbond.webhooks.sending import Arrived, Failed, Sender, Unwanted
from inbond.webhooks.settings import WebhookSettings

GIVE_UP_AFTER: Final = timedelta(hours=24)
LEASE: Final = timedelta(minutes=2)  # longer than an attempt takes


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Seconds: between attempts, the first and the longest wait; and how often the outbox is looked into.

    What another process wrote is told at the next look. `pause`: a receiver that failed is left alone at most so long,
    whatever else there is to tell it.
    """

    first: float = 5.0
    longest: float = 3600.0
    pause: float = 60.0
    look: float = 2.0

    def after(self, attempts: int, chance: float) -> float:
        """The wait after so many attempts that failed: between half of it and all, by `chance` in [0, 1)."""
        return min(self.longest, self.first * 2.0 ** min(attempts - 1, 30)) * (0.5 + chance / 2)


PATIENCE: Final = Patience()
_CHANCE: Final = SystemRandom().random


class Teller:
    """Tells one webhook. `start` it on the event loop, close it with `aclose`."""

    def __init__(
        self,
        settings: WebhookSettings,
        sender: Sender,
        outbox: Outbox,
        observer: Observer,
        *,
        clock: Callable[[], datetime],
        chance: Callable[[], float],
        patience: Patience,
    ) -> None:
        self._settings = settings
        self._sender = sender
        self._outbox = outbox
        self._observer = observer
        self._clock = clock
        self._chance = chance
        self._patience = patience
        self._wake = asyncio.Event()
        self._failures = 0  # one after the other
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to tell."""
        self._task = asyncio.create_task(self._tell_on())

    def wake(self) -> None:
        """Something may be due."""
        self._wake.set()

    async def aclose(self) -> None:
        """Ends an attempt under way; what was not confirmed is tried again after the next start."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self._sender.aclose()

    async def _tell_on(self) -> None:
        while True:
            try:
                found = await self._tell_next()
            except StoreUnavailable:  # has alerted
                await asyncio.sleep(self._patience.pause)
                continue
            except Exception as error:  # noqa: BLE001 (a webhook that has ended would be noticed by nobody)
                message = f"webhook {self._settings.name} could not be told, and is tried again"
                self._observer(Alert(name="webhook-failing", message=f"{message} ({type(error).__name__})"))
                await asyncio.sleep(self._patience.pause)
                continue
            if not found:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), self._patience.look)
                self._wake.clear()

    async def _tell_next(self) -> bool:
        """Tries the delivery that is due first; whether there was one."""
        claimed = await self._outbox.claim_deliveries(
            self._settings.name, self._settings.kinds, now=self._clock(), lease=LEASE, at_most=1
        )
        for delivery in claimed:
            await self._try(delivery)
        return bool(claimed)

    async def _try(self, delivery: Delivery) -> None:
        if delivery.attempts and self._clock() - delivery.since >= GIVE_UP_AFTER:
            await self._give_up(delivery, f"it could not be delivered in {GIVE_UP_AFTER // timedelta(hours=1)} h")
            return
        answer = await self._sender.send(Message.of(delivery.occurrence))
        self._observer(WebhookTried(webhook=self._settings.name, outcome=_OUTCOMES[type(answer)]))
        match answer:
            case Arrived():
                self._failures = 0
                await self._outbox.settle_delivery(self._settings.name, delivery.number)
            case Unwanted(reason=reason):
                self._failures = 0
                await self._give_up(delivery, reason)
            case Failed():
                await self._postpone(delivery, answer)
            case _:
                assert_never(answer)

    async def _postpone(self, delivery: Delivery, failed: Failed) -> None:
        self._failures += 1
        if self._failures == 1:
            message = f"webhook {self._settings.name} does not work: {failed.reason}; it is tried again"
            self._observer(Alert(name="webhook-failing", message=message))
        wait = max(
            timedelta(seconds=self._patience.after(delivery.attempts + 1, self._chance())),
            failed.wait,
        )
        await self._outbox.postpone_delivery(self._settings.name, delivery.number, until=self._clock() + wait)
        pause = min(self._patience.after(self._failures, self._chance()), self._patience.pause)
        await asyncio.sleep(max(pause, failed.wait.total_seconds()))

    async def _give_up(self, delivery: Delivery, reason: str) -> None:
        message = f"webhook {self._settings.name} was not told of {delivery.occurrence.key}: {reason}"
        self._observer(Alert(name="webhook-gave-up", message=message))
        await self._outbox.settle_delivery(self._settings.name, delivery.number)


_OUTCOMES: Final = {Arrived: "arrived", Failed: "failed", Unwanted: "unwanted"}


class Tellers:
    """All webhooks. An observer: what is new in the ledger is told at once. Close it with `aclose`.

    `observer` hears what becomes of attempts; `chance` gives numbers in [0, 1).
    """

    def __init__(
        self,
        webhooks: Sequence[WebhookSettings],
        observer: Observer,
        *,
        clock: Callable[[], datetime],
        user_agent: str,
        chance: Callable[[], float] = _CHANCE,
        patience: Patience = PATIENCE,
    ) -> None:
        self._webhooks = webhooks
        self._observer = observer
        self._clock = clock
        self._user_agent = user_agent
        self._chance = chance
        self._patience = patience
        self._tellers: list[Teller] = []

    async def start(self, outbox: Outbox) -> None:
        """Enrols the webhooks, and begins to tell. Raises `StoreUnavailable`."""
        await outbox.enrol_webhooks([one.name for one in self._webhooks])
        self._tellers = [self._teller(one, outbox) for one in self._webhooks]
        for teller in self._tellers:
            teller.start()

    def _teller(self, settings: WebhookSettings, outbox: Outbox) -> Teller:
        return Teller(
            settings,
            Sender(settings, clock=self._clock, user_agent=self._user_agent),
            outbox,
            self._observer,
            clock=self._clock,
            chance=self._chance,
            patience=self._patience,
        )

    def __call__(self, event: Event) -> None:
        """Wakes all of them when something happened."""
        if isinstance(event, Recorded):
            for teller in self._tellers:
                teller.wake()

    async def aclose(self) -> None:
        """Ends them all."""
        await asyncio.gather(*(teller.aclose() for teller in self._tellers))

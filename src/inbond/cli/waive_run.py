"""What `inbond waive` does: from words to a waiver, and from a waiver to what it lifts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from inbond.cli.config import Config
from inbond.cli.deciding import author, decide, opened
from inbond.cli.review_kept import Lifted, lifted_by
from inbond.gateway.clock import Clock, utc_now
from inbond.gateway.deciding import Made
from inbond.model.decisions import Target, Waiver
from inbond.model.errors import ConfigurationError
from inbond.model.meant import did_you_mean
from inbond.policy.decision_words import UnusableEnd, parse_reason, parse_until, parse_waived_rule

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What stood on the command line."""

    target: str
    rule: str
    until: str
    reason: str
    index: str | None
    by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """The waiver, as it was made, and what it lifts by the pages that are kept."""

    waiver: Waiver
    made: Made
    lifted: Lifted


async def add(config: Config, asked: Asked, *, clock: Clock = utc_now) -> Added:
    """Puts the waiver in force. Raises `ConfigurationError`, `OperatorFault` and `StoreUnavailable`."""
    now = clock()
    waiver = Waiver(
        target=read("TARGET", Target.parse, asked.target),
        rule=read("--rule", parse_waived_rule, asked.rule),
        until=until_of(asked.until, now),
        reason=read("--reason", parse_reason, asked.reason),
        by=author(asked.by),
        at=now,
        index=index_of(config, asked.index),
    )
    async with opened(config) as ledger:
        (made,) = await decide(ledger, [waiver], now=now)
    return Added(waiver=waiver, made=made, lifted=await lifted_by(config, waiver))


def read(name: str, parse: Callable[[str], T], text: str) -> T:
    """An argument or option; `name` is how it is called. Raises `ConfigurationError`."""
    try:
        return parse(text)
    except ValueError as error:
        raise ConfigurationError(f"{name}: {error}") from error


def until_of(text: str, now: datetime) -> datetime:
    """When a waiver ends: a date, a time, or a length from now, to the second. Raises `ConfigurationError`."""
    try:
        return parse_until(text, now)
    except ValueError as error:
        remedy = error.remedy if isinstance(error, UnusableEnd) else None
        raise ConfigurationError(f"--until: {error}", remedy=remedy) from error


def index_of(config: Config, name: str | None) -> str | None:
    """The index that is meant, None for all. Raises `ConfigurationError` for one that there is not."""
    known = [index.name for index in config.indexes]
    if name is not None and name not in known:
        raise ConfigurationError(f"--index: there is no index {name!r}{did_you_mean(name, known)}")
    return name

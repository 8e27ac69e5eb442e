"""What `inbond waive` does: from words to a waiver, and from a waiver to what it lifts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

from inbond.cli.config import Config
from inbond.cli.config_fields import did_you_mean
from inbond.cli.deciding import Made, author, decide, opened
from inbond.cli.decision_fields import parse_reason, parse_waived_rule
from inbond.cli.review_kept import Lifted, lifted_by
from inbond.gateway.clock import Clock, utc_now
from inbond.model.decisions import Target, Waiver
from inbond.model.errors import ConfigurationError
from inbond.model.units import format_duration, parse_duration, parse_moment
from inbond.policy.rule import stamp
from inbond.policy.waiving import MAX_WAIVED

T = TypeVar("T")
_SECOND: Final = timedelta(seconds=1)


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
    until = read("--until", lambda given: _moment(given, now), text)
    if until <= now:
        raise ConfigurationError(
            f"--until: {stamp(until)} is past", remedy="name a time to come, or a length such as '7d'"
        )
    if until - now > MAX_WAIVED:
        longest = format_duration(MAX_WAIVED)
        raise ConfigurationError(
            f"--until: {stamp(until)} is more than {longest} away",
            remedy="what shall stay so belongs into the policy, as in [[policies.NAME.rules]]",
        )
    return until


def index_of(config: Config, name: str | None) -> str | None:
    """The index that is meant, None for all. Raises `ConfigurationError` for one that there is not."""
    known = [index.name for index in config.indexes]
    if name is not None and name not in known:
        raise ConfigurationError(f"--index: there is no index {name!r}{did_you_mean(name, known)}")
    return name


def _moment(text: str, now: datetime) -> datetime:
    try:
        length = parse_duration(text)
    except ValueError:
        if not text[:4].isdecimal():
            raise ValueError(f"{text!r} is no time: write a length, '7d', or a date, '2026-12-01'") from None
        return parse_moment(text)
    until = (now + length).replace(microsecond=0)
    return until + _SECOND if length and now.microsecond else until

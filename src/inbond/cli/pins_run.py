"""What `inbond pins` does: accepting a publisher, and carrying pins from one ledger to another by a file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from inbond.cli.config import Config
from inbond.cli.config_decisions import decisions_in
from inbond.cli.config_file import read_file
from inbond.cli.config_model import DecisionsFile
from inbond.cli.config_problems import missing_in, problems_in, refuse
from inbond.cli.deciding import author, decide, listed, opened
from inbond.cli.decisions_toml import dumps
from inbond.cli.review_kept import looking_at_kept
from inbond.cli.waive_run import read
from inbond.cli.whole_files import write_whole
from inbond.gateway.clock import Clock, utc_now
from inbond.gateway.deciding import Made
from inbond.gateway.reviewing import unknown_publisher
from inbond.model.decisions import Pin, Source
from inbond.model.errors import ConfigurationError, InbondError
from inbond.model.names import ProjectName
from inbond.model.publisher import PublisherPattern
from inbond.policy.decision_words import parse_reason, parse_repository_id


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedPin:
    """What stood on the command line."""

    project: str
    publisher: str
    repository_id: str | None
    reason: str | None
    by: str | None


async def accept(config: Config, asked: AskedPin, *, clock: Clock = utc_now) -> Made:
    """Puts the pin in force. Raises `ConfigurationError`, `OperatorFault` and `StoreUnavailable`."""
    now = clock()
    pin = Pin(
        project=read("PROJECT", ProjectName, asked.project),
        publisher=read("PUBLISHER", PublisherPattern.parse, asked.publisher),
        repository_id=read("--repository-id", parse_repository_id, asked.repository_id)
        if asked.repository_id
        else None,
        reason=read("--reason", parse_reason, asked.reason) if asked.reason else "",
        by=author(asked.by),
        at=now,
    )
    async with opened(config) as ledger:
        (made,) = await decide(ledger, [pin], now=now)
    return made if made.warnings else replace(made, warnings=await _nobody_known(config, pin))


async def _nobody_known(config: Config, pin: Pin) -> tuple[str, ...]:
    try:
        async with looking_at_kept(config) as look:
            return await unknown_publisher(look, pin)
    except InbondError:  # the pin is in force all the same
        return ()


async def exported(config: Config) -> str:
    """All pins in force as a file. Raises `OperatorFault` and `StoreUnavailable`."""
    return dumps(pin for pin, _ in await listed(config, Pin))


async def taken_in(config: Config, file: Path, *, clock: Clock = utc_now) -> tuple[Made, ...]:
    """Puts a file's pins in force. Raises `ConfigurationError`, and then none is; `StoreUnavailable`."""
    pins = _pins_in(file)
    async with opened(config) as ledger:
        return await decide(ledger, pins, now=clock())


def write(file: Path, text: str) -> None:
    """Writes a file whole or not at all. Raises `OperatorFault`.

    Raises `ConfigurationError` for a file that is there and holds something else than pins.
    """
    if file.is_file():
        _pins_in(file)
    write_whole(file, text.encode())


def _pins_in(file: Path) -> list[Pin]:
    layer = read_file(file)
    refuse([*problems_in(layer, DecisionsFile), *missing_in(layer.values, [layer], DecisionsFile)])
    found = decisions_in(DecisionsFile.model_validate(layer.values), Source.LEDGER)
    pins = [one for one in found if isinstance(one, Pin)]
    if len(pins) < len(found):
        raise ConfigurationError(
            f"{file}: holds other decisions than pins",
            remedy="keep pins in a file of their own; `decisions.files` of the configuration may name several",
        )
    return list({pin.id: pin for pin in pins}.values())

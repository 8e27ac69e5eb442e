"""Attacks on bundles, brought to an inbond that has imported the genuine one before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from bundles.attack import Attack
from bundles.attacks import ALL, GENUINE
from bundles.attacks_on_the_meaning import MEANING
from bundles.support import CREATED, TRUSTED
from inbond.cli import bundle_text
from inbond.model.decisions import Pin
from inbond.model.errors import InvalidBundle
from inbond.model.imports import Import
from mirror.carrying import Receiver
from stack import SetClock


class AtNoon(SetClock):
    """An hour after the genuine bundle was made, whatever the time."""

    def __call__(self) -> datetime:
        return CREATED + timedelta(hours=1) + self.ahead


@dataclass(frozen=True)
class State:
    """What is in force and what lies in the mirror's directory."""

    imports: tuple[Import, ...]
    pins: frozenset[str]
    files: frozenset[str]


@dataclass(frozen=True)
class Outcome:
    """What an attack comes to. `said`: of the bundle, or of the files left out; None where all of it is taken."""

    said: str | None
    taken: frozenset[str]  # digests of files
    before: State
    after: State


@dataclass(frozen=True)
class Target:
    """What is attacked."""

    far: Receiver

    async def meets(self, attack: Attack) -> Outcome:
        bundle = self.far.place / "attack.bundle"
        bundle.write_bytes(attack.make(GENUINE))
        before, taken = await self.state(), frozenset[str]()
        try:
            done = await self.far.take(bundle, keys=TRUSTED)
            taken = frozenset(file.sha256 for file in done.taken)
            left = [f"{file.filename} is left out: {file.reason}" for file in done.refused]
            stays = [line for line in bundle_text.brought(done.brought) if line.startswith("not replaced: ")]
            said = "; ".join([*left, *stays]) or None
        except InvalidBundle as error:
            said = error.message
        return Outcome(said, taken, before, await self.state())

    async def state(self) -> State:
        mirror = self.far.place / "data" / "mirror"
        files = frozenset(str(path.relative_to(mirror)) for path in mirror.rglob("*") if path.is_file())
        pins = frozenset(one.id for one in await self.far.decisions() if isinstance(one, Pin))
        return State(await self.far.imports(), pins, files)


async def target(place: Path) -> Target:
    """A new one, behind the genuine bundle."""
    far = Receiver(place, clock=AtNoon())
    bundle = place / "genuine.bundle"
    bundle.write_bytes(GENUINE.content)
    done = await far.take(bundle, keys=TRUSTED)
    assert not done.refused, [file.reason for file in done.refused]
    return Target(far)


async def tried(scratch: Path) -> dict[str, Outcome]:
    """All attacks, by their ids. Those on the form come to one inbond after the other, as none may change it."""
    one = await target(scratch / "far")
    return {
        attack.id: await (one if attack not in MEANING.all else await target(scratch / attack.id)).meets(attack)
        for attack in ALL
    }

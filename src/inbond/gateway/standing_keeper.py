"""What stands about each project, current at every call: decisions, advisories and established repositories.

It is asked before every verdict and every page on the event loop, so nothing here waits. The ledger says in
microseconds whether decisions or repositories were written, by whichever process; only then are they read again, each
project's as it is asked about. Decisions of the configuration stand beside the ledger's; one in both counts once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

import msgspec

from inbond.gateway.advisories import KnownAdvisories
from inbond.gateway.lru import Lru
from inbond.model.decisions import Decided, Pin, Rejection, Waiver
from inbond.model.names import ProjectName
from inbond.model.standing import NOTHING_STANDS, Established, Standing
from inbond.store.protocols import StandingMemory

# Standings kept, counted in what each holds and one more.
MAX_STANDING: Final = 100_000

D = TypeVar("D", Waiver, Rejection, Pin)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """A standing, and the versions of configuration, ledger and advisories that it was made of."""

    basis: tuple[int, int, str]
    standing: Standing

    @property
    def weight(self) -> int:
        """What it holds, and one more."""
        one = self.standing
        return 1 + sum(map(len, (one.waivers, one.rejections, one.pins, one.advisories, one.established)))


class StandingKeeper:
    """`Standings` from the ledger, the configuration and the advisories. Raises `StoreUnavailable`.

    Where the ledger cannot be read nothing is served: a rejection that nobody sees would be none.
    """

    def __init__(self, memory: StandingMemory, *, configured: Iterable[Decided], advisories: KnownAdvisories) -> None:
        self._memory = memory
        self._configured = _by_project(configured)
        self._configuration = 0  # how often it was replaced
        self._advisories = advisories
        self._kept: Lru[tuple[str, ProjectName], _Kept] = Lru(MAX_STANDING, lambda kept: kept.weight)

    def of(self, upstream: str, project: ProjectName) -> Standing:
        """What stands at this moment."""
        # Read before what they are the versions of: what is written in between is seen at the next call.
        basis = (self._configuration, self._memory.decisions_version(), self._advisories.version)
        kept = self._kept.get((upstream, project))
        if kept is not None and kept.basis == basis:
            return kept.standing
        standing = self._made(upstream, project)
        if kept is not None and kept.standing.digest == standing.digest:
            standing = kept.standing  # what is kept under the digest shares its parts
        self._kept.put((upstream, project), _Kept(basis=basis, standing=standing))
        return standing

    def use(self, configured: Iterable[Decided]) -> None:
        """From now on these stand in the configuration."""
        self._configured = _by_project(configured)
        self._configuration += 1

    def _made(self, upstream: str, project: ProjectName) -> Standing:
        decided = [*self._configured.get(project, ()), *self._memory.decided_on(project)]
        standing = Standing(
            waivers=_each_once(decided, Waiver),
            rejections=_each_once(decided, Rejection),
            pins=_each_once(decided, Pin),
            advisories=self._advisories.of(project),
            established=self._memory.established_of(upstream, project),
        )
        if standing == NOTHING_STANDS:
            return NOTHING_STANDS
        return replace(standing, digest=_digest(standing, self._advisories.digest_of(project)))


def _by_project(configured: Iterable[Decided]) -> dict[ProjectName, list[Decided]]:
    found: dict[ProjectName, list[Decided]] = {}
    for decision in configured:
        found.setdefault(_project_of(decision), []).append(decision)
    return found


def _project_of(decision: Decided) -> ProjectName:
    return decision.project if isinstance(decision, Pin) else decision.target.project


def _each_once(decided: Iterable[Decided], kind: type[D]) -> tuple[D, ...]:
    """Those of a kind, ordered by id: the same on every replica. The configuration's come first, and stay."""
    found: dict[str, D] = {}
    for one in decided:
        if isinstance(one, kind):
            found.setdefault(one.id, one)
    return tuple(found[number] for number in sorted(found))


def _digest(standing: Standing, advisories: str) -> str:
    """A digest of all that a verdict or its explanation may show, and of nothing that only one replica knows."""
    decided: tuple[Decided, ...] = (*standing.waivers, *standing.rejections, *standing.pins)
    parts = {
        "decisions": [_plain(one) for one in decided],
        "advisories": advisories,
        "established": [_plain(one) for one in standing.established],
    }
    return hashlib.sha256(msgspec.json.encode(parts, order="deterministic")).hexdigest()


def _plain(one: Decided | Established) -> Any:
    return msgspec.to_builtins(one, enc_hook=str, order="deterministic")

"""The state of each scope: which root is in force, since when, and why its source's is not."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from types import MappingProxyType

from inbond.gateway.trust import RootSource, ScopeStatus
from inbond.gateway.trust_candidate import NotYet
from inbond.gateway.trust_files import KeptRoot, TrustFiles
from inbond.model.errors import ConfigurationError, InbondError, OperatorFault
from inbond.model.events import Alert, Observer
from inbond.model.trust import RootFacts, Trust, TrustScope


@dataclass(slots=True, kw_only=True)
class ScopeState:
    """One scope. `raw` is the root in force, or at a start what shall be."""

    source: RootSource
    raw: bytes
    since: datetime
    kept: KeptRoot | None  # the last good root
    untried: bool = False  # at a start: there is no last good root, and something to try this one on
    problem: str | None = None
    refused: str | None = None  # the digest of the candidate that was refused last
    again: datetime | None = None  # when that is worth another try; None: never

    @property
    def name(self) -> str:
        """The scope's name."""
        return self.source.name

    @property
    def candidate(self) -> bool:
        """Whether, at a start, the root must be tried first: it is another than the last good one."""
        return self.untried or (self.kept is not None and self.kept.raw != self.raw)

    def refuse(self, error: InbondError, observer: Observer, *, candidate: bytes | None) -> None:
        """Notes why the source's root is not in force; tells it once. `candidate`: None where there are no bytes.

        It is not tried again where the error is its own, a ConfigurationError; unless that is `NotYet`, then later.
        """
        final = candidate is not None and isinstance(error, ConfigurationError)
        digest = sha256(candidate).hexdigest() if final and candidate is not None else None
        self.again = error.again if isinstance(error, NotYet) else None
        staying = sha256(self.raw).hexdigest()[:16]
        problem = f"{error.message}; the trusted root {staying}… stays in force"
        if (problem, digest) != (self.problem, self.refused):
            remedy = "" if error.remedy is None else f" ({error.remedy})"
            observer(Alert(name="trusted-root-refused", message=f"{problem}{remedy}"))
        self.problem, self.refused = problem, digest

    def refuses(self, candidate: bytes, now: datetime) -> bool:
        """Whether these bytes were refused already, and are not worth another try now."""
        return self.refused == sha256(candidate).hexdigest() and (self.again is None or now < self.again)

    def fall_back(self, error: InbondError, observer: Observer) -> None:
        """At a start: the last good root instead. Raises the error, or an OperatorFault of it, where there is none."""
        if self.kept is None or not self.candidate:
            raise _untried(error, self.name) if self.untried else error
        candidate, self.raw, self.since = self.raw, self.kept.raw, self.kept.since
        self.refuse(error, observer, candidate=candidate)

    def accept(self, raw: bytes, now: datetime) -> None:
        """Takes a root into force."""
        self.raw, self.since = raw, now
        self.kept = KeptRoot(raw=raw, since=now, origin=self.source.origin)
        self.untried = False
        self.problem = self.refused = self.again = None

    def status(self, facts: RootFacts | None, now: datetime) -> ScopeStatus:
        """The scope as it stands. `facts`: of the root in force, None where no process has read it yet."""
        missing = None if facts is None else facts.missing_at(now)
        lacking = None if missing is None else f"[trust.{self.name}] no {missing} is in force now: nothing new verifies"
        return ScopeStatus(
            name=self.name,
            where=self.source.where,
            sha256=sha256(self.raw).hexdigest(),
            since=self.since,
            facts=facts,
            problem=self.problem or lacking,
        )


async def first_state(source: RootSource, files: TrustFiles, *, now: datetime, observer: Observer) -> ScopeState:
    """A scope at a start: its source's root, or the last good one. Raises OperatorFault where there is neither.

    One that came from another source is no last good one: who leaves a repository goes on trusting nothing of it.
    """
    found = await asyncio.to_thread(files.root, source.name)
    samples = await asyncio.to_thread(files.samples, source.name)
    try:
        raw = await source.read()
    except OperatorFault as error:
        kept = _same(found, source)
        if found is not None and kept is None:
            raise _left(error, source) from error
        if kept is None:
            raise
        state = ScopeState(source=source, raw=kept.raw, since=kept.since, kept=kept)
        state.refuse(error, observer, candidate=None)
        return state
    kept = _same(found, source)  # a source may say only then whose word its root is
    since = kept.since if kept is not None and kept.raw == raw else now
    untried = kept is None and (found is not None or bool(samples))
    return ScopeState(source=source, raw=raw, since=since, kept=kept, untried=untried)


def _same(found: KeptRoot | None, source: RootSource) -> KeptRoot | None:
    return found if found is not None and found.origin == source.origin else None


def _untried(error: InbondError, scope: str) -> OperatorFault:
    kind = ConfigurationError if isinstance(error, ConfigurationError) else OperatorFault
    way_out = f"if this root is right, remove trust/{scope}/samples in the ledger's directory: then it is not tried"
    remedy = way_out if error.remedy is None else f"{error.remedy}; {way_out}"
    return kind(f"{error.message}; there is no last good root of this source", remedy=remedy)


def _left(error: OperatorFault, source: RootSource) -> ConfigurationError:
    return ConfigurationError(
        f"{error.message}; the root of [trust.{source.name}] that was in force came from another source, and does not "
        "count any more",
        remedy=error.remedy,
    )


def trust_of_states(states: Mapping[str, ScopeState], by_upstream: Mapping[str, tuple[str, ...]]) -> Trust:
    """What the roots in force come to."""
    scopes = {
        name: TrustScope(name=name, root=state.raw, issuers=state.source.issuers) for name, state in states.items()
    }
    return Trust(scopes=MappingProxyType(scopes), by_upstream=by_upstream)

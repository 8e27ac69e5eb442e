"""The trusted roots as they stand in a server: each scope with its source, its age, and who trusts it."""

from __future__ import annotations

from dataclasses import dataclass

from inbond.gateway.trust import ScopeStatus
from inbond.gateway.trust_keeper import TrustKeeper
from inbond.model.aging import Aged


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeStanding:
    """One scope. `issuers`: empty where it vouches for the publishers that the public index knows.

    `aged`: the age of its source's root against the limit; None where it has none.
    """

    status: ScopeStatus
    issuers: tuple[str, ...]
    trusted_by: tuple[str, ...]
    aged: Aged | None


async def standing_of(keeper: TrustKeeper) -> tuple[ScopeStanding, ...]:
    """All scopes, in their order."""
    ages = await keeper.ages.look()
    issuers = {source.name: source.issuers for source in keeper.sources}
    return tuple(
        ScopeStanding(
            status=status,
            issuers=issuers[status.name],
            trusted_by=tuple(sorted(name for name, scopes in keeper.by_upstream.items() if status.name in scopes)),
            aged=ages.get(status.name),
        )
        for status in keeper.scopes()
    )

"""What pages for people read besides the gateway, by the keys of the application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from inbond.gateway.overview_sums import OverviewSums
from inbond.gateway.trust_standing import ScopeStanding
from inbond.gateway.upstream_answers import UpstreamAnswers
from inbond.store.ledger import Ledger
from inbond.upstream.source import Source

LEDGER: Final = web.AppKey("ledger", Ledger)
Roots = Callable[[], Awaitable[tuple[ScopeStanding, ...]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """Parts that only pages look into. `roots`: the trusted roots as they stand; None where nothing is verified."""

    sums: OverviewSums
    sources: Mapping[str, Source]
    answers: UpstreamAnswers
    roots: Roots | None = None


BEHIND: Final = web.AppKey("behind", Behind)

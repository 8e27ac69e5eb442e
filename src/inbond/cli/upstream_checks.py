"""What readiness says of upstreams that do not answer. It is advice: what the cache holds is served all the same."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from inbond.upstream.index import Upstream
from inbond.upstream.source import Source
from inbond.web.operations import Check


def upstream_checks(upstreams: Mapping[str, Source]) -> dict[str, Callable[[], Awaitable[Check]]]:
    """One check for all that are asked over the network; none where none is."""
    asked = {name: one for name, one in upstreams.items() if isinstance(one, Upstream)}

    async def check() -> Check:
        troubles = [f"{name}: {one.trouble}" for name, one in asked.items() if one.trouble is not None]
        return Check(advice="; ".join(troubles) or None)

    return {"upstreams": check} if asked else {}

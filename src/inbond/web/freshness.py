"""How a page, or the page that a file stands on, stands with its upstream, told in a header (docs/upstreams.md)."""

from __future__ import annotations

from typing import Final

# fresh, revalidating or stale: see `inbond.gateway.page_state.PageFreshness`.
FRESHNESS: Final = "Inbond-Freshness"

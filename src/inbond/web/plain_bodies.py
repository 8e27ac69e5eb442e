"""Bodies that are taken: those that come as they are, without a coding that would have to be undone first."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from inbond.web.connections import expect_nothing

_CODING: Final = "Content-Encoding"


def require_plain(request: web.Request) -> None:
    """Raises 415 for a body that is coded: what it would grow to nobody knows before (RFC 9110, section 15.5.16)."""
    coding = request.headers.get(_CODING, "").strip().lower()
    if coding not in {"", "identity"}:
        expect_nothing(request)
        raise web.HTTPUnsupportedMediaType(text=f"a body is taken without {_CODING}; send it as it is")

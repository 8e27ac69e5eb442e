"""Problem details (RFC 9457): every error that leaves is one of these, never cached, with its reason said twice.

Installers show the reason phrase (pip, uv, poetry, pdm over HTTP/1.1) or the body's title and detail (uv); hence both.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec
from aiohttp import web

CONTENT_TYPE: Final = "application/problem+json"
MAX_REASON_CHARS: Final = 199


def reason_line(text: str) -> str:
    """Text as a reason phrase may hold it: printable ASCII, one line, bounded."""
    line = " ".join(text.split())
    plain = line.encode("ascii", "replace").decode()
    plain = "".join(char if char.isprintable() else "?" for char in plain)
    return plain if len(plain) <= MAX_REASON_CHARS else plain[: MAX_REASON_CHARS - 3] + "..."


def problem(
    status: HTTPStatus,
    *,
    title: str,
    detail: str,
    reason: str | None = None,
    more: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """A response that explains itself. `more`: further members of the body."""
    body = {"title": title, "status": int(status), "detail": detail, **(more or {})}
    return web.Response(
        status=status,
        reason=reason_line(reason or title),
        body=msgspec.json.encode(body),
        headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store", **(headers or {})},
    )

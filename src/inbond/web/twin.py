"""Every page has a twin: the same facts as JSON, at the same address.

`Accept: application/json`, or `?format=json`, which wins. The template and the JSON are made from one value, so that
neither can say what the other does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec
from aiohttp import web

from inbond.model.errors import NotAcceptable
from inbond.simple.negotiate import preferred
from inbond.web.rendered import HEADERS, rendered

_HTML: Final = "text/html"
_JSON: Final = "application/json"
_FORMATS: Final = {"html": _HTML, "json": _JSON}

Facts = msgspec.Struct | Mapping[str, Any]


async def shown(
    request: web.Request, template: str, facts: Facts, *, status: int = HTTPStatus.OK, **more: Any
) -> web.Response:
    """The facts as JSON, or as a page: the template sees them as `facts`, and `more` besides (what forms need).

    Raises `NotAcceptable` for a `format` that there is not.
    """
    if wants_json(request):
        body = msgspec.json.encode(facts)
        return web.Response(status=status, body=body, headers={**HEADERS, "Content-Type": _JSON, "Vary": "Accept"})
    return rendered(request, template, status=status, facts=facts, **more)


def wants_json(request: web.Request) -> bool:
    """Whether the answer is to be JSON. Raises `NotAcceptable`."""
    asked = request.query.get("format")
    if asked is not None:
        if asked not in _FORMATS:
            raise NotAcceptable(
                f"format {asked[:80]!a} is not offered here", remedy="ask for ?format=json or ?format=html"
            )
        return _FORMATS[asked] == _JSON
    return preferred(request.headers.get("Accept"), (_HTML, _JSON)) == _JSON

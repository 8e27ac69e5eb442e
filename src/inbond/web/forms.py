"""What a write carries: the fields of a form, or JSON, within limits of size, number and time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web

from inbond.model.errors import Malformed
from inbond.web.connections import expect_nothing
from inbond.web.origin import SERVER
from inbond.web.plain_bodies import require_plain

MAX_BODY_BYTES: Final = 64 * 1024
MAX_FIELDS: Final = 64
FORM_TYPE: Final = "application/x-www-form-urlencoded"
JSON_TYPE: Final = "application/json"
_FORM: Final = web.RequestKey("form", dict[str, str])
_BODY: Final = web.RequestKey("body", bytes)


def is_form(request: web.Request) -> bool:
    """Whether a form comes, as browsers send them."""
    return request.content_type == FORM_TYPE


def is_json(request: web.Request) -> bool:
    """Whether JSON comes, as programs send it."""
    return request.content_type == JSON_TYPE


async def form_of(request: web.Request) -> Mapping[str, str]:
    """The fields of a form by name; of one that came several times the last. Raises `Malformed`."""
    if _FORM not in request:
        if not is_form(request):
            raise Malformed(f"a form is sent as {FORM_TYPE}", remedy=f"or send the same fields as {JSON_TYPE}")
        request[_FORM] = _fields(await body_of(request))
    fields: dict[str, str] = request[_FORM]
    return fields


async def json_of(request: web.Request) -> Mapping[str, Any]:
    """The members of a JSON object. Raises `Malformed`."""
    try:
        found = msgspec.json.decode(await body_of(request))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"this is not JSON: {error}") from error
    except RecursionError as error:
        raise Malformed("this JSON is nested too deeply") from error
    if not isinstance(found, dict):
        raise Malformed("a JSON object is wanted, with the fields of the form as its members")
    return found


async def body_of(request: web.Request) -> bytes:
    """All bytes of the body. Raises 413 for too many, 408 where they do not come, 415 for a coding."""
    if _BODY not in request:
        request[_BODY] = await _read(request)
    return request[_BODY]


async def _read(request: web.Request) -> bytes:
    require_plain(request)
    body = bytearray()
    try:
        async with asyncio.timeout(request.app[SERVER].limits.body_seconds):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    expect_nothing(request)
                    raise web.HTTPRequestEntityTooLarge(MAX_BODY_BYTES, len(body))
    except TimeoutError:
        expect_nothing(request)
        raise web.HTTPRequestTimeout(text="the body did not arrive in time") from None
    return bytes(body)


def _fields(body: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_FIELDS, encoding="utf-8", errors="strict"
        )
    except ValueError as error:
        raise Malformed(f"this is not a form: {error}", remedy=f"a form has at most {MAX_FIELDS} fields") from error
    return dict(pairs)

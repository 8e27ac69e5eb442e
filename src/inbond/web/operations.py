"""For those who run inbond: liveness, readiness with reasons, metrics."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import msgspec
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from inbond.mirror.in_force import ImportsKeeper
from inbond.web.access_log import METRICS


@dataclass(frozen=True, slots=True)
class Check:
    """One condition of readiness. `problem` is None where it holds; advice does not make unready."""

    problem: str | None = None
    advice: str | None = None


Checks = Mapping[str, Callable[[], Awaitable[Check]]]
CHECKS: Final = web.AppKey("checks", dict[str, Callable[[], Awaitable[Check]]])
IMPORTS: Final = web.AppKey("imports", ImportsKeeper)
_PLAIN: Final = {"Cache-Control": "no-store"}


async def live(_request: web.Request) -> web.Response:
    """`GET /-/live`: the process answers."""
    return web.json_response({"live": True}, headers=_PLAIN)


async def ready(request: web.Request) -> web.Response:
    """`GET /-/ready`: 200, or 503 with every reason."""
    results = {name: await check() for name, check in request.app[CHECKS].items()}
    problems = {name: result.problem for name, result in results.items() if result.problem is not None}
    advice = {name: result.advice for name, result in results.items() if result.advice is not None}
    body = {"ready": not problems, "checks": sorted(results), "problems": problems, "advice": advice}
    status = HTTPStatus.SERVICE_UNAVAILABLE if problems else HTTPStatus.OK
    return web.Response(status=status, body=msgspec.json.encode(body), content_type="application/json", headers=_PLAIN)


async def metrics(request: web.Request) -> web.Response:
    """`GET /metrics`."""
    await request.app[IMPORTS].known()  # a gauge cannot wait for it
    return web.Response(body=request.app[METRICS].exposition(), headers={**_PLAIN, "Content-Type": CONTENT_TYPE_LATEST})

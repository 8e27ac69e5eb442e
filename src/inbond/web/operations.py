"""For those who run inbond: liveness, readiness with reasons, metrics."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

import msgspec
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from inbond.access.roles import Role
from inbond.mirror.in_force import ImportsKeeper
from inbond.web.access import may
from inbond.web.access_log import METRICS
from inbond.web.readiness import Check, Checks, readiness
from inbond.web.together import Together

__all__ = ["CHECKS", "IMPORTS", "TOGETHER", "Check", "Checks", "live", "metrics", "ready"]

CHECKS: Final = web.AppKey("checks", dict[str, Callable[[], Awaitable[Check]]])
IMPORTS: Final = web.AppKey("imports", ImportsKeeper)
TOGETHER: Final = web.AppKey("together", Together)  # where several processes serve
_PLAIN: Final = {"Cache-Control": "no-store"}


async def live(_request: web.Request) -> web.Response:
    """`GET /-/live`: the process answers."""
    return web.json_response({"live": True}, headers=_PLAIN)


async def ready(request: web.Request) -> web.Response:
    """`GET /-/ready`: 200, or 503 with every reason; of all processes where there are several."""
    together = request.app.get(TOGETHER)
    checks = request.app[CHECKS]
    found = await readiness(checks) if together is None else await together.readiness()
    status = HTTPStatus.OK if found.ready else HTTPStatus.SERVICE_UNAVAILABLE
    if not may(request, Role.READER, None):  # the status is for every load balancer, the reasons are not
        return web.json_response({"ready": found.ready}, status=status, headers=_PLAIN)
    return web.Response(status=status, body=msgspec.json.encode(found), content_type="application/json", headers=_PLAIN)


async def metrics(request: web.Request) -> web.Response:
    """`GET /metrics`; of all processes where there are several."""
    together = request.app.get(TOGETHER)
    if together is None:
        await request.app[IMPORTS].known()  # a gauge cannot wait for it
        checks = request.app[CHECKS]
        request.app[METRICS].readiness(await readiness(checks))  # nor for this
    body = request.app[METRICS].exposition() if together is None else await together.metrics()
    return web.Response(body=body, headers={**_PLAIN, "Content-Type": CONTENT_TYPE_LATEST})

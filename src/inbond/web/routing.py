"""A route: its path, its handler, and what it needs of whoever asks. None is made without that."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from inbond.access.needs import Need, Open
from inbond.access.roles import Role

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
READING: Final = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A route. `reads`: that it changes nothing here, though it may be a POST, such as a question."""

    method: str
    path: str
    handler: Handler
    name: str
    need: Need
    reads: bool


def route(
    method: str,
    path: str,
    handler: Handler,
    *,
    name: str,
    need: Need,
    reads: bool | None = None,
    anonymous: bool = False,
) -> Route:
    """A route, which GET has for HEAD as well. Raises ValueError for a write that a mere reader could do.

    `reads`: by default what GET does, and nothing else. `anonymous`: that a write needs nobody, as to sign in.
    """
    reading = method in READING if reads is None else reads
    if not reading and not anonymous and (isinstance(need, Open) or not need.role.includes(Role.OPERATOR)):
        raise ValueError(f"route {name}: what writes needs a role above {Role.READER}")
    return Route(method=method, path=path, handler=handler, name=name, need=need, reads=reading)


ROUTES: Final = web.AppKey("routes", dict[str, Route])


def add_routes(app: web.Application, routes: Sequence[Route]) -> None:
    """Has the application answer them, and the guard know what each needs. Raises ValueError for a name taken twice."""
    known: dict[str, Route] = {}
    for one in routes:
        if one.name in known:
            raise ValueError(f"two routes are called {one.name}")
        known[one.name] = one
        if one.method == "GET":
            app.router.add_get(one.path, one.handler, name=one.name)
        else:
            app.router.add_route(one.method, one.path, one.handler, name=one.name)
    app[ROUTES] = known


def route_of(request: web.Request) -> Route | None:
    """The route that a request found; None for what matches none: 404 or 405."""
    return request.app[ROUTES].get(request.match_info.route.name or "")

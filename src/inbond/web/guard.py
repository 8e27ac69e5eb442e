"""In front of every route: who asks, and whether they may.

Nobody learns here what exists: an index that there is not is answered as one that may not be read. Credentials of ours
that are not in force are refused wherever something is needed; none at all are asked for only where they are needed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from aiohttp import web

from inbond.access import rules
from inbond.access.needs import Need, OfAnyIndex, OfIndex, Open
from inbond.access.settings import AccessSettings
from inbond.gateway.indexes import ROOT
from inbond.gateway.sign_in import NOBODY, NOTHING_OFFERED, By, Offered, Refused, SignedIn
from inbond.model.acts import Act, ActKind
from inbond.model.addresses import network_of
from inbond.model.errors import InbondError, NotSignedIn, StatementRefused, TooManyAttempts
from inbond.model.events import Did
from inbond.web.access import ACCESS, SIGNED_IN, Access, refusal, who
from inbond.web.access_again import Asked, GuardedAgain
from inbond.web.access_log import logged_path
from inbond.web.again import AGAIN
from inbond.web.context import note
from inbond.web.credentials import offered
from inbond.web.csrf import check_write, keep_form_cookie
from inbond.web.in_browser import is_opened_in_browser
from inbond.web.origin import client_of
from inbond.web.routing import Route, route_of

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
SIGN_IN_PATH: Final = "-/sign-in"
METRICS_ROUTE: Final = "metrics"
NEVER: Final = -1  # no version of the ledger
REMEDY: Final = "ask whoever runs this inbond for another token"
SAID: Final = {
    "mistyped": "this is no whole token: some of it was lost or changed on its way",
    "unknown": "no such token is known here",
    "expired": "this token has expired",
    "revoked": "this token was revoked",
}


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Lets the handler run where whoever asks may have it do so."""
    route = route_of(request)
    access = request.app[ACCESS]
    if route is None:
        if request.match_info.http_exception is None:  # it was added beside `add_routes`
            raise LookupError(f"the route of {request.method} {logged_path(request)} does not say what it needs")
        # Nothing is there, whoever asks.
        if is_opened_in_browser(request):  # for the page that says so
            request[SIGNED_IN] = _signed_in_or_not(access, offered(request, access.sign_in.settings.front))
        return await handler(request)
    settings = access.sign_in.settings
    asked, version = await _found(request, _need(route, settings), access)
    if not rules.meets(settings, asked.signed.principal, asked.need, asked.index):
        if _signs_in_first(request, asked.signed):
            return _to_sign_in(request)
        raise _refused(request, asked, access)
    if not route.reads:
        await check_write(request)
    response = await handler(request)
    if AGAIN in request:
        request[AGAIN] = GuardedAgain(
            request[AGAIN],
            asked,
            sign_in=access.sign_in,
            settings=settings,
            version=version,
            used=partial(_used, access, asked.signed),
        )
    keep_form_cookie(request, response)
    return response


def _need(route: Route, settings: AccessSettings) -> Need:
    """What a route needs; its own need, but for metrics that the configuration opens to whoever collects them."""
    return Open() if route.name == METRICS_ROUTE and settings.metrics_open else route.need


async def _found(request: web.Request, need: Need, access: Access) -> tuple[Asked, int]:
    """Who asks for what; and the version of what was written about tokens by then."""
    sign_in = access.sign_in
    brought = offered(request, sign_in.settings.front)
    # Read before what it is the version of: what is written in between is seen at the next request.
    version, signed = NEVER, NOBODY
    if isinstance(need, Open):
        signed = _signed_in_or_not(access, brought)
    elif brought is not NOTHING_OFFERED:
        version = sign_in.version
        signed = await _signed_in(request, access, brought)
    request[SIGNED_IN] = signed
    if name := who(request):
        note(request, who=name)
    _used(access, signed, client_of(request))
    index = request.match_info.get("index", ROOT)
    return Asked(offered=brought, signed=signed, need=need, index=index), version


def _signed_in_or_not(access: Access, brought: Offered) -> SignedIn:
    """Where nothing is needed nobody is refused, neither a probe nor the sign-in form, and nobody else is asked."""
    try:
        found = access.sign_in.at_once(brought)
    except InbondError:
        return NOBODY
    return found if isinstance(found, SignedIn) else NOBODY


async def _signed_in(request: web.Request, access: Access, brought: Offered) -> SignedIn:
    """Raises `NotSignedIn`, `TooManyAttempts`, `UpstreamFault` and `StoreUnavailable`."""
    try:
        found = await access.sign_in.who(brought)
    except NotSignedIn as error:
        why = error.detail if isinstance(error, StatementRefused) else error.message
        raise failed(request, access, why, error) from error
    if isinstance(found, Refused):
        raise failed(request, access, SAID[found.why], None, token=found.token)
    return found


def failed(
    request: web.Request, access: Access, why: str, error: NotSignedIn | None = None, *, token: str | None = None
) -> InbondError:
    """Counts credentials that are not in force, and tells of them; what is answered."""
    client = client_of(request)
    places = [network_of(client), *([] if token is None else [token])]
    counted = [access.attempts.failed(place) for place in places]
    logged, by = all(one.tell for one in counted), token or "anonymous"
    _tell(request, access, ActKind.SIGN_IN_FAILED, by=by, message=f"sign-in failed: {why}", logged=logged)
    waits = [one.wait for one in counted if one.wait is not None]
    if waits:
        return TooManyAttempts(
            "too many credentials that are not in force came from here",
            seconds=max(waits),
            remedy="whoever sends them should stop; those that are in force are answered all the same",
        )
    return error or NotSignedIn(f"sign-in failed: {why}", remedy=REMEDY)


def _refused(request: web.Request, asked: Asked, access: Access) -> InbondError:
    """What is said to whoever may not have it."""
    if asked.signed.unknown:
        return failed(request, access, asked.signed.unknown)
    need = asked.need
    assert not isinstance(need, Open)  # which everybody meets
    if asked.signed.by is not By.NOTHING:
        logged = access.attempts.failed(f"refused {who(request)}").tell
        _tell(
            request,
            access,
            ActKind.REFUSED,
            by=who(request),
            message=f"{request.method} {logged_path(request)} was refused: it needs the role {need.role}",
            index=asked.index if isinstance(need, OfIndex) and asked.index in access.sign_in.settings.indexes else None,
            logged=logged,
        )
    index = asked.index if isinstance(need, OfIndex) else None
    return refusal(request, need.role, index, anywhere=isinstance(need, OfAnyIndex))


def _tell(
    request: web.Request,
    access: Access,
    kind: ActKind,
    *,
    by: str,
    message: str,
    index: str | None = None,
    logged: bool = True,
) -> None:
    """The book hears of each, and joins those that are equal; only the log is spared."""
    act = Act(at=access.sign_in.clock(), kind=kind, by=by, client=client_of(request), message=message, index=index)
    access.observer(Did(act=act, logged=logged))


def _used(access: Access, signed: SignedIn, client: str) -> None:
    if signed.token is not None:
        access.uses.used(signed.token, client)


def _signs_in_first(request: web.Request, signed: SignedIn) -> bool:
    """Whether somebody opens a page, and can sign in for it."""
    return request.method == "GET" and signed.by is By.NOTHING and not signed.unknown and is_opened_in_browser(request)


def _to_sign_in(request: web.Request) -> web.Response:
    up = "../" * (request.rel_url.raw_path.count("/") - 1)
    location = f"{up}{SIGN_IN_PATH}?next={quote(request.rel_url.raw_path_qs, safe='/')}"
    return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": location, "Cache-Control": "no-store"})

"""Signing in with a browser: a token is exchanged for a session, which a cookie carries."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import Final

import msgspec
from aiohttp import web

from inbond.access.secret import digest_of
from inbond.access.tokens import Session, Token
from inbond.gateway.sign_in import By, Offered, Refused, SignedIn
from inbond.model.acts import Act, ActKind
from inbond.model.errors import InbondError, TooManyAttempts
from inbond.model.text import counted
from inbond.web.access import ACCESS, principal_of, signed_in
from inbond.web.csrf import SESSION_COOKIE, cookie_name, cookie_of, csrf_token, is_secure, set_cookie
from inbond.web.forms import form_of
from inbond.web.guard import SAID, failed
from inbond.web.origin import client_of
from inbond.web.twin import shown

SESSION_LASTS: Final = timedelta(hours=12)  # a working day: a browser that is left open is not signed in for ever
COOKIE_BYTES: Final = 32
# Each session is written to the ledger and its trail, so one token begins no more of them than people do.
MAX_BEGUN: Final = 30  # in a row, with one token
SECONDS_FOR_ANOTHER: Final = 20.0
MAX_NEXT_CHARS: Final = 2000
HOME: Final = "/"


class SignInFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the page to sign in says.

    `who`: whoever is signed in; `after`: the path that comes next; `hours`: how long a session lasts; `error`: why the
    last attempt failed.
    """

    who: str | None
    after: str
    hours: int
    error: str | None


async def form(request: web.Request) -> web.Response:
    """`GET /-/sign-in`: a form for a token."""
    return await _form(request, _next(request.query.get("next", "")))


async def sign_in(request: web.Request) -> web.Response:
    """`POST /-/sign-in`: begins a session, and goes on to the page that was asked for."""
    fields = await form_of(request)
    after = _next(fields.get("next", ""))
    access = request.app[ACCESS]
    found = access.sign_in.token(fields.get("token", "").strip())
    if isinstance(found, Refused):
        error = failed(request, access, SAID[found.why], token=found.token)
        return await _form(request, after, error=error)
    if (wait := access.begun.failed(found.id).wait) is not None:
        error = TooManyAttempts(
            f"too many browsers signed in with this token: try again in {counted(wait, 'second')}",
            seconds=wait,
            remedy="ask whoever runs this inbond for a token of your own",
        )
        return await _form(request, after, error=error)
    cookie = await _begin(request, found)
    response = web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": after, "Cache-Control": "no-store"})
    set_cookie(request, response, SESSION_COOKIE, cookie, strict=False)
    return response


async def sign_out(request: web.Request) -> web.Response:
    """`POST /-/sign-out`: ends the session of the cookie, here and in the ledger, whoever else signs the request."""
    cookie, access = cookie_of(request, SESSION_COOKIE), request.app[ACCESS]
    if cookie is not None:
        whose = access.sign_in.at_once(Offered(cookie=cookie))
        if isinstance(whose, SignedIn) and whose.by is By.SESSION:
            told = _act(request, ActKind.SIGN_OUT, str(whose.principal), "signed out")
            await access.tokens.end_session(digest_of(cookie), told=told)
    response = web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": "sign-in", "Cache-Control": "no-store"})
    secure = is_secure(request)
    response.del_cookie(
        cookie_name(SESSION_COOKIE, secure=secure), path="/", secure=secure, httponly=True, samesite="Lax"
    )
    return response


async def _begin(request: web.Request, token: Token) -> str:
    """Begins a session; what its cookie holds. The ledger keeps the digest alone."""
    access = request.app[ACCESS]
    cookie = access.random(COOKIE_BYTES).hex()
    now = access.sign_in.clock()
    until = min(now + SESSION_LASTS, token.expires_at or now + SESSION_LASTS)
    session = Session(digest=digest_of(cookie), token=token.id, since=now, until=until)
    await access.tokens.begin_session(
        session, told=_act(request, ActKind.SIGN_IN, str(token.holder), "signed in with a browser")
    )
    return cookie


def _act(request: web.Request, kind: ActKind, by: str, message: str) -> Act:
    return Act(at=request.app[ACCESS].sign_in.clock(), kind=kind, by=by, client=client_of(request), message=message)


async def _form(request: web.Request, after: str, *, error: InbondError | None = None) -> web.Response:
    facts = SignInFacts(
        who=str(principal_of(request)) if signed_in(request).by is not By.NOTHING else None,
        after=after,
        hours=SESSION_LASTS // timedelta(hours=1),
        error=None if error is None else error.message,
    )
    return await shown(request, "sign_in.html", facts, status=_status(error), csrf=csrf_token(request))


def _status(error: InbondError | None) -> HTTPStatus:
    match error:
        case None:
            return HTTPStatus.OK
        case TooManyAttempts():
            return HTTPStatus.TOO_MANY_REQUESTS
        case _:
            return HTTPStatus.FORBIDDEN  # not 401: the browser would ask for a password by itself


def _next(text: str) -> str:
    """Where to go on to: a path of ours, never another host."""
    if not text.startswith("/") or text.startswith(("//", "/\\")) or len(text) > MAX_NEXT_CHARS:
        return HOME
    return text if text.isascii() and text.isprintable() and "\\" not in text else HOME

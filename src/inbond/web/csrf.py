"""Writes that a browser sends: whether a page of ours had it send them (cross-site request forgery).

Browsers say with every write where it comes from (`Origin`, `Sec-Fetch-Site`); that must be here. Where they sign in
by themselves, by a cookie or through a front, a form must also bring back what only a page of ours can have written
into it. A program that sends its token in the request's own header is no browser, and needs neither.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from inbond.gateway.sign_in import By
from inbond.model.errors import ForeignOrigin
from inbond.web.access import ACCESS, signed_in
from inbond.web.forms import form_of, is_form
from inbond.web.origin import origin_of

FIELD: Final = "csrf"
HEADER: Final = "X-CSRF-Token"
_COOKIE_BYTES: Final = 32
_COOKIE: Final = re.compile(r"[0-9a-f]{64}")
_NEW: Final = web.RequestKey("new-form-cookie", str)
_ELSEWHERE: Final = "a write must come from a page of this inbond"


def csrf_token(request: web.Request) -> str:
    """What a form of ours carries in its hidden field `csrf`; the same for all forms of a session."""
    return _token(_secret(request) or _new(request))


def from_browser(request: web.Request) -> bool:
    """Whether a browser sends it: it says where it comes from, or signs in by itself."""
    return signed_in(request).by.ambient or "Origin" in request.headers or "Sec-Fetch-Site" in request.headers


async def check_write(request: web.Request) -> None:
    """Raises `ForeignOrigin` for a write that a browser sends, and no page of ours had it send."""
    if not from_browser(request):
        return
    check_origin(request)
    secret = _secret(request)
    given = await _given(request)
    if secret is None or not hmac.compare_digest(_token(secret).encode(), given.encode("utf-8", "surrogatepass")):
        raise ForeignOrigin(
            "this form is not one of this session's, or its session has ended",
            remedy="go back, load the page anew, and send the form again",
        )


def check_origin(request: web.Request) -> None:
    """Raises `ForeignOrigin` unless the browser says that one of our pages sends this."""
    origin = request.headers.get("Origin")
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None and site != "same-origin":
        raise ForeignOrigin(f"{_ELSEWHERE}, and comes from another site ({site[:20]!a})")
    if origin is None and site is None:
        raise ForeignOrigin(f"{_ELSEWHERE}, and does not say where it comes from")
    if origin is not None and not _is_ours(request, origin):
        raise ForeignOrigin(
            f"{_ELSEWHERE}, and comes from {origin[:80]!a}",
            remedy="if people reach it under this name, set public_url in [server]",
        )


def keep_form_cookie(request: web.Request, response: web.StreamResponse) -> None:
    """Sets the cookie that a form was bound to which nobody is signed in for by a session."""
    if _NEW in request and not response.prepared:
        set_cookie(request, response, FORM_COOKIE, request[_NEW], strict=True)


def set_cookie(
    request: web.Request,
    response: web.StreamResponse,
    name: str,
    value: str,
    *,
    strict: bool,
    seconds: int | None = None,
) -> None:
    """A cookie of ours: for this host alone, out of reach of scripts, and only over TLS where that is spoken."""
    secure = is_secure(request)
    response.set_cookie(
        cookie_name(name, secure=secure),
        value,
        max_age=seconds,
        path="/",
        secure=secure,
        httponly=True,
        samesite="Strict" if strict else "Lax",
    )


def cookie_of(request: web.Request, name: str) -> str | None:
    """A cookie of ours as it came. One that came twice is none: somebody put one beside it."""
    full = cookie_name(name, secure=is_secure(request))
    found: list[str] = []
    for line in request.headers.getall("Cookie", ()):
        for part in line.split(";"):
            key, _, value = part.strip().partition("=")
            if key == full:
                found.append(value)
    return found[0] if len(found) == 1 else None


def cookie_name(name: str, *, secure: bool) -> str:
    """Its name on the wire. Over TLS one that no other host and no unprotected answer can set (RFC 6265bis, 4.1.3)."""
    return f"__Host-{name}" if secure else name


def is_secure(request: web.Request) -> bool:
    """Whether clients reach this by TLS."""
    return origin_of(request).startswith("https://")


SESSION_COOKIE: Final = "inbond-session"
FORM_COOKIE: Final = "inbond-form"


def _secret(request: web.Request) -> str | None:
    """What the forms of whoever asks are bound to, where they have that already."""
    if signed_in(request).by is By.SESSION:
        return cookie_of(request, SESSION_COOKIE)
    cookie = cookie_of(request, FORM_COOKIE)
    return cookie if cookie is not None and _COOKIE.fullmatch(cookie) else request.get(_NEW)


def _new(request: web.Request) -> str:
    request[_NEW] = request.app[ACCESS].random(_COOKIE_BYTES).hex()
    return request[_NEW]


def _token(secret: str) -> str:
    return hmac.new(secret.encode("utf-8", "surrogateescape"), b"inbond form", hashlib.sha256).hexdigest()


async def _given(request: web.Request) -> str:
    if HEADER in request.headers:
        return request.headers[HEADER]
    return (await form_of(request)).get(FIELD, "") if is_form(request) else ""


def _is_ours(request: web.Request, origin: str) -> bool:
    """Whether it is the address that people are told, or the one that this very request was made to."""
    if origin == origin_of(request):
        return True
    own = f"{'https' if is_secure(request) else 'http'}://{request.host}"
    return origin == own and urlsplit(origin).hostname is not None

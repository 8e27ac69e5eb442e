"""What a request brings to say who asks: its Authorization, its cookie, and what a trusted front says of it."""

from __future__ import annotations

import base64
import binascii
from typing import Final

from aiohttp import web

from inbond.access.settings import Front
from inbond.gateway.sign_in import NOTHING_OFFERED, Offered
from inbond.web.csrf import SESSION_COOKIE, cookie_of
from inbond.web.origin import SERVER, is_trusted_proxy

MAX_SECRET_CHARS: Final = 16 * 1024  # statements of CI systems take a kilobyte or two
MAX_NAME_CHARS: Final = 200
MAX_GROUPS: Final = 200


def offered(request: web.Request, front: Front | None) -> Offered:
    """The credentials of a request; `NOTHING_OFFERED` where there are none."""
    secret = secret_in(request.headers.get("Authorization", ""))
    cookie = cookie_of(request, SESSION_COOKIE) if "Cookie" in request.headers else None
    person = None if front is None else person_in(request, front)
    if secret is None and cookie is None and person is None:
        return NOTHING_OFFERED
    groups = groups_in(request, front) if front is not None and person is not None else frozenset[str]()
    return Offered(secret=secret, cookie=cookie, person=person, groups=groups)


def secret_in(authorization: str) -> str | None:
    """A bearer token (RFC 6750, 2.1), or the password of Basic (RFC 7617), of any user. None: neither."""
    scheme, _, rest = authorization.strip().partition(" ")
    if len(rest) > MAX_SECRET_CHARS:
        return ""
    match scheme.lower():
        case "bearer":
            return rest.strip()
        case "basic":
            return _password(rest.strip())
        case "":
            return None
        case _:
            return ""


def person_in(request: web.Request, front: Front) -> str | None:
    """Whom a trusted front has signed in. One that says it twice says nothing: a client may have added one."""
    if not is_trusted_proxy(request.app[SERVER], request.remote or ""):
        return None
    said = request.headers.getall(front.header, [])
    name = said[0].strip() if len(said) == 1 else ""
    return name if name and name.isprintable() and len(name) <= MAX_NAME_CHARS else None


def groups_in(request: web.Request, front: Front) -> frozenset[str]:
    """The groups of that person, separated by commas."""
    said = request.headers.getall(front.groups, []) if front.groups is not None else []
    if len(said) != 1:
        return frozenset()
    named = [name.strip() for name in said[0].split(",")]
    return frozenset(name for name in named if name) if len(named) <= MAX_GROUPS else frozenset()


def _password(encoded: str) -> str:
    try:
        pair = base64.b64decode(encoded, validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return ""
    return pair.partition(":")[2]

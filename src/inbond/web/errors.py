"""The one place where an error becomes a status."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Collection, Mapping
from http import HTTPStatus
from typing import Final

import structlog
from aiohttp import web

from inbond.model.errors import (
    AdvisoriesUnavailable,
    BytesLost,
    ClientFault,
    Denied,
    DigestMismatch,
    ForeignHost,
    ForeignOrigin,
    InbondError,
    Malformed,
    NotAcceptable,
    NotFound,
    NotPermitted,
    NotSignedIn,
    NotYet,
    OperatorFault,
    Overloaded,
    PolicyFault,
    StatementUnchecked,
    StoreUnavailable,
    TooManyAttempts,
    UpstreamFault,
    UpstreamPaused,
    UpstreamRefused,
    UpstreamTimeout,
)
from inbond.policy.explain import detail, reason_phrase
from inbond.web.context import note
from inbond.web.in_browser import error_page, is_opened_in_browser, wants_page
from inbond.web.origin import origin_of
from inbond.web.problems import problem
from inbond.web.verdict_json import judgement_json, why_link

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
log: Final = structlog.get_logger("inbond.web")

# Installers take it as a reason to look for a password: in a keyring, in a netrc file, or with whoever runs them.
CHALLENGE: Final = 'Basic realm="inbond", charset="UTF-8", Bearer realm="inbond"'
_NO_UPLOADS: Final = (
    "inbond does not take uploads; send distributions to the index behind it, at its own upload address"
)
_READ_ONLY: Final = (
    "inbond serves an index to read, and does not take uploads. Send distributions to the index behind it: "
    "in twine set --repository-url to the upload address of that index."
)


_READING: Final = frozenset({"GET", "HEAD"})


def _read_only(request: web.Request, allowed: Collection[str]) -> web.Response:
    return problem(
        HTTPStatus.METHOD_NOT_ALLOWED,
        title=f"{request.method} is not possible here",
        detail=_READ_ONLY,
        reason=_NO_UPLOADS,
        headers={"Allow": ", ".join(sorted(allowed))},
    )


@web.middleware
async def explain_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turns errors into problem details. None arrives here once headers have gone: see `inbond.web.sender`."""
    try:
        return await handler(request)
    except InbondError as error:
        return respond(request, error)
    except web.HTTPMethodNotAllowed as error:
        return _read_only(request, error.allowed_methods)
    except web.HTTPNotFound:
        if request.method not in _READING:  # an upload, perhaps to the path that another index has for it
            return _read_only(request, _READING)
        if is_opened_in_browser(request):
            nothing = NotFound("nothing is served under this path", remedy="the menu above has all pages")
            return error_page(request, nothing, HTTPStatus.NOT_FOUND)
        return problem(
            HTTPStatus.NOT_FOUND,
            title="Nothing is served under this path",
            detail="The index is under /simple/; a named one under /NAME/simple/.",
        )
    except web.HTTPException as error:
        if error.status < HTTPStatus.BAD_REQUEST:
            raise
        status = HTTPStatus(error.status)
        return problem(status, title=status.phrase, detail=error.text or status.description)
    except Exception as error:
        log.exception("request failed", method=request.method, path=request.path, error=type(error).__name__)
        return problem(
            HTTPStatus.INTERNAL_SERVER_ERROR,
            title="inbond failed",
            detail="This is a defect of inbond; the log says more. No file was passed on unchecked.",
        )


def respond(request: web.Request, error: InbondError) -> web.Response:
    """The response that an error becomes."""
    if isinstance(error, Denied):
        return denied(request, error)
    note(request, error=error.message)
    status = status_of(error)
    if wants_page(request, error):
        page = error_page(request, error, status)
        page.headers.update(headers_of(error, page.status) or {})
        return page
    text = f"{error.message}. {error.remedy[0].upper()}{error.remedy[1:]}." if error.remedy else f"{error.message}."
    return problem(status, title=_title(error), detail=text, reason=error.message, headers=headers_of(error, status))


def denied(request: web.Request, error: Denied) -> web.Response:
    """403: which rule, why, what would lift it, and where the whole story is."""
    judgement = error.judgement
    url = why_link(judgement, origin_of(request))
    deciding = judgement.verdict.deciding
    note(request, decision=str(judgement.verdict.decision), rule=deciding.rule if deciding else None, why=url)
    return problem(
        HTTPStatus.FORBIDDEN,
        title="Blocked by policy",
        detail=detail(judgement, url),
        reason=reason_phrase(judgement, url),
        more={"type": url, "verdict": judgement_json(judgement, origin_of(request))},
    )


def status_of(error: InbondError) -> HTTPStatus:
    """Which status an error is."""
    match error:
        case ForeignHost():
            return HTTPStatus.MISDIRECTED_REQUEST
        case NotSignedIn():
            return HTTPStatus.UNAUTHORIZED
        case NotPermitted() | ForeignOrigin():
            return HTTPStatus.FORBIDDEN
        case TooManyAttempts():
            return HTTPStatus.TOO_MANY_REQUESTS
        case NotAcceptable():
            return HTTPStatus.NOT_ACCEPTABLE
        case Malformed():
            return HTTPStatus.BAD_REQUEST
        case ClientFault():
            return HTTPStatus.NOT_FOUND
        case PolicyFault() | DigestMismatch():
            return HTTPStatus.FORBIDDEN
        case StatementUnchecked():  # not 401: nothing is wrong with it, as far as anybody knows
            return HTTPStatus.SERVICE_UNAVAILABLE
        case UpstreamPaused():  # nobody was asked, and installers wait for as long as Retry-After says
            return HTTPStatus.SERVICE_UNAVAILABLE
        case UpstreamTimeout():
            return HTTPStatus.GATEWAY_TIMEOUT
        case UpstreamRefused(status=HTTPStatus.NOT_FOUND | HTTPStatus.GONE):
            return HTTPStatus.NOT_FOUND
        case UpstreamFault():
            return HTTPStatus.BAD_GATEWAY
        case StoreUnavailable() | BytesLost() | AdvisoriesUnavailable() | Overloaded() | NotYet():
            return HTTPStatus.SERVICE_UNAVAILABLE
        case OperatorFault():
            return HTTPStatus.INTERNAL_SERVER_ERROR
        case _:
            return HTTPStatus.INTERNAL_SERVER_ERROR


def headers_of(error: InbondError, status: int) -> Mapping[str, str] | None:
    """What an answer says of an error in its headers, if anything: when to come again, how to sign in."""
    if status == HTTPStatus.UNAUTHORIZED:
        return {"WWW-Authenticate": CHALLENGE}
    if status in {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS}:
        return {"Retry-After": _retry_after(error)}
    return None


def _retry_after(error: InbondError) -> str:
    """In seconds: what an operator has to mend takes longer than work that is under way."""
    if isinstance(error, UpstreamPaused | TooManyAttempts):
        return str(max(1, math.ceil(error.seconds)))
    return "60" if isinstance(error, AdvisoriesUnavailable) else "5"


def _title(error: InbondError) -> str:
    match error:
        case AdvisoriesUnavailable():
            return "Nothing can be said about vulnerabilities or malware"
        case ForeignHost():
            return "This host name is not served here"
        case NotSignedIn():
            return "Sign-in is needed"
        case NotPermitted():
            return "This is not permitted"
        case ForeignOrigin():
            return "This did not come from a page of inbond"
        case TooManyAttempts():
            return "Too many attempts to sign in"
        case ClientFault():
            return "The request cannot be answered"
        case StatementUnchecked():
            return "Who asks could not be checked"
        case UpstreamPaused():
            return "The index behind inbond has not answered for a while"
        case UpstreamFault():
            return "The index behind inbond did not deliver"
        case OperatorFault() | Overloaded() | NotYet():
            return "inbond cannot serve this now"
        case _:
            return "inbond refused"

"""Whether a person opens a page, or sends one of its forms; and errors as pages for them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from aiohttp import web

from inbond.model.errors import Denied, ForeignHost, InbondError, NotSignedIn
from inbond.web.rendered import rendered

SIGN_IN: Final = "sign in (above), and load the page anew that you came from"


def is_opened_in_browser(request: web.Request) -> bool:
    """Whether a browser goes to another page by it: it says so, and installers do not."""
    return request.headers.get("Sec-Fetch-Mode") == "navigate" or "Upgrade-Insecure-Requests" in request.headers


def wants_page(request: web.Request, error: InbondError) -> bool:
    """Whether an error is to be a page. A denial has its own, and under a foreign host's name there are none."""
    return is_opened_in_browser(request) and not isinstance(error, Denied | ForeignHost)


def error_page(request: web.Request, error: InbondError, status: HTTPStatus) -> web.Response:
    """The error as a page. 401 becomes 403: the browser would ask for a password by itself."""
    if status is HTTPStatus.UNAUTHORIZED:
        status, error = HTTPStatus.FORBIDDEN, NotSignedIn(error.message, remedy=SIGN_IN)
    return rendered(request, "error.html", status=status, error=error)

"""What went wrong, in the words of `inbond.model.errors`.

Messages name the upstream, a URL without user and query, and what happened. The client library's own errors are not
chained: they print whole URLs, and a query may hold a token.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import aiohttp
from yarl import URL

from inbond.model.errors import UpstreamBroken, UpstreamFault, UpstreamRefused, UpstreamUnavailable
from inbond.upstream.attempt import Attempt
from inbond.upstream.causes import PROXY_CREDENTIALS, caused, proxy_answered
from inbond.upstream.locations import parse, shown
from inbond.upstream.proxies import DIRECT, Proxies
from inbond.upstream.retries import retry_after

_REQUEST_TIMEOUT: Final = 408
_NOT_ACCEPTABLE: Final = 406
_TOO_MANY_REQUESTS: Final = 429
_CLIENT_ERRORS: Final = range(400, 500)
_SERVER_ERRORS: Final = range(500, 600)
_NOBODYS: Final = frozenset({_NOT_ACCEPTABLE, PROXY_CREDENTIALS})  # nothing that was asked leads to them


@contextmanager
def told(attempt: Attempt, subject: str) -> Iterator[None]:
    """Turns the client library's errors into `UpstreamFault`s about `subject`, and notes what may be repeated."""
    try:
        yield
    except (aiohttp.ClientError, TimeoutError) as error:
        fault, attempt.repeatable = caused(error, upstream=attempt.upstream, subject=subject)
        fault.interrupted = attempt.repeatable
        raise fault from None
    except UpstreamFault as fault:
        # Raised without knowing whose answer it was.
        if not fault.message.startswith(subject):
            fault.message = f"{subject}: {fault.message}"
            fault.args = (fault.message,)
        raise


def aim(url: str | URL, attempt: Attempt, name: str, proxies: Proxies = DIRECT) -> tuple[URL, str]:
    """The URL to ask, and how errors call it and the way there. Raises `UpstreamBroken`."""
    with told(attempt, name):
        target = parse(url) if isinstance(url, str) else url
    proxy = proxies.for_url(target)
    way = "" if proxy is None else f" through proxy {proxy.url}"
    return target, f"{name}: {shown(target)}{way}"


def status_fault(
    response: aiohttp.ClientResponse, attempt: Attempt, subject: str, proxies: Proxies = DIRECT
) -> UpstreamFault:
    """The fault that an answer's status means where it is not one of those wanted."""
    status = response.status
    message = f"{subject} answered {status}"
    if status == PROXY_CREDENTIALS and proxies.reads(response.url):
        return proxy_answered(status, upstream=attempt.upstream, subject=subject)
    if status in _SERVER_ERRORS or status in (_TOO_MANY_REQUESTS, _REQUEST_TIMEOUT):
        attempt.repeatable = True
        attempt.retry_after = retry_after(response.headers.get("Retry-After"))
        return UpstreamUnavailable(message)
    if status in _CLIENT_ERRORS and status not in _NOBODYS:
        remedy = (
            f"give it credentials, as credentials in [upstreams.{attempt.upstream}], or check those it has"
            if status in (401, 403)
            else None
        )
        return UpstreamRefused(message, status=status, remedy=remedy)
    return UpstreamBroken(f"{message}, which answers nothing that was asked")

"""What went wrong, in the words of `inbond.model.errors`.

Messages name the upstream, a URL without user and query, and what happened. The client library's own errors are not
chained: they print whole URLs, and a query may hold a token.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import aiohttp
from yarl import URL

from inbond.model.errors import UpstreamBroken, UpstreamFault, UpstreamRefused, UpstreamTimeout, UpstreamUnavailable
from inbond.upstream.attempt import Attempt
from inbond.upstream.guard import AddressRefused
from inbond.upstream.locations import parse, shown
from inbond.upstream.retries import retry_after

_REQUEST_TIMEOUT: Final = 408
_NOT_ACCEPTABLE: Final = 406
_TOO_MANY_REQUESTS: Final = 429
_CLIENT_ERRORS: Final = range(400, 500)
_SERVER_ERRORS: Final = range(500, 600)


@contextmanager
def told(attempt: Attempt, subject: str) -> Iterator[None]:
    """Turns the client library's errors into `UpstreamFault`s about `subject`, and notes what may be repeated."""
    try:
        yield
    except (aiohttp.ClientError, TimeoutError) as error:
        raise _fault(error, attempt, subject) from None
    except UpstreamFault as fault:
        # Raised without knowing whose answer it was.
        if not fault.message.startswith(subject):
            fault.message = f"{subject}: {fault.message}"
            fault.args = (fault.message,)
        raise


def aim(url: str | URL, attempt: Attempt, name: str) -> tuple[URL, str]:
    """The URL to ask, and how errors call it. Raises `UpstreamBroken`."""
    with told(attempt, name):
        target = parse(url) if isinstance(url, str) else url
    return target, f"{name}: {shown(target)}"


def _fault(error: aiohttp.ClientError | TimeoutError, attempt: Attempt, subject: str) -> UpstreamFault:
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return UpstreamBroken(
                f"{subject}: the certificate of {error.host} is not to be trusted: {error.certificate_error}",
                remedy="a proxy on the way, or an index with its own certificate authority?",
            )
        case aiohttp.ClientConnectorError(os_error=AddressRefused() as refused):
            return UpstreamBroken(
                f"{subject}: {error.host} is at {refused.address}, a {refused.reach} address; nothing was sent there",
                remedy="only an upstream whose own host is at such an address may lead to others of the kind",
            )
        case aiohttp.InvalidURL():
            return UpstreamBroken(f"{subject}: an address is written in a form that is not asked")
        case TimeoutError():
            # The library's own timeouts (connecting, no byte) leave time for another try; the deadline does not.
            attempt.repeatable = isinstance(error, aiohttp.ServerTimeoutError)
            silent = isinstance(error, aiohttp.SocketTimeoutError)
            return UpstreamTimeout(f"{subject}: {'it fell silent' if silent else 'no answer in time'}")
    attempt.repeatable = True
    match error:
        case aiohttp.ClientConnectorDNSError():
            return UpstreamUnavailable(f"{subject}: the name {error.host} does not resolve")
        case aiohttp.ClientConnectorError():
            why = error.os_error.strerror or type(error.os_error).__name__
            return UpstreamUnavailable(f"{subject}: no connection to {error.host} port {error.port}: {why}")
        case aiohttp.ClientConnectionError():
            return UpstreamUnavailable(f"{subject}: the connection was lost")
        case aiohttp.ClientPayloadError() if "ConnectionResetError" in str(error):
            return UpstreamUnavailable(f"{subject}: the connection was reset")
        case aiohttp.ClientPayloadError():
            return UpstreamBroken(f"{subject}: the answer was cut")
    attempt.repeatable = False
    return UpstreamBroken(f"{subject}: what came is no HTTP answer ({type(error).__name__})")


def status_fault(status: int, headers: Mapping[str, str], attempt: Attempt, subject: str) -> UpstreamFault:
    """The fault that a status means where it is not one of those wanted."""
    message = f"{subject} answered {status}"
    if status in _SERVER_ERRORS or status in (_TOO_MANY_REQUESTS, _REQUEST_TIMEOUT):
        attempt.repeatable = True
        attempt.retry_after = retry_after(headers.get("Retry-After"))
        return UpstreamUnavailable(message)
    if status in _CLIENT_ERRORS and status != _NOT_ACCEPTABLE:
        remedy = "give the upstream credentials, or check those it has" if status in (401, 403) else None
        return UpstreamRefused(message, status=status, remedy=remedy)
    return UpstreamBroken(f"{message}, which answers nothing that was asked")

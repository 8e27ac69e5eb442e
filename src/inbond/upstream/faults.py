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
from inbond.upstream.guard import REMEDY, AddressRefused
from inbond.upstream.locations import parse, shown
from inbond.upstream.proxies import DIRECT, Proxies
from inbond.upstream.retries import retry_after

_REQUEST_TIMEOUT: Final = 408
_NOT_ACCEPTABLE: Final = 406
_PROXY_CREDENTIALS: Final = 407
_TOO_MANY_REQUESTS: Final = 429
_CLIENT_ERRORS: Final = range(400, 500)
_SERVER_ERRORS: Final = range(500, 600)
# OpenSSL's X509_V_ERR codes: self-signed, self-signed in the chain, no issuer found, first certificate not verified.
_UNKNOWN_AUTHORITY: Final = frozenset({18, 19, 20, 21})


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


def aim(url: str | URL, attempt: Attempt, name: str, proxies: Proxies = DIRECT) -> tuple[URL, str]:
    """The URL to ask, and how errors call it and the way there. Raises `UpstreamBroken`."""
    with told(attempt, name):
        target = parse(url) if isinstance(url, str) else url
    proxy = proxies.for_url(target)
    way = "" if proxy is None else f" through proxy {proxy.url}"
    return target, f"{name}: {shown(target)}{way}"


def _fault(error: aiohttp.ClientError | TimeoutError, attempt: Attempt, subject: str) -> UpstreamFault:
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return _certificate_fault(error, attempt, subject)
        case aiohttp.ClientConnectorError(os_error=AddressRefused() as refused):
            return UpstreamBroken(
                f"{subject}: {error.host} is at {refused.address}, a {refused.reach} address; nothing was sent there",
                remedy=REMEDY,
            )
        case aiohttp.ClientHttpProxyError():
            # What a proxy refuses is no answer of the index: never `UpstreamRefused`, whose 404 means "there is none".
            attempt.repeatable = error.status in _SERVER_ERRORS
            return _proxy_fault(error.status, attempt, subject)
        case aiohttp.InvalidURL():
            return UpstreamBroken(f"{subject}: an address is written in a form that is not asked")
        case TimeoutError():
            # The library's own timeouts (connecting, no byte) leave time for another try; the deadline does not.
            attempt.repeatable = isinstance(error, aiohttp.ServerTimeoutError)
            silent = isinstance(error, aiohttp.SocketTimeoutError)
            return UpstreamTimeout(f"{subject}: {'it fell silent' if silent else 'no answer in time'}")
    attempt.repeatable = True
    match error:
        case aiohttp.ClientProxyConnectionError():
            return UpstreamUnavailable(
                f"{subject}: no connection to the proxy: {_reason(error)}",
                remedy=f"check HTTPS_PROXY or HTTP_PROXY, or proxy in [upstreams.{attempt.upstream}]",
            )
        case aiohttp.ClientConnectorDNSError():
            return UpstreamUnavailable(f"{subject}: the name {error.host} does not resolve")
        case aiohttp.ClientConnectorError():
            return UpstreamUnavailable(f"{subject}: no connection to {error.host} port {error.port}: {_reason(error)}")
        case aiohttp.ClientConnectionError():
            return UpstreamUnavailable(f"{subject}: the connection was lost")
        case aiohttp.ClientPayloadError() if "ConnectionResetError" in str(error):
            return UpstreamUnavailable(f"{subject}: the connection was reset")
        case aiohttp.ClientPayloadError():
            return UpstreamBroken(f"{subject}: the answer was cut")
    attempt.repeatable = False
    return UpstreamBroken(f"{subject}: what came is no HTTP answer ({type(error).__name__})")


def _reason(error: aiohttp.ClientConnectorError) -> str:
    return error.os_error.strerror or type(error.os_error).__name__


def _certificate_fault(
    error: aiohttp.ClientConnectorCertificateError, attempt: Attempt, subject: str
) -> UpstreamBroken:
    found = error.certificate_error
    code, why = getattr(found, "verify_code", None), getattr(found, "verify_message", None) or str(found)
    remedy = (
        f"name the file of its certificate authority as ca_bundle in [upstreams.{attempt.upstream}]"
        if code in _UNKNOWN_AUTHORITY
        else "whoever runs that host must give it another certificate; or is the URL another?"
    )
    return UpstreamBroken(f"{subject}: the certificate of {error.host} is not to be trusted: {why}", remedy=remedy)


def _proxy_fault(status: int, attempt: Attempt, subject: str) -> UpstreamUnavailable:
    if status == _PROXY_CREDENTIALS:
        return UpstreamUnavailable(
            f"{subject}: the proxy answered 407: it asks for credentials, or does not take those it got",
            remedy="write them into the proxy's URL, http://user:password@…, in HTTPS_PROXY or HTTP_PROXY, or in proxy"
            f" of [upstreams.{attempt.upstream}]",
        )
    remedy = "ask those who run the proxy to let it reach that host" if status in _CLIENT_ERRORS else None
    return UpstreamUnavailable(f"{subject}: the proxy answered {status}", remedy=remedy)


def status_fault(status: int, headers: Mapping[str, str], attempt: Attempt, subject: str) -> UpstreamFault:
    """The fault that a status means where it is not one of those wanted."""
    message = f"{subject} answered {status}"
    if status == _PROXY_CREDENTIALS:
        return _proxy_fault(status, attempt, subject)
    if status in _SERVER_ERRORS or status in (_TOO_MANY_REQUESTS, _REQUEST_TIMEOUT):
        attempt.repeatable = True
        attempt.retry_after = retry_after(headers.get("Retry-After"))
        return UpstreamUnavailable(message)
    if status in _CLIENT_ERRORS and status != _NOT_ACCEPTABLE:
        remedy = (
            f"give it credentials, as credentials in [upstreams.{attempt.upstream}], or check those it has"
            if status in (401, 403)
            else None
        )
        return UpstreamRefused(message, status=status, remedy=remedy)
    return UpstreamBroken(f"{message}, which answers nothing that was asked")

"""The client library's errors by their cause: the proxy, the connection, the answer."""

from __future__ import annotations

import ssl
from typing import Final

import aiohttp

from inbond.model.errors import UpstreamBroken, UpstreamFault, UpstreamTimeout, UpstreamUnavailable
from inbond.upstream.guard import AddressRefused

PROXY_CREDENTIALS: Final = 407  # RFC 9110, section 15.5.8
_CLIENT_ERRORS: Final = range(400, 500)
_SERVER_ERRORS: Final = range(500, 600)
# OpenSSL's X509_V_ERR codes: self-signed, self-signed in the chain, no issuer found, first certificate not verified.
_UNKNOWN_AUTHORITY: Final = frozenset({18, 19, 20, 21})

Cause = tuple[UpstreamFault, bool]  # and whether the request may be repeated


def caused(error: aiohttp.ClientError | TimeoutError, *, upstream: str, subject: str) -> Cause:
    """The fault that an error stands for. `upstream`: its name; `subject`: what was asked, as messages call it."""
    return (
        _by_the_proxy(error, upstream, subject)
        or _by_the_connection(error, upstream, subject)
        or _by_the_answer(error, subject)
    )


def proxy_answered(status: int, *, upstream: str, subject: str) -> UpstreamUnavailable:
    """The fault of a proxy that refuses. It is never `UpstreamRefused`, whose 404 means that there is none."""
    if status == PROXY_CREDENTIALS:
        return UpstreamUnavailable(
            f"{subject}: the proxy answered 407: it asks for credentials, or does not take those it got",
            remedy="write them into the proxy's URL, http://user:password@…, in HTTPS_PROXY or HTTP_PROXY, or in proxy"
            f" of [upstreams.{upstream}]",
        )
    remedy = "ask those who run the proxy to let it reach that host" if status in _CLIENT_ERRORS else None
    return UpstreamUnavailable(f"{subject}: the proxy answered {status}", remedy=remedy)


def _by_the_proxy(error: Exception, upstream: str, subject: str) -> Cause | None:
    match error:
        case aiohttp.ClientHttpProxyError(status=status):
            return proxy_answered(status, upstream=upstream, subject=subject), status in _SERVER_ERRORS
        case aiohttp.ClientProxyConnectionError():
            remedy = f"check HTTPS_PROXY or HTTP_PROXY, or proxy in [upstreams.{upstream}]"
            message = f"{subject}: no connection to the proxy: {_reason(error)}"
            return UpstreamUnavailable(message, remedy=remedy), True
    return None


def _by_the_connection(error: Exception, upstream: str, subject: str) -> Cause | None:
    match error:
        case aiohttp.ClientConnectorError():
            return _by_connecting(error, upstream, subject)
        case aiohttp.SocketTimeoutError():
            return UpstreamTimeout(f"{subject}: it fell silent"), True
        case TimeoutError():
            # The library's own timeouts (connecting) leave time for another try; the deadline does not.
            return UpstreamTimeout(f"{subject}: no answer in time"), isinstance(error, aiohttp.ServerTimeoutError)
        case aiohttp.ClientConnectionError():
            if (found := _verification_behind(error)) is not None:
                return _certificate_fault(found, "the host behind the proxy", upstream, subject), False
            return UpstreamUnavailable(f"{subject}: the connection was lost"), True
    return None


def _by_connecting(error: aiohttp.ClientConnectorError, upstream: str, subject: str) -> Cause:
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return _certificate_fault(error.certificate_error, error.host, upstream, subject), False
        case aiohttp.ClientConnectorDNSError():
            return UpstreamUnavailable(f"{subject}: the name {error.host} does not resolve"), True
    if isinstance(refused := error.os_error, AddressRefused):
        message = f"{subject}: {error.host} is at {refused.address}, a {refused.reach} address; nothing was sent there"
        return UpstreamBroken(message, remedy=refused.remedy), False
    return UpstreamUnavailable(f"{subject}: no connection to {error.host} port {error.port}: {_reason(error)}"), True


def _by_the_answer(error: Exception, subject: str) -> Cause:
    match error:
        case aiohttp.InvalidURL():
            return UpstreamBroken(f"{subject}: an address is written in a form that is not asked"), False
        case aiohttp.ClientPayloadError() if "ConnectionResetError" in str(error):
            return UpstreamUnavailable(f"{subject}: the connection was reset"), True
        case aiohttp.ClientPayloadError():
            return UpstreamBroken(f"{subject}: the answer was cut"), True
    return UpstreamBroken(f"{subject}: what came is no HTTP answer ({type(error).__name__})"), False


def _reason(error: aiohttp.ClientConnectorError) -> str:
    return error.os_error.strerror or type(error.os_error).__name__


def _verification_behind(error: BaseException) -> ssl.SSLCertVerificationError | None:
    """The verdict on a certificate that an error came of: Python 3.11 stumbles over it where TLS runs inside TLS."""
    found: BaseException | None = error
    while found is not None and not isinstance(found, ssl.SSLCertVerificationError):
        found = found.__cause__ or found.__context__
    return found


def _certificate_fault(found: Exception, host: str, upstream: str, subject: str) -> UpstreamBroken:
    code, why = getattr(found, "verify_code", None), getattr(found, "verify_message", None) or str(found)
    remedy = (
        f"name the file of its certificate authority as ca_bundle in [upstreams.{upstream}]"
        if code in _UNKNOWN_AUTHORITY
        else "whoever runs that host must give it another certificate; or is the URL another?"
    )
    return UpstreamBroken(f"{subject}: the certificate of {host} is not to be trusted: {why}", remedy=remedy)

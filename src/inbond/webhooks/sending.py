"""One attempt to send a message, and what came of it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

import aiohttp
from yarl import URL

from inbond.upstream.certificates import system_trust
from inbond.webhooks.message import Message
from inbond.webhooks.settings import WebhookSettings

CONNECT_SECONDS: Final = 5.0
ATTEMPT_SECONDS: Final = 15.0  # Standard Webhooks, "Request timeout": 15 to 30
ANSWER_BYTES: Final = 4096  # of a body are read, to be shown
RETRY_AFTER_MAX: Final = timedelta(hours=6)  # nobody is waited for longer
_SECONDS: Final = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """The receiver took it: any 2xx."""

    status: int
    said: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """It did not arrive, or the receiver would not take it. `wait`: how long it wants to be left alone."""

    reason: str
    wait: timedelta = timedelta(0)
    said: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unwanted:
    """410: the receiver does not want this message, now or later (Standard Webhooks, "Response status codes")."""

    reason: str


Answer = Arrived | Failed | Unwanted


class Sender:
    """Sends to one webhook. Close it with `aclose`."""

    def __init__(
        self,
        settings: WebhookSettings,
        *,
        clock: Callable[[], datetime],
        user_agent: str,
        seconds: float = ATTEMPT_SECONDS,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._user_agent = user_agent
        self._seconds = seconds
        self._session: aiohttp.ClientSession | None = None

    async def send(self, message: Message) -> Answer:
        """One attempt; raises nothing for whatever the receiver does."""
        try:
            async with asyncio.timeout(self._seconds):
                return await self._send(message)
        except TimeoutError:
            return Failed(reason=f"no answer within {self._seconds:.0f} s")
        except Exception as error:  # noqa: BLE001 (a receiver finds ways to make a library raise anything)
            # Messages of the library may hold the URL, whose query may be a token.
            return Failed(reason=_reason(error))

    async def _send(self, message: Message) -> Answer:
        url = URL(self._settings.url, encoded=True)
        proxy = self._settings.proxies.for_url(url)
        own = {} if proxy is None or proxy.authorization is None else {"Proxy-Authorization": proxy.authorization}
        headers = message.headers(self._settings.keys, self._clock())
        async with self._opened().post(
            url,
            data=message.body,
            headers=headers if url.scheme == "https" else {**headers, **own},
            allow_redirects=False,
            proxy=proxy.url if proxy is not None else None,
            proxy_headers=own,
        ) as response:
            said = (await _beginning(response)).decode("utf-8", "replace")
            return _answer(response, said, self._clock())

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self._settings.tls or system_trust(), limit=1, force_close=True),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
                headers={"User-Agent": self._user_agent},
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,  # the environment is read in one place, `inbond.cli`
            )
        return self._session

    async def aclose(self) -> None:
        """Ends the connection."""
        if self._session is not None:
            await self._session.close()


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    """The first bytes of an answer's body: what follows is cut off with the connection."""
    read = bytearray()
    while len(read) < ANSWER_BYTES and (piece := await response.content.read(ANSWER_BYTES - len(read))):
        read += piece
    return bytes(read)


def _answer(response: aiohttp.ClientResponse, said: str, now: datetime) -> Answer:
    status = response.status
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Arrived(status=status, said=said)
    if status == HTTPStatus.GONE:
        return Unwanted(reason="the receiver answered 410: it wants no such messages")
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return Failed(reason=f"the receiver answered {status}, and redirects are not followed", said=said)
    wait = _wait(response.headers.get("Retry-After", ""), now)
    return Failed(reason=f"the receiver answered {status}", wait=wait, said=said)


def _wait(text: str, now: datetime) -> timedelta:
    """What Retry-After asks for (RFC 9110, section 10.2.3), within bounds; nothing where it cannot be read."""
    if _SECONDS.fullmatch(text.strip()):
        wanted = timedelta(seconds=int(text))
    else:
        try:
            moment = parsedate_to_datetime(text)
            wanted = (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)) - now
        except (ValueError, OverflowError):
            return timedelta(0)
    return min(max(wanted, timedelta(0)), RETRY_AFTER_MAX)


def _reason(error: Exception) -> str:
    match error:
        case aiohttp.ClientHttpProxyError():
            return f"the proxy answered {error.status}"
        case aiohttp.ClientConnectorCertificateError():
            return "its certificate is not one to be trusted"
        case aiohttp.ClientSSLError() | aiohttp.ClientConnectorError(os_error=OSError(strerror=None)):
            return "no encrypted connection could be made"
        case aiohttp.ClientConnectorError():
            return f"no connection could be made: {error.os_error.strerror}"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientPayloadError() | ConnectionError():
            return "the connection was cut"
        case _:
            return f"the exchange failed ({type(error).__name__})"

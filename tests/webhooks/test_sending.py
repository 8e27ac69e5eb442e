"""One attempt, whatever the receiver does: an answer in bounded time, and nothing followed or believed."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from inbond.upstream.certificates import trusting
from inbond.upstream.proxies import Proxies, Proxy
from inbond.webhooks.message import Message
from inbond.webhooks.sending import ANSWER_BYTES, RETRY_AFTER_MAX, Answer, Arrived, Failed, Sender, Unwanted
from inbond.webhooks.settings import WebhookSettings
from ports import free_port
from sim.forward_proxy import ForwardProxy
from sim.receiver import Behaviour, Receiver
from sim.tls import Authority

NOW = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)
MESSAGE = Message(id="msg_1", body=b'{"type":"test"}')
KEY = b"k" * 32


async def sent(url: str, *, seconds: float = 5.0, **more: object) -> Answer:
    settings = WebhookSettings(name="acme", url=url, keys=(KEY,), **more)  # type: ignore[arg-type]
    sender = Sender(settings, clock=lambda: NOW, user_agent="inbond/1", seconds=seconds)
    try:
        return await sender.send(MESSAGE)
    finally:
        await sender.aclose()


async def test_a_message_arrives_as_it_was_signed() -> None:
    async with Receiver(Behaviour(status=202, body=b"thanks")) as receiver:
        assert await sent(receiver.url) == Arrived(status=202, said="thanks")
    (got,) = receiver.got
    assert (got.target, got.body) == ("/hook?token=t", MESSAGE.body)
    assert got.headers.items() >= {k.lower(): v for k, v in MESSAGE.headers((KEY,), NOW).items()}.items()
    assert got.headers["user-agent"] == "inbond/1"
    assert "cookie" not in got.headers


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Behaviour(status=500, body=b"oops"), Failed(reason="the receiver answered 500", said="oops")),
        (Behaviour(status=404), Failed(reason="the receiver answered 404")),
        (Behaviour(status=410), Unwanted(reason="the receiver answered 410: it wants no such messages")),
        (Behaviour(cut=True), Failed(reason="the connection was cut")),
        (
            Behaviour(status=503, headers=(("Retry-After", "120"),)),
            Failed(reason="the receiver answered 503", wait=timedelta(seconds=120)),
        ),
        (
            Behaviour(status=429, headers=(("Retry-After", "Fri, 20 Nov 2026 12:05:00 GMT"),)),
            Failed(reason="the receiver answered 429", wait=timedelta(minutes=5)),
        ),
        (
            Behaviour(status=429, headers=(("Retry-After", "Fri, 20 Nov 2026 11:00:00 -0000"),)),
            Failed(reason="the receiver answered 429"),
        ),
        (
            Behaviour(status=429, headers=(("Retry-After", "Fri, 20 Nov 2026 12:05:00"),)),
            Failed(reason="the receiver answered 429", wait=timedelta(minutes=5)),
        ),
        (
            Behaviour(status=503, headers=(("Retry-After", "999999999"),)),
            Failed(reason="the receiver answered 503", wait=RETRY_AFTER_MAX),
        ),
        (
            Behaviour(status=503, headers=(("Retry-After", "soon"),)),
            Failed(reason="the receiver answered 503"),
        ),
    ],
)
async def test_what_comes_of_an_attempt(answer: Behaviour, expected: Answer) -> None:
    async with Receiver(answer) as receiver:
        assert await sent(receiver.url) == expected


async def test_a_redirect_is_not_followed() -> None:
    async with Receiver() as elsewhere, Receiver(Behaviour(status=307, headers=(("Location", elsewhere.url),))) as here:
        assert await sent(here.url) == Failed(reason="the receiver answered 307, and redirects are not followed")
        assert elsewhere.got == []


async def test_a_slow_receiver_is_not_waited_for() -> None:
    async with Receiver(Behaviour(hold=30)) as receiver:
        assert await sent(receiver.url, seconds=0.3) == Failed(reason="no answer within 0 s")


async def test_of_an_answer_little_is_read() -> None:
    async with Receiver(Behaviour(status=200, endless=True)) as receiver:
        assert await sent(receiver.url) == Arrived(status=200, said="x" * ANSWER_BYTES)


async def test_what_speaks_no_http_is_a_failure() -> None:
    def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.acme.example ESMTP\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        answered = await sent(f"http://127.0.0.1:{port}/")
    assert isinstance(answered, Failed)
    assert answered.reason.startswith("the exchange failed")


async def test_nobody_there_is_a_failure() -> None:
    answer = await sent(f"http://127.0.0.1:{free_port()}/")
    assert isinstance(answer, Failed)
    assert answer.reason.startswith("no connection could be made")


async def test_only_a_certificate_that_is_trusted_counts(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with Receiver(tls=authority.server("localhost")) as receiver:
        assert await sent(receiver.url) == Failed(reason="its certificate is not one to be trusted")
        assert receiver.got == []
        assert await sent(receiver.url, tls=trusting(authority.bundle)) == Arrived(status=204)
    async with Receiver(tls=authority.server("other.test")) as receiver:
        answer = await sent(receiver.url, tls=trusting(authority.bundle))
        assert answer == Failed(reason="its certificate is not one to be trusted")


async def test_what_speaks_no_tls_is_a_failure() -> None:
    def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await sent(f"https://127.0.0.1:{port}/") == Failed(reason="no encrypted connection could be made")


async def test_a_proxy_is_asked_where_there_is_one(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    tls = trusting(authority.bundle)
    async with (
        Receiver(tls=authority.server("hooks.acme.example")) as receiver,
        ForwardProxy(credentials="ada:secret") as proxy,
    ):
        url = receiver.url.replace("localhost", "hooks.acme.example")
        through = Proxies(https=Proxy.parse(proxy.signed_url, source="proxy"))
        assert await sent(url, proxies=through, tls=tls) == Arrived(status=204)
        assert proxy.targets == [f"CONNECT hooks.acme.example:{receiver.port}"]
        assert "proxy-authorization" not in receiver.got[0].headers
        unsigned = Proxies(https=Proxy.parse(proxy.url, source="proxy"))
        assert await sent(url, proxies=unsigned, tls=tls) == Failed(reason="the proxy answered 407")


async def test_a_proxy_that_reads_along_is_shown_who_asks() -> None:
    async with ForwardProxy(credentials="ada:secret", answer=502) as proxy:
        through = Proxies(http=Proxy.parse(proxy.signed_url, source="proxy"))
        answer = await sent("http://hooks.acme.example/", proxies=through)
    assert answer == Failed(reason="the receiver answered 502")
    assert proxy.targets == ["POST http://hooks.acme.example/"]

"""https from inbond itself: every way that bytes leave, slow and broken handshakes, and another certificate."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest

from cli.reloads import Reloads
from inbond.web import handshakes
from inbond.web.hot import HOT
from inbond.web.hot_copies import LEAST_BYTES, OFTEN
from inbond.web.settings import ServerLimits
from sim.index import SimIndex
from sim.tls import Authority
from stack import Inbond, inbond

CONFIG = """
[server]
listen = "127.0.0.1:0"
tls_certificate = "{{certificate}}"
tls_key = "{{certificate}}"
[storage]
path = "{{data}}"
[upstreams.pypi]
url = "{{upstream}}"
[policies.default]
min_age = "0"
listing = "lazy"
"""
LARGE = 3 * 2**20


@dataclass
class Https:
    """An inbond, its files, and a client that trusts the authority."""

    proxy: Inbond
    index: SimIndex
    authority: Authority
    reloads: Reloads
    port: int

    @property
    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.authority.bundle)

    async def get(self, path: str, **headers: str) -> tuple[int, bytes, aiohttp.ClientResponse]:
        url = f"https://127.0.0.1:{self.port}{path}"
        connector = aiohttp.TCPConnector(ssl=self.context)
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.get(url, headers=headers) as response,
        ):
            return response.status, await response.read(), response

    async def path_of(self, project: str, filename: str) -> str:
        _, body, _ = await self.get(f"/simple/{project}/", Accept="application/vnd.pypi.simple.v1+json")
        (at,) = (part for part in body.decode().split('"') if part.endswith(filename) and part.startswith("../"))
        return at.removeprefix("../..")

    async def serial(self) -> int:
        """Of the certificate that a new connection is given."""
        _, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=self.context)
        found = writer.get_extra_info("peercert")["serialNumber"]
        writer.close()
        return int(found, 16)


@asynccontextmanager
async def https(
    place: Path, *, lasts: timedelta = timedelta(days=90), limits: ServerLimits | None = None
) -> AsyncIterator[Https]:
    authority = Authority(place)
    config = CONFIG.replace("{{certificate}}", str(authority.certificate(lasts=lasts)))
    config = config.replace("{{", "{").replace("}}", "}")
    async with SimIndex() as index, inbond(place, index, config=config, server_limits=limits) as proxy:
        port = int(proxy.origin.rpartition(":")[2])
        yield Https(proxy, index, authority, Reloads.of(proxy, place), port)


async def dropped(up: Https, reason: str) -> None:
    """Waits until a connection is counted as ended for that."""
    async with asyncio.timeout(10):
        while await up.proxy.metric("inbond_connections_dropped_total", reason=reason) != 1:
            await asyncio.sleep(0.01)


async def test_all_that_is_served_comes_whole_and_encrypted_the_hot_way_too(tmp_path: Path) -> None:
    async with https(tmp_path) as up:
        small = up.index.add_wheel("demo", "1.0")
        large = up.index.add_file("large", "large-1.0.tar.gz", bytes(range(256)) * (LARGE // 256))
        for wheel, project in ((small, "demo"), (large, "large")):
            path = await up.path_of(project, wheel.filename)
            for _ in range(3):  # from upstream, from the store, and again to the very same bytes
                status, body, _ = await up.get(path)
                assert status == 200
                assert hashlib.sha256(body).hexdigest() == wheel.sha256
                status, part, _ = await up.get(path, Range=f"bytes=10-{wheel.size - 1}")
                assert (status, part) == (206, body[10:])
            assert (await up.get(path, **{"If-None-Match": f'"{wheel.sha256}"'}))[0] == 304
        assert await up.proxy.metric("inbond_requests_again_total", route="file") > 0


async def test_a_page_of_many_pieces_comes_whole(tmp_path: Path) -> None:
    async with https(tmp_path) as up:
        for number in range(1500):
            up.index.add_file("many", f"many-{number}.0.tar.gz", b"x")
        pages = [(await up.get("/simple/many/"))[1] for _ in range(3)]
        assert len(set(pages)) == 1
        assert len(pages[0]) > 256 * 1024
        assert pages[0].endswith(b"</html>\n")


async def test_what_is_asked_for_often_goes_around_no_encryption(tmp_path: Path) -> None:
    async with https(tmp_path) as up:
        for number in range(100):
            up.index.add_file("often", f"often-{number}.0.tar.gz", b"x")
        connector = aiohttp.TCPConnector(ssl=up.context, limit=1)
        async with aiohttp.ClientSession(connector=connector) as session:
            seen = set()
            url = f"https://127.0.0.1:{up.port}/simple/often/"
            # An answer lies there as soon as it was wanted often within a second, and is sent once more then.
            copies, more = up.proxy.app[HOT]._copies, OFTEN
            while more:
                more -= len(copies) > 0
                async with session.get(url, headers={"Accept-Encoding": "identity"}) as response:
                    seen.add(await response.read())
        (page,) = seen
        assert len(page) >= LEAST_BYTES
        assert len(up.proxy.app[HOT]) == 1


async def test_links_say_https(tmp_path: Path) -> None:
    async with https(tmp_path) as up:
        wheel = up.index.add_wheel("demo", "1.0")
        _, body, _ = await up.get(f"/-/verdict/root/demo/{wheel.filename}")
        assert f'"https://127.0.0.1:{up.port}/why/'.encode() in body


async def test_old_protocols_are_refused(tmp_path: Path) -> None:
    async with https(tmp_path) as up:
        old = up.context
        old.set_ciphers("ALL:@SECLEVEL=0")  # else this client would not even ask
        with pytest.warns(DeprecationWarning, match="deprecated"):
            old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises(OSError):  # asyncio hangs up without an alert
            await asyncio.open_connection("127.0.0.1", up.port, ssl=old)
        await dropped(up, "bad-handshake")


async def test_a_handshake_takes_a_place_and_as_long_as_a_head_may(tmp_path: Path) -> None:
    limits = ServerLimits(max_connections=2, head_seconds=0.3)
    async with https(tmp_path, limits=limits) as up:
        reader, writer = await asyncio.open_connection("127.0.0.1", up.port)
        assert await reader.read() == b""  # nothing was said in time
        writer.close()
        await dropped(up, "slow-head")
        for _ in range(3):  # the place is free again each time
            assert (await up.get("/-/live"))[0] == 200
        async with asyncio.timeout(10):
            while await up.proxy.metric("inbond_connections"):
                await asyncio.sleep(0.01)


async def test_plain_http_is_no_handshake(tmp_path: Path) -> None:
    async with https(tmp_path) as up:
        reader, writer = await asyncio.open_connection("127.0.0.1", up.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"HTTP" not in await reader.read()
        writer.close()


async def test_a_renewed_certificate_is_given_to_new_connections_and_old_ones_go_on(tmp_path: Path) -> None:
    async with https(tmp_path) as up:
        wheel = up.index.add_wheel("demo", "1.0")
        before = await up.serial()
        connector = aiohttp.TCPConnector(ssl=up.context, limit=1)
        async with aiohttp.ClientSession(connector=connector) as session:
            url = f"https://127.0.0.1:{up.port}/simple/demo/"
            async with session.get(url) as response:
                assert wheel.filename in await response.text()
            (held,) = up.reloads.text.split('tls_key = "')[1].split('"')[:1]
            Path(held).write_bytes(up.authority.certificate().read_bytes())  # the same path, as renewals do it
            outcome = await up.reloads(up.reloads.text)
            assert outcome.outcome == "reloaded"
            assert outcome.changes.certificate is not None
            assert await up.serial() != before
            async with session.get(url) as response:
                assert response.status == 200


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (lambda up, held: Path(held).unlink(), "No such file"),
        (lambda up, held: Path(held).write_text("nothing"), "is no certificate in PEM"),
    ],
)  # fmt: skip
async def test_a_broken_certificate_is_refused_and_the_old_one_stays(tmp_path: Path, broken: object, said: str) -> None:
    assert callable(broken)
    async with https(tmp_path) as up:
        before = await up.serial()
        broken(up, up.reloads.text.split('tls_key = "')[1].split('"')[0])
        outcome = await up.reloads(up.reloads.text)
        assert outcome.is_refused
        assert said in (outcome.reason or "")
        assert await up.serial() == before


async def test_a_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    async with https(tmp_path) as up:
        other = up.authority.certificate()
        start, rest = up.reloads.text.split('tls_key = "')
        outcome = await up.reloads(f'{start}tls_key = "{other}"{rest[rest.index(chr(34)) + 1 :]}')
        assert outcome.is_refused
        assert "is not the key of tls_certificate" in (outcome.reason or "")


async def test_to_serve_without_tls_from_now_on_needs_a_restart(tmp_path: Path) -> None:
    async with https(tmp_path) as up:
        lines = [line for line in up.reloads.text.splitlines() if not line.startswith("tls_")]
        outcome = await up.reloads("\n".join(lines))
        assert "this needs a restart: server.tls_certificate" in (outcome.reason or "")


@pytest.mark.parametrize(("days", "said"), [(90, None), (5, "ends in"), (0, "has ended")])
async def test_readiness_advises_before_a_certificate_ends(tmp_path: Path, days: int, said: str | None) -> None:
    async with https(tmp_path, lasts=timedelta(days=days, minutes=5)) as up:
        if not days:
            up.proxy.clock.advance(timedelta(minutes=10))
        check = await up.proxy.up.checks["certificate"]()
        assert check.problem is None
        assert (said in (check.advice or "")) if said else check.advice is None
        assert await up.proxy.metric("inbond_certificate_ends_timestamp_seconds") > 0


def held(up: Https) -> Path:
    """The file with certificate and key."""
    return Path(up.reloads.text.split('tls_key = "')[1].split('"')[0])


async def test_a_certificate_that_has_ended_is_refused_where_another_is_in_force(tmp_path: Path) -> None:
    async with https(tmp_path) as up:
        before = await up.serial()
        held(up).write_bytes(up.authority.certificate(lasts=timedelta(hours=-1)).read_bytes())
        outcome = await up.reloads(up.reloads.text)
        assert outcome.is_refused
        assert "has ended on" in (outcome.reason or "")
        assert await up.serial() == before


async def test_one_that_ended_while_in_force_is_warned_of_and_stops_no_other_change(tmp_path: Path) -> None:
    async with https(tmp_path, lasts=timedelta(minutes=5)) as up:
        up.proxy.clock.advance(timedelta(minutes=10))
        outcome = await up.reloads.changed('listing = "lazy"', 'listing = "lazy"\ndeny = ["demo"]')
        assert outcome.outcome == "reloaded"
        assert any("has ended: clients refuse to connect" in one for one in outcome.warnings)


async def test_another_chain_behind_the_same_certificate_is_another_one(tmp_path: Path) -> None:
    async with https(tmp_path) as up:
        held(up).write_bytes(held(up).read_bytes() + up.authority.bundle.read_bytes())
        outcome = await up.reloads(up.reloads.text)
        assert outcome.outcome == "reloaded"
        assert outcome.changes.certificate is not None
        assert (await up.reloads(up.reloads.text)).outcome == "unchanged"


async def test_a_handshake_on_a_spare_connection_has_less_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshakes, "SPARE_SECONDS", 0.1)
    async with https(tmp_path, limits=ServerLimits(max_connections=2, head_seconds=60)) as up:
        _, first = await asyncio.open_connection("127.0.0.1", up.port)  # all that one address may have
        reader, spare = await asyncio.open_connection("127.0.0.1", up.port)
        assert await reader.read() == b""
        await dropped(up, "slow-head")
        first.close()
        spare.close()

"""deploy/nginx-caching.conf: nginx keeps the bytes of files, and inbond is asked for each of them, each time."""

from __future__ import annotations

import asyncio
import hashlib
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import aiohttp
import pytest

from e2e.service import plain_environment
from inbond.access.secret import digest_of, secret_of
from inbond.cli.config import LEDGER_FILE
from inbond.model.decisions import Rejection, Target
from inbond.model.events import unobserved
from inbond.store.ledger import open_ledger
from ports import free_port
from sim.index import SimIndex, WrongBytes
from stack import JSON, Inbond, inbond
from tools import tool
from ways_in.programs import TOP, run_well
from ways_in.test_nginx import AROUND, LARGE, NAME, Front, make_certificate, nginx

CONFIG: Final = """
[server]
listen = "127.0.0.1:0"
public_url = "https://packages.acme.example"
trusted_proxies = ["127.0.0.1"]
[storage]
path = "{data}"
[upstreams.pypi]
url = "{upstream}"
[policies.strict]
deny = ["demo"]
[indexes.root]
policy = "default"
upstreams = ["pypi"]
[indexes.team]
policy = "strict"
upstreams = ["pypi"]
"""
SECRET: Final = secret_of(b"readers!" * 4)
CLOSED: Final = f"""
[indexes.closed]
policy = "default"
upstreams = ["pypi"]
readers = "granted"
[[access.tokens]]
name = "ours"
sha256 = "{digest_of(SECRET).hex()}"
role = "reader"
indexes = ["closed"]
expires = "2099-01-01"
"""
PERSON: Final = aiohttp.encode_basic_auth("__token__", SECRET)
NOBODY: Final = aiohttp.encode_basic_auth("__token__", secret_of(b"nobodies" * 4))
LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)


def adapted(place: Path, *, port: int, inner: int, inbond_port: int) -> str:
    """The example with ports and files that are there; each replacement must fit, so that it stays the example."""
    text = (TOP / "deploy" / "nginx-caching.conf").read_text(encoding="utf-8")
    for old, new, times in (
        ("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;", 1),
        ("listen [::]:443 ssl;", "", 1),
        (" 127.0.0.1:8643;", f" 127.0.0.1:{inner};", 2),
        ("server 127.0.0.1:8642;", f"server 127.0.0.1:{inbond_port};", 1),
        ("proxy_cache_path /var/cache/nginx/inbond ", f"proxy_cache_path {place}/kept ", 1),
        (f"/etc/nginx/tls/{NAME}.pem", f"{place}/{NAME}.pem", 1),
        (f"/etc/nginx/tls/{NAME}.key", f"{place}/{NAME}.key", 1),
    ):
        assert text.count(old) == times, old
        text = text.replace(old, new)
    return text


def command(place: Path, *, port: int, inbond_port: int, stops: bool = False) -> list[str]:
    text = adapted(place, port=port, inner=free_port(), inbond_port=inbond_port)
    if stops:
        text, times = re.subn("proxy_buffering    off;(?=[^}]*add_header)", "limit_rate_after 4m; limit_rate 1;", text)
        assert times == 1
    (place / "inbond.conf").write_text(text)
    (place / "nginx.conf").write_text(AROUND.format(place=place, user=place.owner()))
    return [tool("nginx"), "-p", str(place), "-e", str(place / "error.log"), "-c", str(place / "nginx.conf")]


@asynccontextmanager
async def in_front(place: Path, index: SimIndex, *, more: str = "", stops: bool = False) -> AsyncIterator[Front]:
    trust = ssl.create_default_context(cafile=make_certificate(place))
    async with inbond(place, index, config=CONFIG, more=more) as behind, aiohttp.ClientSession() as session:
        port = free_port()
        words = command(place, port=port, inbond_port=int(behind.origin.rpartition(":")[2]), stops=stops)
        with nginx(words, place, port):
            yield Front(f"https://127.0.0.1:{port}", trust, session, behind)


def kept(place: Path) -> list[Path]:
    return [one for one in (place / "kept").rglob("*") if one.is_file()]


async def file_bytes(behind: Inbond) -> float:
    """How many bytes of files have left inbond."""
    return sum([await behind.metric("inbond_file_bytes_total", source=one) for one in ("cache", "upstream")])


async def rejected(place: Path, behind: Inbond, target: str) -> None:
    """Somebody rejects a release, from another process."""
    ledger = open_ledger(place / "data" / "ledger" / LEDGER_FILE, observer=unobserved)
    await ledger.decide(Rejection(target=Target.parse(target), reason="it steals", by="ada"), now=behind.clock())
    await ledger.aclose()


def test_nginx_accepts_the_example(tmp_path: Path) -> None:
    make_certificate(tmp_path)
    words = command(tmp_path, port=free_port(), inbond_port=8642)
    assert "test is successful" in run_well([*words, "-t"], cwd=tmp_path, env=plain_environment(tmp_path))


async def test_bytes_come_from_nginx_and_inbond_is_asked_each_time(tmp_path: Path) -> None:
    times = 5
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0")
        async with in_front(tmp_path, index) as front:
            for _ in range(times):
                status, body, response = await front.get(wheel.path)
                assert (status, body) == (200, wheel.content)
                assert response.headers["ETag"] == f'"{wheel.sha256}"'
                assert response.headers["Cache-Control"] == "no-cache"  # a client asks each time, too
                assert "X-Accel-Expires" not in response.headers
            assert await file_bytes(front.behind) == len(wheel.content)
            assert (await front.get(wheel.path, **{"If-None-Match": f'"{wheel.sha256}"'}))[:2] == (304, b"")
            assert len(kept(tmp_path)) == 1
    ledger = open_ledger(tmp_path / "data" / "ledger" / LEDGER_FILE, observer=unobserved)
    (row,) = await ledger.asked(since=LONG_AGO)
    await ledger.aclose()
    assert (row.first.client, row.count) == ("127.0.0.1", times + 1)  # all of them, whoever had the bytes


async def test_a_rejection_stops_the_next_request_for_a_file_that_nginx_has(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0")
        async with in_front(tmp_path, index) as front:
            assert [(await front.get(wheel.path))[0] for _ in range(2)] == [200, 200]
            await rejected(tmp_path, front.behind, "demo==1.0")
            status, body, response = await front.get(wheel.path)
            assert (status, response.content_type) == (403, "application/problem+json")
            assert response.reason is not None
            assert response.reason.startswith("Blocked by policy: demo 1.0")
            assert b"it steals" in body
            assert (await front.get(wheel.path, Range="bytes=0-9"))[0] == 403
            assert kept(tmp_path)  # it is there still, and nobody gets it


async def test_while_inbond_is_not_there_nothing_is_given(tmp_path: Path) -> None:
    trust, port, behind_port = ssl.create_default_context(cafile=make_certificate(tmp_path)), free_port(), free_port()
    config = CONFIG.replace("127.0.0.1:0", f"127.0.0.1:{behind_port}")
    async with SimIndex() as index, aiohttp.ClientSession() as session:
        wheel = index.add_wheel("demo", "1.0")
        with nginx(command(tmp_path, port=port, inbond_port=behind_port), tmp_path, port):
            async with inbond(tmp_path, index, config=config) as behind:
                front = Front(f"https://127.0.0.1:{port}", trust, session, behind)
                assert [(await front.get(wheel.path))[0] for _ in range(2)] == [200, 200]
            assert (await front.get(wheel.path))[0] == 502
            assert kept(tmp_path)


async def test_what_one_index_gives_another_does_not(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0")
        async with in_front(tmp_path, index) as front:
            for path, status in ((wheel.path, 200), (f"/team{wheel.path}", 403), (wheel.path, 200)):
                assert (await front.get(path))[0] == status


async def test_what_one_with_a_token_is_given_nobody_else_is(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0")
        async with in_front(tmp_path, index, more=CLOSED) as front:
            path = f"/closed{wheel.path}"
            for who, status in ((PERSON, 200), ("", 401), (PERSON, 200), (NOBODY, 401), ("", 401)):
                headers = {"Authorization": who} if who else {}
                assert (await front.get(path, **headers))[0] == status, who
            assert not kept(tmp_path)
            assert (await front.get(wheel.path, Cookie="a=b"))[0] == 200
            assert not kept(tmp_path)
            assert await file_bytes(front.behind) == 3 * len(wheel.content)


async def test_only_whole_files_are_kept(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0")
        async with in_front(tmp_path, index) as front:
            assert (await front.get("/simple/demo/", Accept=JSON))[0] == 200
            assert (await front.get("/simple/demo/"))[0] == 200
            assert (await front.get(f"/-/verdict/root/demo/{wheel.filename}"))[0] == 200
            assert (await front.get(wheel.path, Range="bytes=0-9"))[:2] == (206, wheel.content[:10])
            assert (await front.get(f"{wheel.path}.metadata"))[0] == 200
            assert (await front.get("/packages/aa/bb/none-1.0.tar.gz"))[0] == 404
            assert not kept(tmp_path)
            assert (await front.get(wheel.path))[0] == 200
            assert (await front.get(wheel.path, Range="bytes=0-9"))[:2] == (206, wheel.content[:10])
            assert len(kept(tmp_path)) == 1


async def test_nothing_is_kept_that_was_not_checked_whole(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("large", "1.0", size=LARGE)
        index.fault(wheel.path, WrongBytes())
        async with in_front(tmp_path, index) as front:
            with pytest.raises(aiohttp.ClientPayloadError):
                await front.get(wheel.path)
            assert (await front.get(wheel.path))[0] == 403
    assert not kept(tmp_path)


async def test_a_large_file_is_kept_the_second_time(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("large", "1.0", size=LARGE)
        async with in_front(tmp_path, index) as front:
            for left, held in ((1, 0), (2, 1), (2, 1)):
                assert (await front.get(wheel.path))[1] == wheel.content
                assert (await file_bytes(front.behind), len(kept(tmp_path))) == (left * LARGE, held)


async def test_many_at_once_have_one_file_on_its_disk(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("large", "1.0", size=2 * LARGE)  # more than lies in buffers on the way
        async with in_front(tmp_path, index) as front, AsyncExitStack() as stack:
            assert (await front.get(wheel.path, Cookie="a=b"))[1] == wheel.content  # inbond has checked it by now
            asking = [await stack.enter_async_context(asked(front, wheel.path)) for _ in range(4)]
            async with asyncio.timeout(30):
                while not any(one.stat().st_size >= wheel.size for one in kept(tmp_path)):
                    await asyncio.sleep(0.02)
            assert len(kept(tmp_path)) == 1
            assert {hashlib.sha256(await one.read()).hexdigest() for one in asking} == {wheel.sha256}


async def test_nobody_waits_for_somebody_elses_download(tmp_path: Path) -> None:
    """As it is where the line between nginx and inbond is slow: what is being kept comes to a stop after 4 MiB."""
    begun = 2**20
    async with SimIndex() as index:
        wheel = index.add_wheel("large", "1.0", size=2 * LARGE)
        async with in_front(tmp_path, index, stops=True) as front, AsyncExitStack() as stack, asyncio.timeout(50):
            assert (await front.get(wheel.path, Cookie="a=b"))[1] == wheel.content  # inbond has checked it by now
            for _ in range(2):
                response = await stack.enter_async_context(asked(front, wheel.path))
                assert await response.content.readexactly(begun) == wheel.content[:begun]


def asked(front: Front, path: str) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
    """An answer as it comes."""
    url, headers = f"{front.origin}{path}", {"Host": NAME}
    return front.session.get(url, ssl=front.trust, server_hostname=NAME, headers=headers)

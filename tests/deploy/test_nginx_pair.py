"""Two inbonds behind deploy/nginx-pair.conf: one is killed under load, and no client is told of it."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from deploy.pair import Pair, command, pair
from e2e.service import UV, client, new_environment, plain_environment
from inbond.access.secret import digest_of, secret_of
from ports import free_port
from sim.index import SimFile, SimIndex, Stall
from stack import JSON
from ways_in.programs import run_well
from ways_in.test_nginx import make_certificate

CLIENTS = 8
ROUNDS = 12
KILLED_AFTER = 60  # answers, of some 380
LARGE = 12 * 2**20  # too large to be checked whole before its first byte
HELD_AT = 6 * 2**20


@dataclass
class Told:
    """What the clients met together."""

    answers: int = 0
    cut: int = 0
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    def answered(self) -> None:
        self.answers += 1
        if self.answers == KILLED_AFTER:
            self.reached.set()


@dataclass(frozen=True, slots=True)
class Offered:
    """What the index has."""

    small: list[SimFile]
    large: SimFile
    denied: SimFile


def test_nginx_accepts_the_example(tmp_path: Path) -> None:
    make_certificate(tmp_path)
    words = command(tmp_path, port=free_port(), origins=["127.0.0.1:8642", "127.0.0.1:8643"])
    assert "test is successful" in run_well([*words, "-t"], cwd=tmp_path, env=plain_environment(tmp_path))


async def test_one_is_killed_under_load_and_no_client_is_told(tmp_path: Path) -> None:
    async with SimIndex() as index:
        small = [index.add_wheel(f"demo{number}", "1.0") for number in range(4)]
        offered = Offered(small, index.add_wheel("large", "1.0", size=LARGE), index.add_wheel("denied", "1.0"))
        async with pair(tmp_path, index) as both:
            told = Told()
            work = [use(both, f"127.0.0.{number + 2}", offered, told) for number in range(CLIENTS)]
            killing = asyncio.create_task(kill_one(both, told))
            await asyncio.gather(*work)
            await killing
            assert told.answers == CLIENTS * (ROUNDS * 4 + 1)
            print(f"{told.cut} of {told.answers} transfers were cut and gone on with")


async def kill_one(both: Pair, told: Told) -> None:
    """The one that has answered most until then."""
    await told.reached.wait()
    answered = [one.output.read_text().count(" request ") for one in both.inbonds]
    assert max(answered) > 0
    await asyncio.to_thread(both.kill, answered.index(max(answered)))


async def use(both: Pair, address: str, offered: Offered, told: Told) -> None:
    """What an installer asks for, in turns: pages, files, ranges, what is denied; and a large file once."""
    small, large, denied = offered.small, offered.large, offered.denied
    async with both.session(address) as session:
        for number in range(ROUNDS):
            wheel = small[number % len(small)]
            page = await whole(session, both.url(f"/simple/demo{number % len(small)}/"), told, Accept=JSON)
            assert wheel.sha256.encode() in page
            assert await whole(session, both.url(wheel.path), told) == wheel.content
            assert await whole(session, both.url(large.path), told, begin=LARGE - 1000) == large.content[LARGE - 1000 :]
            async with session.get(both.url(denied.path)) as response:
                assert response.status == 403
                told.answered()
            if number == ROUNDS // 2:
                assert await whole(session, both.url(large.path), told) == large.content


async def whole(session: aiohttp.ClientSession, url: str, told: Told, begin: int = 0, **headers: str) -> bytes:
    """A body, gone on with where a transfer was cut, as installers do; any status but the right ones is an error."""
    body, tag = bytearray(), ""
    while True:
        at = begin + len(body)
        ranged = {"Range": f"bytes={at}-", **({"If-Range": tag} if tag else {})} if at else {}
        async with session.get(url, headers={**headers, **ranged}) as response:
            assert response.status in {200, 206}, (url, response.status, await response.text())
            if response.status == 200:
                assert begin == 0 or not body, "the range was given the first time"
                body.clear()
            tag = response.headers.get("ETag", "")
            try:
                async for chunk in response.content.iter_any():
                    body += chunk
            except aiohttp.ClientPayloadError:
                told.cut += 1
                continue
        told.answered()
        return bytes(body)


@pytest.mark.parametrize("installer", ["pip", "uv"])
async def test_an_installer_goes_on_where_its_inbond_was_killed(tmp_path: Path, installer: str) -> None:
    """A large file is cut in its middle, which no front can hide: the client asks again, and the other one answers."""
    async with SimIndex() as index:
        large = index.add_wheel("large", "1.0", size=LARGE)
        index.fault(large.path, Stall(after=HELD_AT), times=1)
        async with pair(tmp_path, index) as both:
            installing = asyncio.create_task(asyncio.to_thread(install, installer, tmp_path, both))
            while not both.downloading():
                await asyncio.sleep(0.02)
            (busy,) = both.downloading()
            await asyncio.to_thread(both.kill, busy)
            code, said = await installing
            assert code == 0, said
            assert index.count(path=large.path) == 2


def install(installer: str, place: Path, both: Pair) -> tuple[int, str]:
    env = new_environment(place, "env")
    index = both.url("/simple/")
    trusted = {"SSL_CERT_FILE": str(both.authority), "PIP_CERT": str(both.authority)}
    words = {
        "pip": [sys.executable, "-m", "pip", "--python", str(env), "install", "--no-cache-dir", "--index-url", index],
        "uv": [UV, "pip", "install", "--no-cache", "--python", str(env), "--default-index", index],
    }[installer]
    done = client(place, *words, "large", **trusted)
    return done.returncode, done.stdout + done.stderr


async def test_what_one_with_a_token_was_given_nobody_else_is(tmp_path: Path) -> None:
    """Nothing is kept in the front: each answer is inbond's own, for the one who asks."""
    secrets = {name: secret_of(name.encode() * 8) for name in ("ours", "gone")}
    tokens = [
        f'[[access.tokens]]\nname = "{name}"\nsha256 = "{digest_of(secret).hex()}"\nrole = "reader"\n'
        f'indexes = ["root"]\nexpires = "{expires}"\n'
        for (name, secret), expires in zip(secrets.items(), ("2099-01-01", "2026-01-01"), strict=True)
    ]
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0")
        async with pair(tmp_path, index, readers="granted", more="".join(tokens)) as both, both.session() as session:
            for path in ("/simple/demo/", wheel.path, f"{wheel.path}.metadata"):
                for name, status in (("ours", 200), ("gone", 401), ("", 401), ("ours", 200), ("", 401)):
                    password = aiohttp.encode_basic_auth("__token__", secrets[name]) if name else ""
                    headers = {"Authorization": password} if name else {}
                    async with session.get(both.url(path), headers=headers) as response:
                        assert (response.status, path, name) == (status, path, name)
                        assert "demo" not in await response.text(errors="replace") or status == 200
                        assert response.headers["Cache-Control"] in {"no-cache", "private, no-cache", "no-store"}

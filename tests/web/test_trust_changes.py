"""What is served before, during and after a trusted root changes: a whole inbond with its real verifier process."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from inbond.cli.compose import Running, running
from inbond.cli.config import load_config
from inbond.cli.serve import address_of, start
from sim.index import SimFile, SimIndex
from sim.sigstore import GitHub, GitLab, Identity, Sigstore
from stack import JSON

OLD, NEW, OWN = Sigstore(), Sigstore("new.example"), Sigstore("own.example")
GITLAB = "https://gitlab.acme.example"
AT_ACME = GitLab(host=GITLAB)
LATER = (datetime.now(UTC) + timedelta(days=300), None)
SECONDS = 30.0  # a change takes about 2 s; a machine under load many times that

ONE_SCOPE = """
[server]
listen = "127.0.0.1:0"
[storage]
path = "{data}/data"
[trust.public]
root = "{data}/public.json"
[upstreams.pypi]
url = "{first}"
[policies.default]
listing = "verified"
"""
TWO_SCOPES = (
    ONE_SCOPE
    + f"""
[trust.acme]
root = "{{data}}/acme.json"
issuers = ["{GITLAB}"]
[upstreams.internal]
url = "{{second}}"
trust = ["acme"]
projects = ["acme-*"]
[indexes.root]
policy = "default"
upstreams = ["internal", "pypi"]
"""
)


@dataclass
class Proxy:
    """A running inbond, its roots' files, and a client that keeps what it saw."""

    data: Path
    origin: str
    session: aiohttp.ClientSession
    up: Running
    statuses: list[int] = field(default_factory=list)

    def place(self, scope: str, root: bytes) -> None:
        """As an operator should: whole, by a rename."""
        written = self.data / f"{scope}.new"
        written.write_bytes(root)
        written.replace(self.data / f"{scope}.json")

    async def get(self, path: str) -> tuple[int, bytes]:
        async with self.session.get(f"{self.origin}{path}", headers={"Accept": JSON}) as response:
            body = await response.read()
        self.statuses.append(response.status)
        return response.status, body

    async def json(self, path: str) -> Any:
        return json.loads((await self.get(path))[1])

    async def verdict(self, project: str, file: SimFile) -> dict[str, Any]:
        verdict: dict[str, Any] = await self.json(f"/-/verdict/root/{project}/{file.filename}")
        return verdict

    async def state(self, project: str, file: SimFile) -> str:
        state: str = (await self.verdict(project, file))["evidence"]["state"]
        return state

    async def marked(self, project: str, file: SimFile) -> bool:
        page = await self.json(f"/simple/{project}/")
        (entry,) = (one for one in page["files"] if one["filename"] == file.filename)
        return bool(entry.get("yanked"))

    async def fetched(self, file: SimFile) -> int:
        return (await self.get(file.path))[0]

    async def served(self, project: str, file: SimFile) -> tuple[str, bool, int]:
        """What its evidence is, whether its page marks it, and what a download gets."""
        marked = await self.marked(project, file)
        return await self.state(project, file), marked, await self.fetched(file)

    async def advice(self) -> str:
        ready = await self.json("/-/ready")
        assert ready["ready"], ready
        return str(ready["advice"].get("trust", ""))

    def alerts(self, name: str) -> float:
        return self.up.metrics.registry.get_sample_value("inbond_alerts_total", {"name": name}) or 0.0


GOOD, BAD = ("verified", False, 200), ("unsupported", True, 403)


@asynccontextmanager
async def proxied(data: Path, config: str, first: SimIndex, second: SimIndex | None = None) -> AsyncIterator[Proxy]:
    file = data / "inbond.toml"
    file.write_text(config.format(data=data, first=first.url, second=second.url if second else ""))
    loaded = load_config(file=file, overrides={}, environ={})
    async with running(loaded, poll_every=0.1) as up:
        runner = await start(up, loaded)
        try:
            async with aiohttp.ClientSession() as session:
                yield Proxy(data=data, origin=f"http://{address_of(runner)}", session=session, up=up)
        finally:
            await runner.cleanup()


async def until(happens: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(SECONDS):
        while not await happens():
            await asyncio.sleep(0.05)


def wheel(
    index: SimIndex, by: Sigstore, project: str = "demo", version: str = "1.0", who: Identity | None = None
) -> SimFile:
    identity = who or GitHub()
    return index.add_wheel(project, version, provenance=lambda name, sha256: by.provenance_for(name, sha256, identity))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "public.json").write_bytes(OLD.trusted_root())
    (tmp_path / "acme.json").write_bytes(OWN.trusted_root())
    return tmp_path


async def test_a_rotation_of_keys(data: Path) -> None:
    """The old root, then both keys, then the new alone; what anybody asks for meanwhile is answered by one of them."""
    async with SimIndex() as index:
        before, after = wheel(index, OLD), wheel(index, NEW, version="2.0")
        async with proxied(data, ONE_SCOPE, index) as proxy:
            assert await proxy.served("demo", before) == GOOD
            assert await proxy.served("demo", after) == BAD
            asked = index.count("provenance")

            stop = asyncio.Event()

            async def asking() -> None:
                while not stop.is_set():
                    assert await proxy.served("demo", before) == GOOD
                    assert await proxy.state("demo", after) in ("unsupported", "verified")

            others = [asyncio.ensure_future(asking()) for _ in range(4)]
            proxy.place("public", OLD.trusted_root(NEW))
            await until(lambda: _is(proxy, after, "verified"))
            stop.set()
            await asyncio.gather(*others)
            assert await proxy.served("demo", before) == GOOD
            assert await proxy.served("demo", after) == GOOD

            proxy.place("public", NEW.trusted_root())
            await until(lambda: _is(proxy, before, "unsupported"))
            assert await proxy.served("demo", before) == BAD
            assert await proxy.served("demo", after) == GOOD
            assert index.count("provenance") == asked  # judged again from what is kept
            assert set(proxy.statuses) <= {200, 403}
            assert proxy.alerts("trusted-root-changed") == 2
            assert "a certificate authority that the trusted root does not know" in str(
                await proxy.verdict("demo", before)
            )


async def _is(proxy: Proxy, file: SimFile, state: str) -> bool:
    return await proxy.state("demo", file) == state


@pytest.mark.parametrize(
    ("root", "why"),
    [
        (b"{", "is not JSON"),
        (json.dumps({**json.loads(OLD.trusted_root()), "novelty": 1}).encode(), "novelty"),
        (NEW.trusted_root(ca_window=LATER, ct_window=LATER, log_window=LATER), "from the future"),
        (None, "cannot be read"),
    ],
    ids=["unreadable", "a newer format", "from the future", "taken away"],
)
async def test_a_root_that_cannot_be_used_changes_nothing_that_is_served(
    data: Path, root: bytes | None, why: str
) -> None:
    async with SimIndex() as index:
        good, foreign = wheel(index, OLD), wheel(index, NEW, version="2.0")
        async with proxied(data, ONE_SCOPE, index) as proxy:
            assert await proxy.served("demo", good) == GOOD
            assert await proxy.served("demo", foreign) == BAD
            if root is None:
                (data / "public.json").unlink()
            else:
                proxy.place("public", root)
            await until(proxy.advice)
            assert why in await proxy.advice()
            assert "stays in force" in await proxy.advice()
            assert await proxy.served("demo", good) == GOOD
            assert await proxy.served("demo", foreign) == BAD
            assert proxy.alerts("trusted-root-refused") == 1

            proxy.place("public", OLD.trusted_root())
            await until(lambda: _calm(proxy))
        if root is None:
            return  # a configuration that names a file that is not there is not started with
        proxy.place("public", root)  # replaced while nothing runs: the last good root is in force after a restart
        async with proxied(data, ONE_SCOPE, index) as proxy:
            assert await proxy.served("demo", good) == GOOD
            assert why in await proxy.advice()


async def _calm(proxy: Proxy) -> bool:
    return not await proxy.advice()


async def test_the_loss_of_a_key_survives_a_restart(data: Path) -> None:
    (data / "public.json").write_bytes(OLD.trusted_root(NEW))
    async with SimIndex() as index:
        lost, kept = wheel(index, OLD), wheel(index, NEW, version="2.0")
        async with proxied(data, ONE_SCOPE, index) as proxy:
            assert [await proxy.served("demo", one) for one in (lost, kept)] == [GOOD, GOOD]
        (data / "public.json").write_bytes(NEW.trusted_root())
        async with proxied(data, ONE_SCOPE, index) as proxy:
            assert [await proxy.served("demo", one) for one in (lost, kept)] == [BAD, GOOD]


async def test_a_private_root_beside_the_public_one(data: Path) -> None:
    """Neither vouches for the other's projects, and each changes without the other."""
    async with SimIndex() as public, SimIndex() as internal:
        theirs = wheel(public, OLD)
        ours = wheel(internal, OWN, "acme-tool", who=AT_ACME)
        # what the wrong one signed: a public identity's file offered inside, and one of our host outside
        smuggled_in = wheel(internal, OLD, "acme-tool", "2.0", who=GitHub())
        smuggled_out = wheel(public, OWN, "demo", "2.0", who=AT_ACME)
        async with proxied(data, TWO_SCOPES, public, internal) as proxy:

            async def all_four() -> list[tuple[str, bool, int]]:
                return [
                    await proxy.served("demo", theirs),
                    await proxy.served("acme-tool", ours),
                    await proxy.served("acme-tool", smuggled_in),
                    await proxy.served("demo", smuggled_out),
                ]

            assert await all_four() == [GOOD, GOOD, BAD, BAD]
            assert _trust(await proxy.verdict("acme-tool", ours)) == ["acme"]
            assert _trust(await proxy.verdict("demo", theirs)) == ["public"]

            proxy.place("acme", OWN.trusted_root(NEW))  # the private one changes: the public one's evidence stays
            digest = (await proxy.verdict("demo", theirs))["evidence"]["trusted_root_sha256"]
            await until(lambda: _changed(proxy, 1))
            assert await all_four() == [GOOD, GOOD, BAD, BAD]
            assert (await proxy.verdict("demo", theirs))["evidence"]["trusted_root_sha256"] == digest

            proxy.place("public", b"broken")
            await until(proxy.advice)
            assert await all_four() == [GOOD, GOOD, BAD, BAD]

            proxy.place("public", NEW.trusted_root())
            await until(lambda: _changed(proxy, 2))
            assert await all_four() == [BAD, GOOD, BAD, BAD]


async def _changed(proxy: Proxy, times: int) -> bool:
    return proxy.alerts("trusted-root-changed") == times


def _trust(verdict: dict[str, Any]) -> list[str]:
    return [one["trust"] for one in verdict["evidence"]["attestations"]]


async def test_metrics_tell_the_age_of_each_scope_s_root(data: Path) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=3)
    async with SimIndex() as public, SimIndex() as internal:
        async with proxied(data, TWO_SCOPES, public, internal):
            pass
        kept = data / "data/ledger/trust/acme/in_force.json"
        os.utime(kept, (long_ago.timestamp(), long_ago.timestamp()))
        async with proxied(data, TWO_SCOPES, public, internal) as proxy:
            _, exposed = await proxy.get("/metrics")

    ages = {
        line.split('"')[1]: float(line.split()[-1])
        for line in exposed.decode().splitlines()
        if "root_age" in line and line[0] != "#"
    }
    assert ages["acme"] == pytest.approx(3 * 24 * 3600, abs=120)
    assert 0 <= ages["public"] < 120

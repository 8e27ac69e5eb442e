"""A whole inbond in this process: real server, real store, real upstream code, simulated index and Sigstore."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from inbond.attest.verify import ProvenanceVerifier
from inbond.cli.among import Among
from inbond.cli.compose import Running, assembled
from inbond.cli.config import load_config
from inbond.cli.serve import address_of, start
from inbond.model.evidence import Rejected, Unsupported, Verified
from inbond.model.names import Filename
from inbond.model.occurrence import OccurrenceKind
from inbond.upstream.limits import DEFAULT, Limits
from inbond.web.settings import ServerLimits
from sim.index import SimIndex
from sim.managers import Manager
from sim.sigstore import Sigstore

JSON = "application/vnd.pypi.simple.v1+json"
ONE_INDEX = """
[server]
listen = "127.0.0.1:0"
[storage]
path = "{data}"
[upstreams.pypi]
url = "{upstream}"
"""

# one upstream under three policies that differ in `attestations`: off, if-present (root) and require
THREE_POLICIES = """
[policies.off]
attestations = "off"
[policies.require]
attestations = "require"
[indexes.root]
policy = "default"
upstreams = ["pypi"]
[indexes.off]
policy = "off"
upstreams = ["pypi"]
[indexes.require]
policy = "require"
upstreams = ["pypi"]
"""


@cache
def sigstore() -> Sigstore:
    """One private Sigstore for all tests: making its keys takes a while."""
    return Sigstore()


@dataclass
class LocalVerifier:
    """Verifies in this process, against the private Sigstore; counts, and can be held or broken by a test."""

    root: bytes = field(default_factory=lambda: sigstore().trusted_root())
    calls: int = 0
    before: Callable[[], Any] | None = None

    def __post_init__(self) -> None:
        self.trust(self.root)

    def trust(self, root: bytes) -> None:
        """From now on another trusted root vouches."""
        self._verifier = ProvenanceVerifier.public(root)

    def trust_of(self, upstream: str) -> str:
        return self._verifier.trusted_root_sha256

    async def verify(
        self,
        provenance: bytes,
        *,
        upstream: str,
        filename: Filename,
        sha256: str,
        now: datetime,
    ) -> Verified | Rejected | Unsupported:
        self.calls += 1
        if self.before is not None:
            await self.before()
        return self._verifier.verify(provenance, filename=filename, sha256=sha256, now=now)


class SetClock:
    """A clock that a test sets; it begins at the real time, because signatures are made in it."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def advance(self, length: timedelta) -> None:
        self.ahead += length


@dataclass
class Inbond:
    """A running inbond and a client for it."""

    origin: str
    session: aiohttp.ClientSession
    up: Running
    app: web.Application
    clock: SetClock
    verifier: LocalVerifier

    def url(self, path: str) -> str:
        return f"{self.origin}{path}"

    async def get(self, path: str, **headers: str) -> tuple[int, bytes, aiohttp.ClientResponse]:
        async with self.session.get(self.url(path), headers=headers, allow_redirects=False) as response:
            return response.status, await response.read(), response

    async def page(self, project: str, index: str = "") -> dict[str, Any]:
        status, body, _ = await self.get(f"{index}/simple/{project}/", Accept=JSON)
        assert status == 200, body
        page: dict[str, Any] = json.loads(body)
        return page

    async def listed(self, project: str, filename: str, index: str = "") -> dict[str, Any]:
        files = (await self.page(project, index))["files"]
        entry: dict[str, Any] = next(file for file in files if file["filename"] == filename)
        return entry

    async def path_of(self, project: str, filename: str, index: str = "") -> str:
        url: str = (await self.listed(project, filename, index))["url"]
        assert url.startswith("../../packages/")
        return f"{index}/{url.removeprefix('../../')}"

    async def verdict(self, project: str, filename: str, index: str = "root") -> dict[str, Any]:
        status, body, _ = await self.get(f"/-/verdict/{index}/{project}/{filename}")
        assert status == 200, body
        verdict: dict[str, Any] = json.loads(body)
        return verdict

    async def metric(self, sample: str, **labels: str) -> float:
        return self.up.metrics.registry.get_sample_value(sample, labels) or 0.0

    async def occurred(self, kind: OccurrenceKind) -> list[str]:
        """The messages of the occurrences of a kind that the ledger holds by now."""
        base = self.up.parts.base
        await base.book.write()
        found = await base.ledger.occurrences(since=datetime.fromtimestamp(0, UTC))
        return [one.message for one in found if one.kind is kind]


@asynccontextmanager
async def inbond(
    data: Path,
    *indexes: SimIndex | Manager,
    config: str = ONE_INDEX,
    more: str = "",
    verifier: LocalVerifier | None = None,
    clock: SetClock | None = None,
    limits: Limits = DEFAULT,
    environ: Mapping[str, str] | None = None,
    server_limits: ServerLimits | None = None,
    among: Among | None = None,
    ahead: bool = True,
) -> AsyncIterator[Inbond]:
    """Starts inbond in front of simulated indexes. `config` may name `{data}`, `{upstream}` and `{upstream1}` …

    `ahead`: False keeps those from being asked for what nobody has asked for yet, so that a test can count what it
    causes; whoever sets it says why.
    """
    urls = {"upstream": indexes[0].url, **{f"upstream{n}": index.url for n, index in enumerate(indexes)}}
    file = data / "inbond.toml"
    file.write_text((config + more).format(data=data / "data", **urls))
    loaded = load_config(file=file, overrides={}, environ=environ or {})  # never that of whoever runs the tests
    if server_limits is not None:
        loaded = replace(loaded, server=replace(loaded.server, limits=server_limits))
    verifier = verifier or LocalVerifier()
    clock = clock or SetClock()
    upstreams = tuple(replace(one, ahead=ahead and one.ahead) for one in loaded.upstreams_at(""))
    async with assembled(loaded, upstreams, verifier, clock=clock, limits=limits, among=among) as up:
        runner = await start(up, loaded)
        try:
            async with aiohttp.ClientSession(auto_decompress=True) as session:
                yield Inbond(f"http://{address_of(runner)}", session, up, runner.app, clock, verifier)
        finally:
            await runner.cleanup()

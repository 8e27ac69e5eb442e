"""Mixed load on an index of known content, and the truth that every answer is compared with."""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

import aiohttp

from sim.index import SimFile, SimIndex

JSON: Final = "application/vnd.pypi.simple.v1+json"
SIZES: Final = (3_000, 40_000, 300_000, 3_000_000)  # bytes of the wheels, the smallest most often
PATIENCE: Final = aiohttp.ClientTimeout(total=60)
OVERLOADED: Final = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT})


@dataclass
class Content:
    """What the simulated index has: projects with a few files each; a new release now and then."""

    index: SimIndex
    chance: random.Random
    files: list[SimFile] = field(default_factory=list)
    late: set[str] = field(default_factory=set)  # the files that were not there from the start

    def fill(self, projects: int, releases: int = 2) -> None:
        """Adds projects."""
        for number in range(projects):
            for release in range(releases):
                self._add(f"demo{number}", f"1.{release}")

    def publish(self) -> None:
        """A new release of some project: its page's serial rises."""
        file = self.chance.choice(self.files)
        self.late.add(self._add(file.project, f"2.{len(self.files)}").filename)

    def _add(self, project: str, version: str) -> SimFile:
        file = self.index.add_wheel(project, version, size=self.chance.choices(SIZES, weights=(8, 4, 2, 1))[0])
        self.files.append(file)
        return file


@dataclass
class Seen:
    """What clients got. `wrong` must stay empty."""

    wrong: list[str] = field(default_factory=list)
    ended: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, list[float]] = field(default_factory=lambda: {"page": [], "file": []})
    serials: dict[str, int] = field(default_factory=dict)  # the highest that any client got of a project
    bytes: int = 0


class Clients:
    """Raw clients of one inbond, which may die under them. `origin` is where it is now."""

    def __init__(self, content: Content, seen: Seen, chance: random.Random, *, pause: float = 0.0) -> None:
        self.origin: str | None = None
        self._content = content
        self._seen = seen
        self._chance = chance
        self._pause = pause  # seconds between two requests of one client

    async def run(self, clients: int, stop: asyncio.Event) -> None:
        """Asks until it is told to stop."""
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, timeout=PATIENCE) as session:
            await asyncio.gather(*(self._one(session, stop) for _ in range(clients)))

    async def _one(self, session: aiohttp.ClientSession, stop: asyncio.Event) -> None:
        while not stop.is_set():
            origin = self.origin
            if origin is None:
                await asyncio.sleep(0.01)
                continue
            ask = self._page if self._chance.random() < 0.4 else self._file
            try:
                await ask(session, origin)
                await asyncio.sleep(self._pause)
            except (aiohttp.ClientError, TimeoutError, ConnectionError):
                self._seen.ended["broken off"] += 1
                await asyncio.sleep(0.01)

    async def _page(self, session: aiohttp.ClientSession, origin: str) -> None:
        project = self._chance.choice(self._content.files).project
        acknowledged, began = self._seen.serials.get(project, 0), time.perf_counter()
        url = f"{origin}/simple/{project}/"
        async with session.get(url, headers={"Accept": JSON}) as response:
            body = await response.read()
            self._seen.ended[f"page {response.status}"] += 1
            if response.status != HTTPStatus.OK:
                return self._refused(f"page of {project}", response.status)
            page = await response.json(content_type=None)
        self._seen.seconds["page"].append(time.perf_counter() - began)
        self._seen.bytes += len(body)
        serial = page["meta"]["_last-serial"]
        if serial < acknowledged:
            self._seen.wrong.append(f"the page of {project} went back from serial {acknowledged} to {serial}")
        self._seen.serials[project] = max(serial, self._seen.serials.get(project, 0))
        return None

    async def _file(self, session: aiohttp.ClientSession, origin: str) -> None:
        file, began = self._chance.choice(self._content.files), time.perf_counter()
        digest, size = hashlib.sha256(), 0
        async with session.get(origin + file.path) as response:
            async for chunk in response.content.iter_any():
                digest.update(chunk)
                size += len(chunk)
            self._seen.ended[f"file {response.status}"] += 1
            if response.status == HTTPStatus.NOT_FOUND and file.filename in self._content.late:
                return None  # the page that is known has not been asked for again yet
            if response.status != HTTPStatus.OK:
                return self._refused(file.filename, response.status)
        self._seen.seconds["file"].append(time.perf_counter() - began)
        self._seen.bytes += size
        if digest.hexdigest() != file.sha256:
            self._seen.wrong.append(f"{file.filename}: {size} bytes with sha256 {digest.hexdigest()} were completed")
        return None

    def _refused(self, what: str, status: int) -> None:
        if status not in OVERLOADED:
            self._seen.wrong.append(f"{what}: answered {status}")


def quantile(values: list[float], share: float) -> float:
    """The value that this share of all is not above; 0 where there is none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0

"""A work: one thing that is done against every server in turn, and what it needs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp

from harness.figures import Sample
from harness.plan import Plan
from harness.servers import Server, server
from harness.upstream import Upstream


@dataclass(kw_only=True)
class Bench:
    """What works have at hand."""

    plan: Plan
    upstream: Upstream
    place: Path
    servers: dict[str, Server] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)  # servers that did not start, and why
    peaks: dict[tuple[str, int], float] = field(default_factory=dict)  # requests/s of a hot page, by server and round
    quiet: dict[tuple[str, int], float] = field(default_factory=dict)  # its p99.9, ms, while nothing else goes on

    def scratch(self) -> Path:
        """A new directory that goes with the run."""
        place = Path(mkdtemp(dir=self.place))
        place.chmod(0o755)
        return place

    def fresh(self, name: str) -> AbstractContextManager[Server]:
        """A server of that name with an empty cache, beside those that run."""
        return server(name, self.upstream, self.scratch())


class NotOffered(Exception):
    """The server has no such thing; the message says what."""


def _nothing(_: Bench, __: Server) -> None:
    """What needs no warming."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """`run` does it once, in a round; `warm` what comes before the first. Both may raise NotOffered."""

    name: str
    group: str
    unit: str
    servers: tuple[str, ...]
    reference: str
    parts: tuple[str, ...]
    run: Callable[[Bench, Server, int], Sample]
    warm: Callable[[Bench, Server], None] = _nothing
    client: str = "raw"  # who asks: raw, wrk, pip or uv
    less_is_better: bool = True
    most_rounds: int = 100
    told: str = ""  # how it is measured, for the page of the results
    own_servers: bool = False  # `run` starts its own, with empty caches, by the name of the server that it is given

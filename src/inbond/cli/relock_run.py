"""What `inbond relock` does: read, learn which of upstream's prefixes stands for inbond's, swap, write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from inbond.cli.config import Config
from inbond.cli.config_presets import written_predicate_type
from inbond.cli.foundation import Looking, looking
from inbond.cli.trusting import verifier_on_demand
from inbond.gateway.indexes import ROOT, Index, find_page
from inbond.gateway.paths import published_path
from inbond.locks.lock import Lock
from inbond.locks.relock import LeftUrl, Relocked, index_files, names_files, relocked
from inbond.locks.relock_prefixes import Prefixes, prefixes_at, prefixes_of, swapped_file
from inbond.model.errors import ConfigurationError
from inbond.model.names import ProjectName
from inbond.simple.addresses import last_segment
from inbond.upstream.settings import UpstreamSettings

__all__ = ["Done", "Wanted", "base_url", "names_files", "run"]

# Of one host, so many projects' pages are asked for before its files are left as they are.
MAX_ASKED_PER_HOST: Final = 3
_EVERYWHERE: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 (compared with, not bound to)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to do. `files_at`: upstream's prefixes of files; given, nothing is asked of upstream."""

    back: bool = False
    index: str = ROOT
    at: str | None = None  # inbond's address without a slash at its end; None: as configured
    files_at: tuple[str, ...] = ()
    simple_at: str | None = None  # upstream's index URL; None: as configured


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What came of it. `base`: the index at inbond; `reasons`: why files of a host were left."""

    result: Relocked
    base: str
    reasons: Mapping[str, str]


async def run(config: Config, lock: Lock, raw: bytes, wanted: Wanted) -> Done:
    """Swaps, in memory. Raises `NotReversible`, `UpstreamFault`, and `OperatorFault` for the configuration."""
    verifier = await verifier_on_demand(config)  # never asked: no file is judged here
    try:
        predicate_type = written_predicate_type() or (await verifier.hello()).publish_predicate_type
        upstreams = config.upstreams_at(predicate_type)
        base = base_url(config, wanted)
        pairs = _index_pairs(config, upstreams, wanted, base)
        reasons: dict[str, str] = {}
        if wanted.files_at:
            pairs += [_given(url, base) for url in wanted.files_at]
        else:
            async with looking(config, upstreams, verifier) as look:
                learner = _Learner(look, look.indexes[wanted.index], base, back=wanted.back)
                pairs += await learner.learn(lock)
                reasons = learner.reasons
        return Done(result=relocked(lock, raw, pairs, back=wanted.back), base=base, reasons=reasons)
    finally:
        await verifier.aclose()


def base_url(config: Config, wanted: Wanted) -> str:
    """The index at inbond as clients reach it, with a slash at its end. Raises `ConfigurationError`."""
    server = config.server
    origin = wanted.at or server.public_url
    if origin is None:
        if server.listen.host in _EVERYWHERE or server.listen.port == 0:
            raise ConfigurationError(
                f"inbond listens on {server.listen}, which is no address that clients can be sent to",
                remedy="name the address under which clients reach it with --at, or set public_url in [server]",
            )
        origin = f"http://{server.listen}"
    prefix = "" if wanted.index == ROOT else f"{wanted.index}/"
    return f"{origin.rstrip('/')}/{prefix}"


def _index_pairs(config: Config, upstreams: tuple[UpstreamSettings, ...], wanted: Wanted, base: str) -> list[Prefixes]:
    index = next((one for one in config.indexes if one.name == wanted.index), None)
    if index is None:
        known = ", ".join(one.name for one in config.indexes)
        raise ConfigurationError(f"there is no index {wanted.index!a}", remedy=f"configured are: {known}")
    urls = [wanted.simple_at] if wanted.simple_at else [one.url for one in upstreams if one.name in index.upstreams]
    return [_index_pair(url, base) for url in urls]


def _index_pair(url: str, base: str) -> Prefixes:
    try:
        return Prefixes(upstream=url.removesuffix("/"), inbond=f"{base}simple", index=True)
    except ValueError as error:
        raise ConfigurationError(str(error)) from None


def _given(url: str, base: str) -> Prefixes:
    try:
        return prefixes_at(url, base)
    except ValueError as error:
        raise ConfigurationError(str(error), remedy="--files-at takes the beginning of the files' URLs") from None


class _Learner:
    """Learns from upstream's pages, through inbond, which prefix stands for which; the same in both directions."""

    def __init__(self, look: Looking, index: Index, base: str, *, back: bool) -> None:
        self._look = look
        self._index = index
        self._base = base
        self._back = back
        self.reasons: dict[str, str] = {}  # by host

    async def learn(self, lock: Lock) -> list[Prefixes]:
        """The pairs for the files of a lock. Raises `UpstreamFault`."""
        found: list[Prefixes] = []
        asked: dict[str, int] = {}
        for project, file in self._open(lock):
            origin = "/".join(file.url.split("/")[:3])
            if self._fits(file.url, found) or asked.get(origin, 0) == MAX_ASKED_PER_HOST:
                continue
            asked[origin] = asked.get(origin, 0) + 1
            match await self._ask(ProjectName(project), file):
                case Prefixes() as pair:
                    found.append(pair)
                case reason:
                    self.reasons.setdefault(origin, reason)
        return found

    def _open(self, lock: Lock) -> Iterator[tuple[str, LeftUrl]]:
        """What could be swapped: not what points there already."""
        here = f"{self._base}packages/"
        return ((project, file) for project, file in index_files(lock) if file.url.startswith(here) is self._back)

    def _fits(self, url: str, pairs: Sequence[Prefixes]) -> bool:
        return swapped_file(url, [pair.turned() for pair in pairs] if self._back else pairs) is not None

    async def _ask(self, project: ProjectName, file: LeftUrl) -> Prefixes | str:
        name = last_segment(file.url)
        state = await find_page(self._look.pages, self._index, project)
        listed = state.page.file(name) if state is not None else None
        if listed is None:
            return f"index {self._index.name} has no {name}"
        pair = prefixes_of(listed.url, published_path(listed), self._base)
        if isinstance(pair, Prefixes) and not self._fits(file.url, [pair]):
            return f"upstream has {name} at {pair.upstream}"
        return pair

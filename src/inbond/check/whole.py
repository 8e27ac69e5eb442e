"""Findings about a lock as a whole: which of its addresses lead past inbond, and what it leaves open. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from inbond.check.report import LockFinding
from inbond.locks.lock import FromIndex, Lock, LockFormat, Place
from inbond.model.verdict import Finding, Outcome

BYPASS: Final = "bypass"
OTHER_INDEX: Final = "other-index"
UNPINNED: Final = "unpinned"
# Formats that hold file URLs and whose installers go there without asking an index.
_RELOCKABLE: Final = frozenset({LockFormat.UV, LockFormat.PYLOCK})


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """`ours`: where clients reach inbond (`https://host`, no slash at the end). `upstreams`: the index's own."""

    ours: str
    upstreams: Collection[str]

    def is_ours(self, url: str) -> bool:
        """Whether a URL leads to inbond."""
        return _origin(url) == _origin(self.ours)

    def is_upstream(self, url: str) -> bool:
        """Whether a URL is that of an upstream, as somebody may have written it."""
        return url.rstrip("/") in {upstream.rstrip("/") for upstream in self.upstreams}


def findings_of(lock: Lock, addresses: Addresses) -> tuple[LockFinding, ...]:
    """Everything to be said of the lock itself."""
    return (*_past_inbond(lock, addresses), *_other_indexes(lock, addresses), *_open(lock))


def _past_inbond(lock: Lock, addresses: Addresses) -> Iterable[LockFinding]:
    found: dict[str, list[Place]] = {}
    for dependency in lock.dependencies:
        if not isinstance(dependency.source, FromIndex):
            continue  # said of the entry itself
        for file in dependency.files:
            if file.url is not None and not addresses.is_ours(file.url):
                found.setdefault(_origin(file.url), []).append(file.place)
    remedy = f"inbond relock {lock.source}" if lock.format in _RELOCKABLE else "lock it anew through inbond"
    for origin, places in found.items():
        lead = "leads" if len(places) == 1 else "lead"
        message = f"{_count(len(places), 'file URL')} {lead} to {origin}: an install from this lock goes past inbond"
        yield LockFinding(finding=_warn(BYPASS, message, remedy), place=min(places))


def _other_indexes(lock: Lock, addresses: Addresses) -> Iterable[LockFinding]:
    for index in lock.indexes:
        if addresses.is_ours(index.url) or (addresses.is_upstream(index.url) and not index.extra):
            continue
        besides = "besides the one that it is told to use" if index.extra else "that inbond does not stand in front of"
        remedy = "make it an upstream of inbond, and let the lock name inbond alone"
        yield LockFinding(
            finding=_warn(OTHER_INDEX, f"it asks {index.url}, an index {besides}", remedy), place=index.place
        )


def _open(lock: Lock) -> Iterable[LockFinding]:
    if lock.format is not LockFormat.REQUIREMENTS:
        return
    places = [
        dependency.place
        for dependency in lock.dependencies
        if dependency.version is None and isinstance(dependency.source, FromIndex)
    ]
    if places:
        which = f"{_count(len(places), 'requirement')} without a version"
        message = f"{which}: what is installed may change, and what they need is not checked"
        yield LockFinding(
            finding=_warn(UNPINNED, message, "lock them: uv pip compile, or pip-compile"), place=places[0]
        )


def _warn(rule: str, message: str, remedy: str) -> Finding:
    return Finding(rule=rule, outcome=Outcome.WARN, message=message, remedy=remedy)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"

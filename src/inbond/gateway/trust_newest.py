"""Which root of a scope with `root = "auto"` is the newest of those on this machine.

One that TUF gave takes the place of the one that sigstore ships, as long as sigstore ships
the one it shipped then. After an upgrade of sigstore, and until TUF has been asked again, that with the later beginning
of a key counts, or where that is the same the one in which more keys have ended; with neither, what TUF gave. What
sigstore ships counts only for its own repository: with a `tuf_root` of the operator's there is nothing shipped.

What has once taken its place is not given up: where it is damaged or gone, `read` fails, so that the root in force
stays, and what sigstore ships does not come back with keys that were withdrawn. What was fetched from another
repository, by another `tuf_root`, is nothing to this one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from inbond.gateway.trust import read_root
from inbond.gateway.trust_files import TrustFiles
from inbond.gateway.trust_kept import Fetched, Kept, RootLost
from inbond.model.errors import OperatorFault
from inbond.upstream.proxies import DIRECT, Proxies


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A TUF repository as configured. None: the public Sigstore's address, and the root.json that sigstore ships."""

    url: str | None = None
    root: Path | None = None
    proxies: Proxies = field(default=DIRECT, repr=False)

    @property
    def identity(self) -> str:
        """By what it is told whether something came from this repository. Blocks.

        The public Sigstore's is what its own root.json signs, at whatever address: a mirror can only keep it back.
        """
        if self.root is None:
            return "public"
        try:
            begins = sha256(read_root(self.root)).hexdigest()
        except OperatorFault:
            begins = "unreadable"  # so nothing came from it, and nothing can
        return sha256(f"{self.url}\0{begins}".encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Newest:
    """What counts of a scope's kept and shipped roots. `find_shipped`: where sigstore's own lies. All of it blocks."""

    kept: Kept
    repository: Repository
    find_shipped: Callable[[], Path]

    @property
    def origin(self) -> str:
        """As `RootSource.origin`."""
        return f"tuf {self.repository.identity}"

    def current(self) -> tuple[bytes, Fetched | None] | None:
        """The newest root on this machine, and how it came here; None beside the one that sigstore ships.

        Raises RootLost.
        """
        kept, shipped = self._kept(), self.shipped()
        if shipped is None:
            return kept
        if kept is None:
            return self._not_before_the_last(shipped), None
        raw, record = kept
        replaced = record.shipped_sha256 == sha256(shipped).hexdigest()
        return kept if replaced or _age(raw) >= _age(shipped) else (shipped, None)

    def digest(self) -> str | None:
        """Of the newest root on this machine; None where there is none to be had."""
        found = None
        with suppress(RootLost):
            found = self.current()
        return None if found is None else sha256(found[0]).hexdigest()

    def _kept(self) -> tuple[bytes, Fetched] | None:
        record = self.kept.record()
        if record is not None and not self.is_ours(record):
            return None
        kept = self.kept.read()
        return kept if kept is not None and self.is_ours(kept[1]) else None

    def is_ours(self, record: Fetched) -> bool:
        """Whether a root counts: from this repository, or given by the operator as a file."""
        return record.by == "file" or record.repository == self.repository.identity

    def _not_before_the_last(self, shipped: bytes) -> bytes:
        """What is shipped, unless another root was in force that TUF gave, or that is newer: it was kept and is gone.

        One that sigstore shipped before is neither.
        """
        directory = self.kept.directory
        last = TrustFiles(directory.parent).root(directory.name)
        if last is None or last.origin != self.origin or last.raw == shipped:
            return shipped
        if (self.kept.metadata / "targets.json").exists() or _age(last.raw) >= _age(shipped):
            raise RootLost(directory)
        return shipped

    def shipped(self) -> bytes | None:
        """What sigstore ships, where that counts for this repository."""
        if self.repository.root is not None:
            return None
        with suppress(OperatorFault):
            return read_root(self.find_shipped())
        return None

    def public_url(self) -> str:
        """The address of the public Sigstore's repository. Raises OperatorFault without sigstore."""
        # sigstore keeps what belongs to a repository in a directory of its address.
        return unquote(self.find_shipped().parent.name)


def _age(raw: bytes) -> tuple[str, int]:
    """What grows from one root to the next: the latest beginning of a key, and how many have an end."""
    try:
        windows = list(_windows(json.loads(raw)))
    except (ValueError, RecursionError):
        return "", 0
    # RFC 3339 in UTC, as the roots of a Sigstore have it, so the texts sort as the times.
    starts = (str(window.get("start", "")) for window in windows)
    return max(starts, default=""), sum("end" in window for window in windows)


def _windows(value: Any) -> Iterator[dict[str, Any]]:
    match value:
        case {"validFor": dict() as window, **others}:
            yield window
            yield from _windows(others)
        case dict():
            for below in value.values():
                yield from _windows(below)
        case list():
            for below in value:
                yield from _windows(below)

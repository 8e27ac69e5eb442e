"""From the short digest in a "why" link back to the file it is about."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from inbond.gateway.lru import Lru
from inbond.model.names import Filename, ProjectName, is_sha256
from inbond.store.protocols import Documents

DIGITS: Final = 12
MAX_REMEMBERED: Final = 100_000  # files
MAX_FOR_ONE_DIGEST: Final = 16  # the same bytes on several indexes


class Subject(msgspec.Struct, array_like=True, frozen=True):
    """A file on an index."""

    index: str
    project: str
    filename: str

    @property
    def key(self) -> tuple[str, ProjectName, Filename]:
        """The names, validated."""
        return self.index, ProjectName(self.project), Filename(self.filename)


class WhyBook:
    """Remembers what explanations were linked to; in memory, and in the cache for what was refused."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._subjects: Lru[str, tuple[Subject, ...]] = Lru(MAX_REMEMBERED)
        self._kept: Lru[str, tuple[Subject, ...]] = Lru(MAX_REMEMBERED)

    def note(self, sha256: str, subject: Subject) -> None:
        """Remembers a subject while this process lives."""
        prefix = sha256[:DIGITS]
        known = self._subjects.get(prefix) or ()
        if subject not in known:
            self._subjects.put(prefix, (*known, subject)[-MAX_FOR_ONE_DIGEST:])

    async def keep(self, sha256s: Iterable[str]) -> None:
        """Stores what is remembered under these digests, so that their links outlive a restart."""
        for prefix in {sha256[:DIGITS] for sha256 in sha256s}:
            known = self._subjects.get(prefix)
            if known is not None and self._kept.get(prefix) != known:
                await self._documents.put(f"why/{prefix}", msgspec.msgpack.encode(await self.find(prefix)))
                self._kept.put(prefix, known)

    async def find(self, prefix: str) -> tuple[Subject, ...]:
        """The files that a link may mean, across indexes; empty where none is remembered."""
        if len(prefix) != DIGITS or not is_sha256(prefix.ljust(64, "0")):
            return ()
        known = self._subjects.get(prefix) or ()
        raw = await self._documents.get(f"why/{prefix}")
        if raw is None:
            return known
        try:
            stored = msgspec.msgpack.decode(raw, type=tuple[Subject, ...])
        except msgspec.MsgspecError:
            return known
        return tuple(dict.fromkeys((*known, *stored)))[:MAX_FOR_ONE_DIGEST]

"""The last good archive of a source at a URL, kept in the cache: what counts at a start while the URL is down."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Final

import msgspec

from inbond.advisories.snapshot import SourceRecords
from inbond.gateway.advisory_sources import Look, Unreadable, read_place
from inbond.store.disk import DISK
from inbond.store.files import make_private, unavailable
from inbond.upstream.answers import NotModified, Validators
from inbond.upstream.feed import Feed, FeedSettings

MAX_FACTS_BYTES: Final = 64 * 1024  # some hundred bytes are written


class _Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What stands beside the archive. `url` is a digest: its query may be a token."""

    url: str
    archive: str  # sha256
    confirmed: datetime  # when upstream last said that this is it
    etag: str | None = None
    last_modified: str | None = None


_FACTS: Final = msgspec.json.Decoder(_Facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Records, and when their source last said that they are all there is."""

    records: SourceRecords
    confirmed: datetime


class KeptArchive:
    """The archive of one source below a directory. A bad one never takes the place of a good one."""

    def __init__(self, directory: Path, settings: FeedSettings) -> None:
        self._archive = directory / f"{settings.name}.archive"
        self._coming = directory / f"{settings.name}.coming.{os.getpid()}"
        self._facts = directory / f"{settings.name}.json"
        self._url = sha256(settings.url.encode()).hexdigest()

    def load(self) -> Kept | None:
        """What was kept last; None where there is nothing, or it came from elsewhere. Blocks. Raises `Unreadable`."""
        facts = self._read_facts()
        if facts is None or not self._archive.exists():
            return None
        return Kept(records=read_place(self._archive), confirmed=facts.confirmed)

    def look(self) -> Look | None:
        """What is kept, without reading it; None where nothing is. Blocks."""
        facts = self._read_facts()
        if facts is None or not self._archive.exists():
            return None
        return Look(mark=f"kept {facts.archive}", at=facts.confirmed, how="kept from before")

    @property
    def path(self) -> Path:
        """Where the archive is kept."""
        return self._archive

    def age_mark(self) -> str:
        """Differs when another process has fetched meanwhile. Blocks."""
        facts = self._read_facts()
        return "" if facts is None else f"{facts.archive} {facts.confirmed.isoformat()}"

    async def fetch(self, feed: Feed, *, usable: bool, now: datetime) -> Kept | None:
        """Asks for a newer archive and keeps it; None where the one that is kept still holds.

        `usable`: whether that one could be read. Raises `UpstreamFault`, `Unreadable` where what came cannot be used,
        `StoreUnavailable`.
        """
        facts = await asyncio.to_thread(self._prepared)
        facts = facts if usable else None
        known = None if facts is None else Validators(etag=facts.etag, last_modified=facts.last_modified)
        try:
            answer = await feed.fetch(self._coming, known)
            if isinstance(answer, NotModified):
                assert facts is not None
                await asyncio.to_thread(self._keep_facts, msgspec.structs.replace(facts, confirmed=now))
                return None
            return await asyncio.to_thread(self._take, answer, now)
        finally:
            with suppress(OSError):
                self._coming.unlink(missing_ok=True)

    def _prepared(self) -> _Facts | None:
        try:
            make_private(self._archive.parent)
        except OSError as error:
            raise unavailable("keep advisories", error) from error
        return self._read_facts() if self._archive.exists() else None

    def _take(self, validators: Validators, now: datetime) -> Kept:
        try:
            records = read_place(self._coming)
        except Unreadable as error:
            raise Unreadable(str(error).replace(f"{self._coming}", "the archive that came")) from error
        with self._coming.open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
        facts = _Facts(
            url=self._url,
            archive=digest,
            confirmed=now.astimezone(UTC),
            etag=validators.etag,
            last_modified=validators.last_modified,
        )
        try:
            # Without its facts the old archive is none: cut short in between, the next start asks anew.
            self._facts.unlink(missing_ok=True)
            self._coming.replace(self._archive)
            DISK.sync_directory(self._archive.parent)
        except OSError as error:
            raise unavailable("keep advisories", error) from error
        self._keep_facts(facts)
        return Kept(records=records, confirmed=now)

    def _keep_facts(self, facts: _Facts) -> None:
        coming = self._coming.with_suffix(".facts")
        try:
            coming.write_bytes(msgspec.json.encode(facts))
            coming.replace(self._facts)
        except OSError as error:
            raise unavailable("keep advisories", error) from error

    def _read_facts(self) -> _Facts | None:
        try:
            with self._facts.open("rb") as file:
                facts = _FACTS.decode(file.read(MAX_FACTS_BYTES))
        except (OSError, ValueError):  # msgspec's errors are ValueErrors
            return None
        return facts if facts.url == self._url else None

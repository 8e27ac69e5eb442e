"""What the ledger remembers of pages: serials, digests, and which page was the newest."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property

from inbond.model.acts import Act
from inbond.model.memory import NewestPage, PageMemory, PageRecord
from inbond.model.names import Filename, ProjectName
from inbond.model.occurrence import Occurrence
from inbond.model.serials import SerialReset
from inbond.store import (
    page_records,
    pages,
    serials,
)
from inbond.store.ledger_connections import LedgerConnections
from inbond.store.remembering import Remembering


class LedgerPages(LedgerConnections):
    """The protocol `Memory`."""

    async def projects(self) -> frozenset[ProjectName]:
        """The projects of which any page is remembered; none where no server has used it yet."""
        return await self._look(pages.projects)

    async def highest_serial(self, upstream: str, project: ProjectName) -> int | None:
        """The highest serial of any page remembered, or None."""
        return await self._look(lambda connection: pages.highest_serial(connection, upstream, project))

    async def remember_page(
        self,
        upstream: str,
        project: ProjectName,
        *,
        serial: int | None,
        files: Sequence[tuple[Filename, str | None]],
        page_sha256: str | None = None,
        now: datetime,
    ) -> PageMemory:
        """Records a page and returns what is now remembered: on disk before this returns, or not at all.

        Only what is new is written, and what brings nothing new waits for no lock. A page whose serial is below the
        highest adds files never seen before and changes nothing else. Raises ValueError for a digest that is none.
        """
        if self._may_be_known(upstream, project, compared=serial is not None or page_sha256 is not None):
            known = await self._look(
                lambda connection: pages.remembered(
                    connection, upstream, project, serial=serial, files=files, page_sha256=page_sha256
                )
            )
            if known is not None:
                return known
        return await self._remembering.remember(
            pages.Seen(upstream=upstream, project=project, serial=serial, files=files, page_sha256=page_sha256, now=now)
        )

    def _may_be_known(self, upstream: str, project: ProjectName, *, compared: bool) -> bool:
        """Whether a page may add nothing. `compared`: it has a serial or a digest, one of which each page leaves."""
        if not compared or self.highest_serial_now(upstream, project) is not None:
            return True
        return self.newest_page_now(upstream, project) is not None

    @cached_property
    def _remembering(self) -> Remembering:
        return Remembering(
            lambda seen, asked_at: self._run(lambda connection: pages.remember_all(connection, seen), asked_at)
        )

    async def aclose(self) -> None:
        """Waits for what is under way, and closes. Calling it twice is fine."""
        await self._remembering.ended()
        await super().aclose()

    async def remember_digest(
        self, upstream: str, project: ProjectName, filename: Filename, sha256: str, *, now: datetime
    ) -> str:
        """Records the digest of a file whose page gives none, and returns the one that counts: the first recorded.

        On disk before it returns. Raises ValueError for what is no digest.
        """
        return await self._run(
            lambda connection: pages.remember_digest(connection, upstream, project, filename, sha256, now=now)
        )

    async def recall_page(self, upstream: str, project: ProjectName) -> PageMemory | None:
        """What is remembered of the page, or None."""
        return await self._look(lambda connection: pages.recall(connection, upstream, project))

    def highest_serial_now(self, upstream: str, project: ProjectName) -> int | None:
        """As `highest_serial`; at once."""
        return self._at_once(lambda reader: reader.highest_serial(upstream, project))

    def newest_page_now(self, upstream: str, project: ProjectName) -> NewestPage | None:
        """The newest page of those without a serial, or None; at once."""
        return self._at_once(lambda reader: reader.newest_page(upstream, project))

    async def highest_serials(self, upstream: str) -> dict[ProjectName, int]:
        """The highest serial of each of an upstream's projects that has one, by name."""
        return await self._look(lambda connection: serials.highest_serials(connection, upstream))

    async def accept_serials(self, resets: Sequence[tuple[SerialReset, Occurrence, Act]]) -> tuple[bool, ...]:
        """Has memory go back, each with its occurrence; False where another serial is the highest by now."""
        return await self._run(lambda connection: serials.accept(connection, resets))

    async def page_record(self, upstream: str, project: ProjectName) -> PageRecord | None:
        """All that is remembered of a page, to be carried elsewhere, or None."""
        return await self._run(lambda connection: page_records.page_record(connection, upstream, project))

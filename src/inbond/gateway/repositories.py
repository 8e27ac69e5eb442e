"""Repositories that settled releases were published by, remembered: the memory outlives the releases.

So whoever deletes a project's repository, makes it anew under its name and has the old releases removed from the page
is found all the same. Memory is asked for nothing and written to only where something is new.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from inbond.gateway.lru import LruSet
from inbond.model.names import ProjectName
from inbond.model.standing import Established
from inbond.store.protocols import Publishers

MAX_REMEMBERED: Final = 20_000  # repositories known to be in the ledger already


class Repositories:
    """Writes established repositories to the ledger, each once."""

    def __init__(self, publishers: Publishers) -> None:
        self._publishers = publishers
        self._remembered: LruSet[tuple[str, ProjectName, str, str]] = LruSet(MAX_REMEMBERED)

    async def remember(self, upstream: str, project: ProjectName, found: Sequence[Established]) -> bool:
        """Has them in the ledger, on disk before it returns; whether any was new. Raises `StoreUnavailable`."""
        keys = {(upstream, project, one.repository, one.repository_id): one for one in found}
        new = {key: one for key, one in keys.items() if key not in self._remembered}
        if new:
            await self._publishers.establish(upstream, project, tuple(new.values()))
            for key in new:
                self._remembered.add(key)
        return bool(new)

"""The indexes in force: what a reload swaps under everybody who asks for them.

Whoever answers a request takes an index once and goes by that object to the end; whoever lives longer keeps this
mapping, and never an index out of it. All happens on the event loop: nobody sees one index of the old configuration
beside one of the new.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from inbond.gateway.indexes import Index


class IndexesInForce(Mapping[str, Index]):
    """The indexes by name, as they are now. `version` rises with each swap."""

    def __init__(self, indexes: Mapping[str, Index]) -> None:
        self._indexes = dict(indexes)
        self.version = 0

    def __getitem__(self, name: str) -> Index:
        return self._indexes[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._indexes)

    def __len__(self) -> int:
        return len(self._indexes)

    def swap(self, indexes: Mapping[str, Index]) -> None:
        """These are in force from now on, and no others."""
        self._indexes = dict(indexes)
        self.version += 1

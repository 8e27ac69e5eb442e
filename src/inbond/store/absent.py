"""Keys of documents that were looked up a moment ago and hold nothing: they need not be looked up again.

Only for kinds that whoever misses one asks for or makes anew, as after any loss of the cache: another process may have
written one since. What this process writes counts at once.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from typing import Final, NamedTuple

BELIEVED_SECONDS: Final = 10.0  # an installer has asked for a page's file by then
MAX_ABSENT: Final = 20_000  # keys
MAX_AT_ONCE: Final = 250  # keys of one look-up; those of a large page would put out all others


class Look(NamedTuple):
    """One look-up: its number, and the keys that it is remembered of."""

    number: int
    keys: list[str]


class AbsentDocuments:
    """Of one event loop. `clock`: seconds that only go forward."""

    def __init__(self, kinds: Iterable[str], clock: Callable[[], float]) -> None:
        self._kinds = frozenset(kinds)  # what stands before the first slash of a key
        self._clock = clock
        # Until when a key is believed to be absent; while it is looked up, the number of that, negative. Oldest first.
        self._until: dict[str, float] = {}
        self._looks = 0

    def __contains__(self, key: str) -> bool:
        until = self._until.get(key, -1)
        return until >= 0 and self._clock() < until

    def look(self, keys: Iterable[str]) -> Look:
        """Keys are about to be looked up: tell then which were `missed`."""
        self._looks += 1
        wanted = [key for key in keys if key.partition("/")[0] in self._kinds]
        if len(wanted) > MAX_AT_ONCE:
            return Look(self._looks, [])
        for key in wanted:
            self._until.pop(key, None)
            self._until[key] = -self._looks
        while len(self._until) > MAX_ABSENT:
            del self._until[next(iter(self._until))]
        return Look(self._looks, wanted)

    def missed(self, look: Look, found: Container[str] = ()) -> None:
        """Nothing else was found; what was written meanwhile, or is looked up once more, is not believed."""
        until = self._clock() + BELIEVED_SECONDS
        for key in look.keys:
            if key not in found and self._until.get(key) == -look.number:
                self._until[key] = until

    def written(self, key: str) -> None:
        """There is something now, or will be."""
        self._until.pop(key, None)

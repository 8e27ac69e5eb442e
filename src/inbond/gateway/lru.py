"""A bounded map that forgets what was not used for longest; safe to use from threads."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Lru(Generic[K, V]):
    """Keeps values whose weights add up to at most `limit`; a value heavier than that is not kept."""

    def __init__(
        self,
        limit: int,
        weigh: Callable[[V], int] = lambda _value: 1,
        forgot: Callable[[K], object] = lambda _key: None,
    ) -> None:
        """`forgot` hears each key for which there was no more room, after it is gone."""
        self._limit = limit
        self._weigh = weigh
        self._forgot = forgot
        self._values: OrderedDict[K, V] = OrderedDict()
        self._lock = Lock()
        self.weight = 0

    def get(self, key: K) -> V | None:
        """The value, which counts as used now."""
        with self._lock:
            value = self._values.get(key)
            if value is not None:
                self._values.move_to_end(key)
            return value

    def get_many(self, keys: Iterable[K]) -> dict[K, V]:
        """Those of the values that are there; they count as used now."""
        found: dict[K, V] = {}
        with self._lock:
            for key in keys:
                if (value := self._values.get(key)) is not None:
                    self._values.move_to_end(key)
                    found[key] = value
        return found

    def put(self, key: K, value: V) -> None:
        """Keeps a value in the place of an older one under the same key."""
        weight = self._weigh(value)
        forgotten: list[K] = []
        with self._lock:
            self._drop(key)
            if weight > self._limit:
                forgotten.append(key)
            else:
                self._values[key] = value
                self.weight += weight
            while self.weight > self._limit:
                oldest, dropped = self._values.popitem(last=False)
                self.weight -= self._weigh(dropped)
                forgotten.append(oldest)
        for one in forgotten:
            self._forgot(one)

    def pop(self, key: K) -> V | None:
        """Forgets a key."""
        with self._lock:
            return self._drop(key)

    def _drop(self, key: K) -> V | None:
        value = self._values.pop(key, None)
        if value is not None:
            self.weight -= self._weigh(value)
        return value

    def __len__(self) -> int:
        return len(self._values)


class LruSet(Generic[K]):
    """Keeps at most `limit` members."""

    def __init__(self, limit: int) -> None:
        self._members: Lru[K, bool] = Lru(limit)

    def add(self, member: K) -> None:
        """Keeps a member, which counts as used now."""
        self._members.put(member, True)  # noqa: FBT003 (the map's value, of no meaning)

    def __contains__(self, member: K) -> bool:
        return self._members.get(member) is not None

    def take(self, member: K) -> bool:
        """Forgets a member; whether it was one."""
        return self._members.pop(member) is not None

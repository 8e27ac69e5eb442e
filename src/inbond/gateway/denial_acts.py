"""Which requests that were stopped become acts: each once an hour, and so many that whoever asks cannot fill the trail.

The rows of requests hold all of them, with who and how often; an act is what nobody can change afterwards.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from inbond.gateway.asking import ANONYMOUS, denial_of
from inbond.gateway.lru import LruSet
from inbond.model.acts import COUNT, SINCE, Act, ActKind
from inbond.model.history import AskedRow
from inbond.model.text import counted
from inbond.store.acts import key_of

MAX_AN_HOUR: Final = 1000  # that differ, of nobody in particular, and as many of those who are known: 0.5 MB each
MAX_KNOWN: Final = 100_000  # keys of denials that are in the ledger: they are told again and again
_POOLS: Final = 100  # that are counted: requests may have waited two days for the ledger

_Pool = tuple[datetime, bool]  # the hour, and whether it is known who asked: strangers take no room from those who are


@dataclass(frozen=True, slots=True, kw_only=True)
class _Beyond:
    since: datetime
    last: datetime
    count: int


class DenialActs:
    """On the event loop alone."""

    def __init__(self) -> None:
        self._known: LruSet[bytes] = LruSet(MAX_KNOWN)
        self._counts: Counter[_Pool] = Counter()
        self._beyond: _Beyond | None = None

    def of(self, rows: Iterable[AskedRow]) -> list[Act]:
        """The acts that have to be written. Asked again it says the same, until they are `written`."""
        counts, found = self._counts.copy(), dict[bytes, Act]()
        for row in rows:
            act = denial_of(row.first)
            if act is None or (key := key_of(act)) in self._known or key in found or counts[_pool(act)] >= MAX_AN_HOUR:
                continue
            counts[_pool(act)] += 1
            found[key] = act
        return list(found.values())

    def written(self, acts: Iterable[Act]) -> None:
        """They are in the ledger."""
        for act in acts:
            self._known.add(key_of(act))
            self._counts[_pool(act)] += 1
        for pool in sorted(self._counts)[:-_POOLS]:
            del self._counts[pool]

    def recorded(self, rows: Iterable[AskedRow]) -> None:
        """Counts requests that are in the ledger now, after their acts: those that have none are summed up."""
        for row in rows:
            act = denial_of(row.first)
            if act is not None and key_of(act) not in self._known:
                self._sum_up(row)

    def beyond(self, now: datetime | None) -> Act | None:
        """Those that were too many, as one act, once their hour is over; with None at once."""
        one = self._beyond
        if one is None or (now is not None and _hour(now) == _hour(one.since)):
            return None
        self._beyond = None
        return Act(
            at=one.last,
            kind=ActKind.FILE_DENIED,
            by="",
            client="",
            message=f"files were denied {counted(one.count, 'more time')} since {one.since:%H:%M:%S}, beyond what is"
            " told one by one in an hour",
            detail={COUNT: str(one.count), SINCE: one.since.isoformat()},
        )

    def _sum_up(self, row: AskedRow) -> None:
        first, last = row.first.at, row.last_at
        one = self._beyond or _Beyond(since=first, last=last, count=0)
        self._beyond = replace(one, since=min(one.since, first), last=max(one.last, last), count=one.count + row.count)


def _pool(act: Act) -> _Pool:
    return _hour(act.at), act.by not in {"", ANONYMOUS}


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)

"""Acts on their way into the ledger. What is told again and again is written once a minute, with how often it was.

Whoever guesses tokens must not fill the audit trail: the first refusal of its kind is written at once, equal ones
within the next minute as one act with their count, and where too many differ they are one act without an address; of
those who are known, one for each of them. Everything else is written as it is told.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from threading import Lock
from typing import Final

from inbond.model.acts import COUNT, Act, ActKind
from inbond.model.addresses import network_of
from inbond.model.text import counted

REPEATED: Final = frozenset({ActKind.SIGN_IN_FAILED, ActKind.REFUSED})
JOINED_FOR: Final = timedelta(minutes=1)
MAX_JOINED: Final = 100  # refusals of a kind that differ, in such a time: some 50 KB, and so many rows a minute at most
MAX_WAITING: Final = 50_000  # acts: some 25 MB

_Common = tuple[object, ...]


@dataclass(slots=True)
class _Repeated:
    """Acts that are equal to one that was written. `last`: the last of them; `count`: those that were not written."""

    since: datetime
    last: Act
    count: int = 0


class ActQueue:
    """May be told from any thread."""

    def __init__(self) -> None:
        self._waiting: deque[Act] = deque()
        self._repeated: dict[_Common, _Repeated] = {}
        self._lock = Lock()
        self.lost = 0  # that there was no room for

    def add(self, act: Act) -> None:
        """Queues an act, or counts it with its like."""
        with self._lock:
            if act.kind not in REPEATED:
                self._wait(act)
                return
            act = act if _common(act) in self._repeated or self._have_room(act.kind) else _any(act)
            known = self._repeated.get(_common(act))
            if known is not None:
                known.last, known.count = act, known.count + 1
                return
            self._repeated[_common(act)] = _Repeated(since=act.at, last=act)
            self._wait(act)

    def take(self, now: datetime | None) -> list[Act]:
        """What is to be written now; with None all that there is. It is the caller's from now on."""
        with self._lock:
            for common, one in list(self._repeated.items()):
                if now is None or not one.since <= now < one.since + JOINED_FOR:
                    del self._repeated[common]
                    if one.count:
                        self._wait(_joined(one))
            taken = list(self._waiting)
            self._waiting.clear()
            return taken

    def put_back(self, acts: list[Act]) -> None:
        """They could not be written: they come first the next time."""
        with self._lock:
            self._waiting.extendleft(reversed(acts))
            while len(self._waiting) > MAX_WAITING:
                self._waiting.pop()
                self.lost += 1

    @property
    def joins(self) -> bool:
        """Whether there are acts that wait for the end of their minute."""
        return bool(self._repeated)

    def _have_room(self, kind: ActKind) -> bool:
        """Each kind has its own: who guesses tokens must not hide what others were refused."""
        return sum(one.last.kind is kind for one in self._repeated.values()) < MAX_JOINED

    def _wait(self, act: Act) -> None:
        if len(self._waiting) < MAX_WAITING:
            self._waiting.append(act)
        else:
            self.lost += 1


def _common(act: Act) -> _Common:
    return (act.kind, act.by, network_of(act.client), act.index, act.project, act.target, act.message)


def _any(act: Act) -> Act:
    """An act as one of too many that differ. Who was known, and tried what they may not, stays named."""
    by = act.by if act.kind is ActKind.REFUSED else ""
    return Act(at=act.at, kind=act.kind, by=by, client="", message="refused as many others were in this minute")


def _joined(one: _Repeated) -> Act:
    message = f"{one.last.message} ({counted(one.count, 'more time')} since {one.since:%H:%M:%S})"
    return replace(one.last, message=message, detail={**one.last.detail, COUNT: str(one.count)})

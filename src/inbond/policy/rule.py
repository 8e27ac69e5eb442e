"""What a rule is, and the few ways in which it speaks.

A rule is a module of `inbond.policy.rules` with a `name` and the two functions below. It judges one case and knows no
other rule; it says None where it has nothing to say. All text leaves through `clean`: it may end in an HTTP reason
phrase (RFC 9112: one line, visible ASCII) and may quote upstream.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from inbond.model.verdict import Finding, Outcome
from inbond.policy.case import Case, PageCase, TrustedTime, Undated
from inbond.policy.settings import Action

MAX_MESSAGE_CHARS: Final = 120  # leaves room for the file and the URL in a reason phrase
MAX_REMEDY_CHARS: Final = 120
RETRY_UNAVAILABLE: Final = timedelta(seconds=60)  # what was unavailable is asked for again within this time
FOREVER: Final = datetime(9999, 12, 31, 23, 59, tzinfo=UTC)  # where adding an age leaves the calendar

_UNPRINTABLE: Final = re.compile(r"[^\x20-\x7e]")


class Rule(Protocol):
    """One rule of the policy; the modules of `inbond.policy.rules` are these."""

    @property
    def name(self) -> str:
        """What findings, `audit` and the documentation call it."""
        ...

    def applies(self, shared: PageCase) -> bool:
        """Whether it can say anything at all about files of this page; if not, `judge` is not asked."""
        ...

    def judge(self, case: Case) -> Finding | None:
        """What it finds about one file; None where nothing is to be said."""
        ...


def allow(rule: str, message: str, *, code: str = "") -> Finding:
    """A finding that stops nothing and is worth knowing."""
    return Finding(rule=rule, outcome=Outcome.ALLOW, message=clean(message, MAX_MESSAGE_CHARS), code=code)


def warn(rule: str, message: str, *, remedy: str, code: str = "") -> Finding:
    """A finding that stops nothing and should be looked at."""
    return _finding(rule, Outcome.WARN, message, remedy, code=code)


def deny(rule: str, message: str, *, remedy: str, code: str = "") -> Finding:
    """A finding that stops the file; `remedy` is what would lift it."""
    return _finding(rule, Outcome.DENY, message, remedy, code=code)


def hold(rule: str, message: str, *, remedy: str, until: datetime, code: str = "") -> Finding:
    """A finding that stops the file until a time."""
    return _finding(rule, Outcome.HOLD, message, remedy, until, code=code)


def enact(
    action: Action, *, rule: str, message: str, remedy: str, since: TrustedTime, now: datetime, code: str = ""
) -> Finding:
    """A finding with the outcome that a configured action gives.

    A hold ends by itself, its age after `since`; what it was about stays as a warning, for that something could not
    be checked does not become fine by waiting. Where no time can be told (`unknown_date = "deny"`) it cannot end.
    """
    if action.age is None:
        return _finding(rule, action.outcome, message, remedy, code=code)
    if since is Undated.UNKNOWN:
        return deny(rule, message, remedy=remedy, code=code)
    until = None if since is Undated.OLD else later(since, action.age)
    if until is None or until <= now:
        return warn(rule, message, remedy=remedy, code=code)
    return hold(rule, message, remedy=remedy, until=until, code=code)


def next_retry(since: datetime, now: datetime) -> datetime:
    """When something unavailable since then has been asked for again: the end of a hold that time alone never lifts.

    It lies on whole minutes after the first failure, so that a page rendered twice in between is the same.
    """
    return since + ((now - since) // RETRY_UNAVAILABLE + 1) * RETRY_UNAVAILABLE


def later(time: datetime, age: timedelta) -> datetime:
    """`time + age`, or `FOREVER` where that leaves the calendar: upstream chooses upload times."""
    return FOREVER if age > FOREVER - time else time + age


def stamp(time: datetime) -> str:
    """A time for people: `2026-11-21 10:00 UTC`."""
    return f"{time.isoformat(' ', 'minutes')[:16]} UTC"


def clean(text: str, limit: int) -> str:
    """One line of printable ASCII, at most `limit` characters; what is no such character becomes "?"."""
    line = _UNPRINTABLE.sub("?", " ".join(text[: limit * 4].split()))
    return line if len(line) <= limit else f"{line[: limit - 3].rstrip()}..."


def _finding(
    rule: str, outcome: Outcome, message: str, remedy: str, until: datetime | None = None, *, code: str
) -> Finding:
    return Finding(
        rule=rule,
        outcome=outcome,
        message=clean(message, MAX_MESSAGE_CHARS),
        remedy=clean(remedy, MAX_REMEDY_CHARS),
        until=until,
        code=code,
    )

"""A denial in words, for installers' output, pages and problem+json. Web and CLI add no text of their own.

What each installer shows of a refusal: pip and most others only the reason phrase, uv also the problem's title and
detail, resolvers the yank reason. So each of the three says what was stopped, by which rule, why, what lifts it, and
where the whole story stands.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote

from inbond.model.names import MAX_FILENAME_BYTES
from inbond.model.verdict import Finding, Judgement, Outcome
from inbond.policy.rule import clean, later, stamp

MAX_PHRASE_CHARS: Final = 199  # docs/design.md: "under 200 characters"; pip repeats the phrase inside one long line
MAX_YANK_REASON_CHARS: Final = 400
MAX_SUBJECT_CHARS: Final = 60
MIN_MESSAGE_CHARS: Final = 30  # a message cut shorter says nothing any more: the remedy gives way to it

_BLOCKED: Final = "Blocked by policy"
_ALLOWED: Final = "Allowed by policy"

_UNQUOTED: Final = "!#$%&'()*+,/:;=?@[]~"  # every visible ASCII character that may stand in a URL as it is


def reason_phrase(judgement: Judgement, url: str) -> str:
    """The HTTP reason phrase of a 403: one line of printable ASCII under 200 characters; the URL is never cut.

    A URL that is longer than that alone still stands there whole.
    """
    return _told(judgement, url, MAX_PHRASE_CHARS)


def yank_reason(judgement: Judgement, url: str) -> str:
    """The reason beside a denied or held file on its page (PEP 592): as `reason_phrase`, with more room."""
    return _told(judgement, url, MAX_YANK_REASON_CHARS)


def detail(judgement: Judgement, url: str) -> str:
    """The `detail` of the problem+json (RFC 9457): full sentences, every finding that stops the file."""
    stopping = _stopping(judgement)
    if not stopping:
        return f"{_subject(judgement)} is allowed by the policy. The whole story: {_address(url)}"
    first, *others = stopping
    sentences = [
        f"{_subject(judgement)} ({clean(judgement.file.filename, MAX_FILENAME_BYTES)}) is {_stopped(first)}:",
        _ended(first.message),
        *(f"It is also {_stopped(other)}: {_ended(other.message)}" for other in others),
        *dict.fromkeys(f"What to do: {_ended(finding.remedy)}" for finding in stopping if finding.remedy),
        *_offers(judgement),
        f"The whole story: {_address(url)}",
    ]
    return " ".join(sentences)


def _told(judgement: Judgement, url: str, limit: int) -> str:
    see = f" See {_address(url)}"
    room = limit - len(see)
    stopping = _stopping(judgement)
    if room < len(_BLOCKED) + MIN_MESSAGE_CHARS:
        return f"{_BLOCKED if stopping else _ALLOWED}.{see}"
    if not stopping:
        return f"{_ALLOWED}: {clean(_subject(judgement), room - len(_ALLOWED) - 3)}.{see}"
    text = clean(f"{_BLOCKED}: {_subject(judgement)} is {_stopped(stopping[0])}", room)
    text += _because(stopping[0], room - len(text))
    for offer in _offers(judgement):
        text += f" {offer}" if len(text) + 1 + len(offer) <= room else ""
    return text + see


def _because(finding: Finding, room: int) -> str:
    # Why comes before what to do: where there is no room for both, the remedy stands behind the link only.
    remedy = f" {finding.remedy[0].upper()}{_ended(finding.remedy[1:])}" if finding.remedy else ""
    if room - len(": .") - len(remedy) < len(finding.message):
        remedy = ""
    left = room - len(": .") - len(remedy)
    return f": {_ended(clean(finding.message, left))}{remedy}" if left >= MIN_MESSAGE_CHARS else ""


def _stopping(judgement: Judgement) -> list[Finding]:
    # The deciding finding first, then whatever else would still stop the file once that is lifted.
    deciding = judgement.verdict.deciding
    if deciding is None:
        return []
    counted = [f for f in judgement.verdict.findings if f.outcome >= Outcome.HOLD and f.counts]
    return [deciding, *(finding for finding in counted if finding is not deciding)]


def _stopped(finding: Finding) -> str:
    if finding.until is None:
        return f"denied by rule {finding.rule}"
    return f"held until {stamp(_whole_minute(finding.until))} by {finding.rule}"


def _whole_minute(time: datetime) -> datetime:
    # Upwards: who comes back at the minute that is shown must not be early.
    minute = time.replace(second=0, microsecond=0)
    return minute if minute == time else later(minute, timedelta(minutes=1))


def _offers(judgement: Judgement) -> list[str]:
    offers = []
    if judgement.newest_allowed is not None:
        offers.append(f"The newest allowed version is {clean(judgement.newest_allowed, MAX_SUBJECT_CHARS)}.")
    if judgement.support_url:
        offers.append(f"Help: {_address(judgement.support_url)}")
    return offers


def _subject(judgement: Judgement) -> str:
    if judgement.version is None:
        return clean(judgement.file.filename, MAX_SUBJECT_CHARS)
    return clean(f"{judgement.project} {judgement.version}", MAX_SUBJECT_CHARS)


def _ended(text: str) -> str:
    return text if text.endswith(".") else f"{text}."


def _address(url: str) -> str:
    return quote(url, safe=_UNQUOTED)

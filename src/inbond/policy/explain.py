"""A denial in words, for installers' output, pages and problem+json. Web and CLI add no text of their own.

What each installer shows of a refusal: pip and most others only the reason phrase, uv also the problem's title and
detail, resolvers the yank reason. So each of the three says what was stopped, by which rule, why, what lifts it, and
where the whole story stands. The detail also hands out the command that lifts it, for whoever may.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote

from inbond.model.evidence import EvidenceOrPending
from inbond.model.names import MAX_FILENAME_BYTES
from inbond.model.verdict import Finding, Judgement, Outcome
from inbond.policy.meanings import MEANINGS
from inbond.policy.remedies import command_in, ended, pin_command, revoke_command, waive_command
from inbond.policy.rule import clean, later, stamp
from inbond.policy.signing import signers_of
from inbond.policy.waiving import may_waive

MAX_PHRASE_CHARS: Final = 199  # docs/design.md: "under 200 characters"; pip repeats the phrase inside one long line
MAX_YANK_REASON_CHARS: Final = 400
MAX_SUBJECT_CHARS: Final = 60
MIN_MESSAGE_CHARS: Final = 30  # a message cut shorter says nothing any more: the remedy gives way to it
MAX_COMMAND_CHARS: Final = 400  # a longer one is not shown: cut, it would do something else
MAX_PINNED: Final = 3  # publishers of one file that pins are offered for
MAX_REASON_CHARS: Final = 200  # of a waiver, as far as it is shown

# What a pin lifts: the publisher is accepted, for this release and those after it.
RECREATED: Final = "continuity/recreated"
PINNABLE: Final = frozenset({RECREATED, "continuity/changed"})

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
    stopping = stops(judgement)
    if not stopping:
        lifted = [ended(waived(finding)) for finding in judgement.verdict.findings if finding.waiver is not None]
        allowed = f"{_subject(judgement)} is allowed by the policy."
        return " ".join([allowed, *lifted, f"The whole story: {_address(url)}"])
    first, *others = stopping
    handed_out = commands(judgement)
    sentences = [
        f"{_subject(judgement)} ({clean(judgement.file.filename, MAX_FILENAME_BYTES)}) is {_stopped(first)}:",
        ended(first.message),
        *(f"It is also {_stopped(other)}: {ended(other.message)}" for other in others),
        *_remedies(stopping, handed_out),
        *_offers(judgement),
        f"The whole story: {_address(url)}",
        *_handed_out(judgement, handed_out),  # a command is last, so that it is plain where it ends
    ]
    return " ".join(sentences)


def _remedies(stopping: Iterable[Finding], handed_out: Sequence[str]) -> list[str]:
    """What to do, in one sentence. A command has nothing behind it: it stands at the end, or on the page."""
    told = []
    for remedy in dict.fromkeys(finding.remedy for finding in stopping if finding.remedy):
        command = command_in(remedy)
        where = "the command at the end" if command in handed_out else "see the whole story"
        told.append(remedy if command is None else f"{remedy.partition(': ')[0]}: {where}")
    return [f"What to do: {ended('; '.join(told))}"] if told else []


def stops(judgement: Judgement) -> list[Finding]:
    """The findings that stop a file: the deciding one, then whatever else would once that is lifted."""
    deciding = judgement.verdict.deciding
    if deciding is None:
        return []
    counted = [f for f in judgement.verdict.findings if f.outcome >= Outcome.HOLD and f.counts]
    return [deciding, *(finding for finding in counted if finding is not deciding)]


def ending_of(time: datetime) -> str:
    """When a hold ends, for people: upwards to the minute, as who comes back then must not be early.

    The end of a waiver is told downwards, by `stamp`: nobody finds it over before.
    """
    minute = time.replace(second=0, microsecond=0)
    return stamp(minute if minute == time else later(minute, timedelta(minutes=1)))


def waived(finding: Finding) -> str:
    """`cooldown is waived by jo until 2026-12-01 10:00 UTC: reviewed`; empty where no waiver lifts the finding."""
    waiver = finding.waiver
    if waiver is None:
        return ""
    until, who = stamp(waiver.until), clean(waiver.by, MAX_SUBJECT_CHARS)
    return f"{finding.rule} is waived by {who} until {until}: {clean(waiver.reason, MAX_REASON_CHARS)}"


def commands(judgement: Judgement) -> tuple[str, ...]:
    """What an operator may type to let a stopped file through: one command for each finding that stops it.

    None where any of them should be lifted by no command that stands there ready: the others alone would not let the
    file through either.
    """
    return lifting(
        stops(judgement),
        Stopped(
            project=str(judgement.project),
            version=judgement.version,
            sha256=judgement.file.sha256,
            index=judgement.index,
            at=judgement.at,
            evidence=judgement.evidence,
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """A file that is stopped, as far as commands name it. `at`: now, as ends are lengths; None where it is not told."""

    project: str
    version: str | None
    sha256: str | None
    index: str
    at: datetime | None
    evidence: EvidenceOrPending | None = None


def lifting(stopping: Sequence[Finding], file: Stopped) -> tuple[str, ...]:
    """As `commands`, for findings that stop a file."""
    if not all(_is_handed_out(finding) for finding in stopping):
        return ()
    found = [_lifting(finding, file) for finding in stopping]
    lines = tuple(dict.fromkeys(line for lines in found for line in lines))
    return lines if all(found) and all(map(_is_whole, lines)) else ()


def _is_handed_out(finding: Finding) -> bool:
    meaning = MEANINGS.get(finding.id)
    return meaning is not None and meaning.handed_out


def _lifting(finding: Finding, file: Stopped) -> list[str]:
    pins = _pins(finding, file)
    if pins or file.at is None or finding.id == RECREATED:
        return pins  # no waiver for who made a repository anew: whom one lets in is said by its id
    command = revoke_command(finding.remedy or "") or waive_command(
        file.project,
        rule=finding.rule,
        version=file.version,
        sha256=file.sha256,
        now=file.at,
        until=finding.until,
        index=file.index,
    )
    return [command] if command is not None else []


def _pins(finding: Finding, file: Stopped) -> list[str]:
    # Whoever is accepted once is accepted for the releases after it too, which no waiver would do.
    if finding.id not in PINNABLE:
        return []
    recreated = finding.id == RECREATED
    return [
        pin_command(file.project, one.publisher, repository_id=one.identity.repository_id if recreated else None)
        for one in signers_of(file.evidence)
    ][:MAX_PINNED]


def _is_whole(command: str) -> bool:
    return clean(command, MAX_COMMAND_CHARS) == command


def _handed_out(judgement: Judgement, lines: Sequence[str]) -> list[str]:
    if lines:
        return [f"Whoever runs this inbond can let it through: {' && '.join(lines)}"]
    deciding = judgement.verdict.deciding
    if deciding is None or deciding.until is not None or not may_waive(deciding.rule):
        return []
    return ["Only whoever runs this inbond can let it through, after a look at it."]


def _told(judgement: Judgement, url: str, limit: int) -> str:
    see = f" See {_address(url)}"
    room = limit - len(see)
    stopping = stops(judgement)
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
    told = finding.remedy if finding.remedy and command_in(finding.remedy) is None else None
    remedy = f" {told[0].upper()}{ended(told[1:])}" if told else ""
    if room - len(": .") - len(remedy) < len(finding.message):
        remedy = ""
    left = room - len(": .") - len(remedy)
    return f": {ended(clean(finding.message, left))}{remedy}" if left >= MIN_MESSAGE_CHARS else ""


def _stopped(finding: Finding) -> str:
    if finding.until is None:
        return f"denied by rule {finding.rule}"
    return f"held until {ending_of(finding.until)} by {finding.rule}"


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


def _address(url: str) -> str:
    return quote(url, safe=_UNQUOTED)

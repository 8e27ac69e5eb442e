"""The shapes of JSON that is not made from one struct of its own: verdicts, stories, decisions, OSV's questions.

For the description of the HTTP interface alone; its tests hold every answer against them. Times are RFC 3339.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from inbond.web.token_facts import TokenFact


class Waiver(msgspec.Struct, frozen=True, kw_only=True):
    """A waiver."""

    id: str
    target: str  # a project with versions, or with the digest of a file
    rule: str
    index: str | None  # null: all
    until: datetime
    expired: bool
    reason: str
    by: str
    at: datetime | None
    source: str  # ledger or configuration


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """A rejection."""

    id: str
    target: str
    index: str | None  # null: all
    reason: str
    by: str
    at: datetime | None
    source: str  # ledger or configuration


class Pin(msgspec.Struct, frozen=True, kw_only=True):
    """A pin: a publisher that was accepted."""

    id: str
    project: str
    publisher: str  # a pattern
    repository_id: str | None
    reason: str
    by: str
    at: datetime | None
    source: str  # ledger, configuration or import


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule found. `id` is `rule/code`."""

    id: str
    rule: str
    code: str
    outcome: str  # allow, warn, hold or deny
    message: str
    remedy: str | None
    until: datetime | None  # of a hold
    audited: bool  # whether it is only recorded
    waiver: Waiver | None  # that lifts it


class Attestation(msgspec.Struct, frozen=True, kw_only=True):
    """An attestation, and what became of it."""

    state: str
    predicate_type: str | None
    reason: str | None
    signed_at: datetime | None
    log_index: int | None
    trust: str | None  # the scope that vouches for it
    publisher: str | None  # as the index claims it
    identity: dict[str, str | None] | None  # as the certificate proves it: every field under one name


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about a file's provenance; keys that a state does not have are null."""

    state: str  # absent, verified, rejected, unsupported, unavailable or pending
    reason: str | None
    provenance_sha256: str | None
    trusted_root_sha256: str | None
    verified_at: datetime | None
    attestations: list[Attestation]


class Attached(msgspec.Struct, frozen=True, kw_only=True):
    """Who attached the evidence."""

    by: str
    at: datetime | None
    reason: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """All that is decided about a file on an index, and why."""

    index: str
    policy: str
    project: str
    filename: str
    sha256: str | None
    decision: str  # allow, hold or deny
    would: str | None  # what it would be without `audit`
    findings: list[Finding]
    evidence: Evidence
    attached: Attached | None  # where the evidence is not the index's own
    expires_at: datetime | None  # when a hold ends
    newest_allowed: str | None  # the newest version that can be had
    carried: bool  # whether its bytes can be had here
    advisories: list[str]  # ids
    commands: list[str]  # that would let it through
    why: str  # the address of the page that explains it


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """A release on the timeline of its project's publishers."""

    version: str
    at: datetime | None
    files: int
    attested: str | None  # no, full, partial or inconsistent; null: not all looked at
    publishers: list[str]
    marks: list[str]  # what differs from the releases before it
    opens_line: bool
    decision: str
    deciding: Finding | None
    continuity: Finding | None


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """Who published each release, the newest first."""

    releases: list[Release]
    left_out: int  # older ones


class Advisory(msgspec.Struct, frozen=True, kw_only=True):
    """An advisory about a project."""

    id: str
    malicious: bool
    severity: str
    summary: str


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Decisions and advisories about a project; waivers that are over among them."""

    waivers: list[Waiver]
    rejections: list[Rejection]
    pins: list[Pin]
    advisories: list[Advisory]


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """The whole story of a file on an index."""

    verdict: Verdict
    headline: str
    version: str | None
    size: int | None  # bytes
    requires_python: str | None
    yanked: bool | str  # or the reason
    uploaded_at: datetime | None
    logged_at: datetime | None
    first_seen: datetime | None
    trusted_time: datetime | None
    instead: str | None  # a requirement that can be had now
    timeline: Timeline
    standing: Standing


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Problem details (RFC 9457). A denial says with `type` where its story is told, and has its verdict."""

    title: str
    status: int
    detail: str
    type: str | UnsetType = UNSET
    verdict: Verdict | UnsetType = UNSET
    errors: dict[str, str] | UnsetType = UNSET  # what is wrong with each field


class Live(msgspec.Struct, frozen=True, kw_only=True):
    """The process answers."""

    live: bool


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """Whether requests are to be sent here; the reasons are for those who may read all indexes."""

    ready: bool
    checks: list[str] | UnsetType = UNSET
    problems: dict[str, str] | UnsetType = UNSET  # by the check's name
    advice: dict[str, str] | UnsetType = UNSET


class MadeWaiver(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. `new`: false where the same was in force before."""

    new: bool
    waiver: Waiver
    warnings: list[str]


class MadeRejection(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. `new`: false where the same was in force before."""

    new: bool
    rejection: Rejection
    warnings: list[str]


class MadePin(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. `new`: false where the same was in force before."""

    new: bool
    pin: Pin
    warnings: list[str]


class EndedWaiver(msgspec.Struct, frozen=True, kw_only=True):
    """The waiver that is in force no more."""

    waiver: Waiver


class EndedRejection(msgspec.Struct, frozen=True, kw_only=True):
    """The rejection that is in force no more."""

    rejection: Rejection


class EndedPin(msgspec.Struct, frozen=True, kw_only=True):
    """The pin that is in force no more."""

    pin: Pin


class EndedToken(msgspec.Struct, frozen=True, kw_only=True):
    """The token that is in force no more."""

    token: TokenFact


class Reviewed(msgspec.Struct, frozen=True, kw_only=True):
    """What was put in force: waivers, rejections or pins, each with `new` and `warnings`."""

    decided: list[dict[str, Any]]


class OsvFound(msgspec.Struct, frozen=True, kw_only=True):
    """A record that is known, by its id."""

    id: str
    modified: str


class OsvAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Records as they were published; none: nothing is known."""

    vulns: list[dict[str, Any]] | UnsetType = UNSET


class OsvIds(msgspec.Struct, frozen=True, kw_only=True):
    """Records that are known, by their ids; none: nothing is known."""

    vulns: list[OsvFound] | UnsetType = UNSET


class OsvAnswers(msgspec.Struct, frozen=True, kw_only=True):
    """Answers in the order of the questions."""

    results: list[OsvIds]


class SimpleMeta(msgspec.Struct, frozen=True, kw_only=True):
    """Of a page of the Simple API. Other keys that the index gave are kept."""

    api_version: str = msgspec.field(name="api-version")


class SimplePage(msgspec.Struct, frozen=True, kw_only=True):
    """A project's page, as the Simple API has it. Other keys that the index gave are kept."""

    meta: SimpleMeta
    name: str
    files: list[dict[str, Any]]


class SimpleList(msgspec.Struct, frozen=True, kw_only=True):
    """The list of projects, as the Simple API has it."""

    meta: SimpleMeta
    projects: list[dict[str, Any]]


# Of structs whose JSON holds such a shape as a mere object: which, by the member.
HELD: Final[Mapping[str, Mapping[str, type[msgspec.Struct]]]] = {
    "FileFacts": {"story": Story},
    "WhyStory": {"story": Story},
    "ProjectFacts": {"timeline": Timeline, "standing": Standing},
}
# What may have more members than are told here.
OPEN: Final = frozenset({SimpleMeta, SimplePage, SimpleList})

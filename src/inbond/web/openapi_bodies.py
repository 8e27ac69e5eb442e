"""The shapes of what is sent: the fields of forms as JSON, and OSV's questions. For the description alone."""

from __future__ import annotations

import msgspec


class WaiverWanted(msgspec.Struct, frozen=True, kw_only=True):
    """A waiver to make."""

    target: str  # such as flask==3.1.0, numpy>=2,<3 or flask@sha256:…
    rule: str
    until: str  # a length such as 30d, or a date
    reason: str
    index: str | None = None  # `*` for all


class RejectionWanted(msgspec.Struct, frozen=True, kw_only=True):
    """A rejection to make."""

    target: str
    reason: str
    index: str | None = None  # `*` for all


class PinWanted(msgspec.Struct, frozen=True, kw_only=True):
    """A publisher to accept."""

    project: str
    publisher: str  # such as github:owner/repo@release.yml
    repository_id: str | None = None
    reason: str | None = None


class TokenWanted(msgspec.Struct, frozen=True, kw_only=True):
    """A token to make."""

    name: str
    role: str
    indexes: list[str] | str  # `*` for all
    expires: str  # a length such as 90d, a date, or never
    once: str | None = None  # of two that carry the same text the second makes none


class Acceptance(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the queue to accept."""

    reason: str
    until: str | None = None  # of a waiver
    waive: bool | None = None  # a waiver also where a publisher could be accepted for good


class Reasoned(msgspec.Struct, frozen=True, kw_only=True):
    """Why."""

    reason: str


class Nothing(msgspec.Struct, frozen=True, kw_only=True):
    """No fields."""


class SignInWanted(msgspec.Struct, frozen=True, kw_only=True):
    """The form to sign in."""

    token: str
    csrf: str  # as the form has it
    next: str | None = None  # the path that comes next


class SignOutWanted(msgspec.Struct, frozen=True, kw_only=True):
    """The form to sign out."""

    csrf: str  # as every page has it


class OsvPackage(msgspec.Struct, frozen=True, kw_only=True):
    """A package by name and ecosystem, or by purl."""

    name: str | None = None
    ecosystem: str | None = None
    purl: str | None = None


class OsvQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """A question as OSV's API takes it."""

    package: OsvPackage | None = None
    version: str | None = None
    commit: str | None = None  # of which nothing is known here
    page_token: str | None = None


class OsvQuestions(msgspec.Struct, frozen=True, kw_only=True):
    """Many questions."""

    queries: list[OsvQuestion]

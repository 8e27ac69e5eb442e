"""Who vouches for whose files: trusted roots by scope, never merged (docs/design.md, "Trust is scoped").

In one merged root any authority could vouch together with any log. So a file's attestation is judged under each scope
that its upstream names, and holds if it holds under one of them alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Final

PUBLIC: Final = "public"  # the scope of the public Sigstore, `[trust.public]`


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustScope:
    """A trusted root by the name that the configuration gives it.

    `root` is the bytes of a `trusted_root.json`. `issuers` are the OIDC issuers (certificate .8, exactly as written)
    whose identities it vouches for; empty: those of the publishers that the public index knows.
    """

    name: str
    root: bytes
    issuers: tuple[str, ...] = ()

    @property
    def root_sha256(self) -> str:
        """The digest of the root's bytes."""
        return sha256(self.root).hexdigest()


def trust_digest(scopes: Sequence[TrustScope]) -> str:
    """What evidence made under these scopes is kept under: the root's own digest where that says it all.

    Shape: 64 hex digits. The order of the scopes does not matter: whether one of them vouches does not depend on it.
    """
    match scopes:
        case [TrustScope(issuers=()) as only]:
            return only.root_sha256
        case _:
            parts = sorted("\0".join((one.name, one.root_sha256, *sorted(one.issuers))) for one in scopes)
            return sha256("\n".join(parts).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """All scopes, and which of them each upstream's files may be vouched for by.

    Every name in `by_upstream` is a scope's, and no upstream is without one.
    """

    scopes: Mapping[str, TrustScope]
    by_upstream: Mapping[str, tuple[str, ...]]

    def of(self, upstream: str) -> tuple[TrustScope, ...]:
        """The scopes that vouch for an upstream's files."""
        return tuple(self.scopes[name] for name in self.by_upstream[upstream])

    def sets(self) -> tuple[tuple[str, ...], ...]:
        """Each set of scopes that something is judged under: those of the upstreams, and each scope alone."""
        wanted = [*self.by_upstream.values(), *((name,) for name in self.scopes)]
        return tuple(dict.fromkeys(tuple(sorted(names)) for names in wanted))

    def digest(self, names: Sequence[str]) -> str:
        """The `trust_digest` of a set of scopes."""
        return trust_digest([self.scopes[name] for name in names])

    def with_root(self, name: str, root: bytes) -> Trust:
        """The same with another root for one scope."""
        return replace(self, scopes={**self.scopes, name: replace(self.scopes[name], root=root)})


class KeyKind(StrEnum):
    """What a key of a trusted root is for; one of each kind is needed to verify anything."""

    AUTHORITY = "certificate authority"
    CT_LOG = "certificate transparency log"
    LOG = "transparency log"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedKey:
    """One key of a trusted root: of an authority, each certificate of its chain.

    `key_id` is what signatures name it by, in lower-case hex: the subject key id of an authority's certificate, the
    sha256 of a log's key. `start` and `end` are aware, and both belong to the time in which it is in force; None: open.
    """

    kind: KeyKind
    name: str  # for people: an authority's subject, a log's address; printable
    key_id: str
    start: datetime | None
    end: datetime | None

    def __str__(self) -> str:
        """For people."""
        return f"{self.kind} {self.name} ({self.key_id[:16]})"

    def in_force(self, time: datetime) -> bool:
        """Whether what was signed at `time` may be verified with it."""
        return (self.start is None or self.start <= time) and (self.end is None or time <= self.end)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUse:
    """That something was signed with a key, and when."""

    key_id: str  # as `TrustedKey.key_id`
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowChange:
    """A key that stands in two roots, in force at other times. What it signed outside the new ones holds no more."""

    before: TrustedKey
    after: TrustedKey


@dataclass(frozen=True, slots=True, kw_only=True)
class RootFacts:
    """What stands in a trusted root, for those who do not read it themselves."""

    sha256: str
    keys: tuple[TrustedKey, ...]

    def holds(self, use: KeyUse) -> bool:
        """Whether the key that was used is here, and was in force at that time."""
        return any(key.key_id == use.key_id and key.in_force(use.at) for key in self.keys)

    def knows(self, use: KeyUse) -> bool:
        """Whether the key that was used is here, in force at that time or not."""
        return any(key.key_id == use.key_id for key in self.keys)

    def lost_in(self, other: RootFacts) -> tuple[TrustedKey, ...]:
        """The keys that stand here and no longer there."""
        kept = {(key.kind, key.key_id) for key in other.keys}
        return tuple(key for key in self.keys if (key.kind, key.key_id) not in kept)

    def windows_changed_in(self, other: RootFacts) -> tuple[WindowChange, ...]:
        """The keys that stand in both and whose times here are none that they have there."""
        there: dict[tuple[KeyKind, str], list[TrustedKey]] = {}
        for key in other.keys:
            there.setdefault((key.kind, key.key_id), []).append(key)
        return tuple(
            WindowChange(before=key, after=others[0])
            for key in self.keys
            if (others := there.get((key.kind, key.key_id)))
            and (key.start, key.end) not in {(one.start, one.end) for one in others}
        )

    def missing_at(self, time: datetime) -> KeyKind | None:
        """A kind without any key in force at that time: nothing signed then can be verified. None where all are."""
        return next((kind for kind in KeyKind if not any(k.kind is kind and k.in_force(time) for k in self.keys)), None)

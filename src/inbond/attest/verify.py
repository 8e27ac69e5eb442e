"""Provenance bytes, a file's digest and a trusted root make evidence (PEP 740; docs/design.md, "Evidence").

- A finding is `Verified` only if no attestation is rejected and a *publish* attestation is verified.
- Everything received is judged, bundle by bundle and attestation by attestation: one bundle of a kind that nobody
  knows yet does not hide what another proves, nor what is wrong with it.
- Nothing is raised for what a stranger sent. What is wrong is data; "could not judge" is not "wrong".
- The file itself is never needed.

What the libraries accept and this does not, and what both accept because honest files have it, stands in
docs/verification.md, each tried; beyond the cryptography that is `profile`, `root` (which keys were in force),
`statement` and the agreement of a certificate's fields (`identity`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Self

import msgspec
from pydantic import TypeAdapter, ValidationError
from pypi_attestations import Publisher as PublisherObject

from inbond.attest.attestation import fingerprint, judge
from inbond.attest.identity import KnownPublisher, claimed_publisher
from inbond.attest.judging import Question
from inbond.attest.limits import MAX_ATTESTATIONS, check_question, derivation, over_limit
from inbond.attest.outcome import Wrong, clean
from inbond.attest.scope import Scope
from inbond.attest.signed_file import judge_signed
from inbond.attest.signed_form import is_signed_form
from inbond.attest.statement import PUBLISH
from inbond.model.evidence import (
    AttestationOutcome,
    Derivation,
    Rejected,
    RejectedAttestation,
    Unsupported,
    UnsupportedAttestation,
    UnsupportedCause,
    Verified,
    VerifiedAttestation,
)
from inbond.model.names import Filename
from inbond.model.trust import PUBLIC, TrustScope, trust_digest

PUBLISH_PREDICATE_TYPE: Final = PUBLISH
"""PyPI's publish predicate type: the public constant whose host the preset upstream is derived from."""

_VERSION: Final = 1
_MAX_FIELD_CHARS: Final = 255  # of a publisher object; the longest real ones are a third of it
_PUBLISHER: Final[TypeAdapter[KnownPublisher]] = TypeAdapter(PublisherObject)
_KINDS: Final = frozenset({"GitHub", "GitLab", "Google", "CircleCI"})
_JSON: Final = msgspec.json.Decoder()

Finding = Verified | Rejected | Unsupported


class ProvenanceVerifier:
    """Verifies provenance under one or several trust scopes; long-lived, without I/O and without a clock.

    Raises ConfigurationError where the root of a scope cannot be used.
    """

    def __init__(self, trusted: Sequence[TrustScope]) -> None:
        if not trusted:
            raise ValueError("nobody vouches for anything")
        self._scopes = tuple(Scope.of(one) for one in trusted)
        self._digest = trust_digest(trusted)

    @classmethod
    def public(cls, trusted_root: bytes) -> Self:
        """One that knows a single root, the bytes of a `trusted_root.json`, under the name of the public Sigstore."""
        return cls([TrustScope(name=PUBLIC, root=trusted_root)])

    @property
    def trusted_root_sha256(self) -> str:
        """The digest of all that vouches here, which evidence carries: `inbond.model.trust.trust_digest`."""
        return self._digest

    def verify(self, provenance: bytes, *, filename: Filename, sha256: str, now: datetime) -> Finding:
        """The finding about one file's provenance object, or about the signature that an operator attached to it.

        `sha256` is the file's own, 64 lower-case hex digits, and `now` is aware: otherwise ValueError. Raises
        MemoryError too, but nothing for what stands in `provenance`.
        """
        check_question(sha256=sha256, now=now)
        root = self._digest
        refused = over_limit(provenance, trusted_root_sha256=root, now=now)
        if refused is not None:
            return refused
        made_from = derivation(provenance, trusted_root_sha256=root, now=now)
        question = Question(filename=filename, sha256=sha256, scopes=self._scopes, now=now)
        if is_signed_form(provenance):
            return _finding((judge_signed(provenance, question),), made_from)
        try:
            bundles = _bundles(provenance)
        except _OtherVersion as error:
            return Unsupported(
                reason=error.reason, cause=UnsupportedCause.FORMAT, attestations=(), derivation=made_from
            )
        except Wrong as error:
            return Rejected(reason=error.reason, attestations=(), derivation=made_from)
        return _finding(tuple(_judged(bundles, question)), made_from)


class _OtherVersion(Wrong):
    """A provenance object of a version that is not known here."""


_Bundle = tuple[Mapping[str, Any], Sequence[Any]]  # publisher, attestations


def _bundles(provenance: bytes) -> list[_Bundle]:
    try:
        document = _JSON.decode(provenance)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Wrong("the provenance is not JSON") from error
    if not isinstance(document, dict):
        raise Wrong("the provenance is not a provenance object")
    version = document.get("version", _VERSION)
    if type(version) is int and version != _VERSION:
        raise _OtherVersion(f"provenance version {version} is not known here")
    raw = document.get("attestation_bundles")
    if type(version) is not int or not isinstance(raw, list):
        raise Wrong("the provenance is not a provenance object")
    bundles = [_bundle(each) for each in raw]
    if not bundles:
        raise Wrong("the provenance holds no attestation")
    if sum(len(attestations) for _, attestations in bundles) > MAX_ATTESTATIONS:
        raise Wrong(f"the provenance holds more than {MAX_ATTESTATIONS} attestations")
    return bundles


def _bundle(raw: Any) -> _Bundle:
    match raw:
        case {"publisher": {"kind": str()} as publisher, "attestations": [_, *_] as attestations}:
            return publisher, attestations
        case {"publisher": {"kind": str()}, "attestations": []}:
            raise Wrong("a bundle in the provenance holds no attestation")
        case _:
            raise Wrong("a bundle in the provenance is malformed")


def _judged(bundles: Iterable[_Bundle], question: Question) -> Iterable[AttestationOutcome]:
    seen: set[bytes] = set()
    for raw_publisher, attestations in bundles:
        publisher = _publisher(raw_publisher)
        for raw in attestations:
            if not isinstance(publisher, KnownPublisher):
                yield publisher
                continue
            signature = fingerprint(raw)
            if signature is not None and signature in seen:
                yield RejectedAttestation(
                    reason="the same attestation stands there twice", publisher=claimed_publisher(publisher)
                )
                continue
            if signature is not None:
                seen.add(signature)
            yield judge(raw, publisher, question)


def _publisher(raw: Mapping[str, Any]) -> KnownPublisher | UnsupportedAttestation | RejectedAttestation:
    """The publisher that an index names, or the outcome of all attestations beside it."""
    kind = raw["kind"]
    if kind not in _KINDS:
        return UnsupportedAttestation(
            reason=clean(f"publishers of kind {kind} are not known here"), cause=UnsupportedCause.FORMAT
        )
    try:
        publisher = _PUBLISHER.validate_python(raw)
    except ValidationError:
        return RejectedAttestation(reason="its publisher is malformed")
    if not all(_plain(value) for value in publisher.model_dump().values()):
        return RejectedAttestation(reason="its publisher is malformed")
    return publisher


def _plain(value: str | None) -> bool:
    return value is None or (len(value) <= _MAX_FIELD_CHARS and value.isprintable())


def _finding(attestations: tuple[AttestationOutcome, ...], made_from: Derivation) -> Finding:
    rejected = [each for each in attestations if isinstance(each, RejectedAttestation)]
    if rejected:
        return Rejected(reason=rejected[0].reason, attestations=attestations, derivation=made_from)
    if any(isinstance(each, VerifiedAttestation) and each.publish for each in attestations):
        return Verified(attestations=attestations, derivation=made_from)
    unjudged = [each for each in attestations if isinstance(each, UnsupportedAttestation)]
    # An unknown key is the graver of the two, and decides.
    unjudged.sort(key=lambda each: each.cause is not UnsupportedCause.UNKNOWN_KEY)
    if unjudged:
        reason, cause = unjudged[0].reason, unjudged[0].cause
    else:
        reason, cause = "there is no publish attestation", UnsupportedCause.FORMAT
    return Unsupported(reason=reason, cause=cause, attestations=attestations, derivation=made_from)

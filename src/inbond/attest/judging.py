"""What every form of signature goes through, whatever was signed: one log entry, its time, its keys, and its end.

Fails closed: whatever is raised on the way, by the libraries too, is a rejection with a reason of our own wording.
Only what says nothing about the signature, running out of memory, is passed on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from cryptography import x509
from sigstore.errors import Error as SigstoreError
from sigstore.models import Bundle
from sigstore.verify import Verifier
from sigstore_models.rekor.v1 import TransparencyLogEntry

from inbond.attest.limits import MAX_CLOCK_SKEW
from inbond.attest.outcome import Unjudged, Wrong
from inbond.attest.profile import require_index, require_leaf
from inbond.attest.scope import Scope
from inbond.attest.wording import refused, unread
from inbond.model.evidence import (
    AttestationOutcome,
    RejectedAttestation,
    UnsupportedAttestation,
    UnsupportedCause,
    VerifiedAttestation,
)
from inbond.model.names import Filename
from inbond.model.publisher import Publisher

Kind = tuple[str, str]  # of a log entry, with its version

DSSE: Final[Kind] = ("dsse", "0.0.1")  # an attestation, as PEP 740 carries it
HASHED: Final[Kind] = ("hashedrekord", "0.0.1")  # a signature over a file's digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of a signature: this file, those who may vouch for it, and the time now."""

    filename: Filename
    sha256: str
    scopes: tuple[Scope, ...]  # at least one
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A bundle whose keys were in force when the log took it; its cryptography is still to be verified."""

    bundle: Bundle
    entry: TransparencyLogEntry
    signed_at: datetime
    verifier: Verifier


def best(outcomes: Iterable[AttestationOutcome]) -> AttestationOutcome:
    """The best that any scope alone comes to; that one scope does not know a key says nothing where another does."""
    return min(outcomes, key=_preference)


def _preference(outcome: AttestationOutcome) -> int:
    match outcome:
        case VerifiedAttestation():
            return 0
        case RejectedAttestation():
            return 1
        case UnsupportedAttestation(cause=UnsupportedCause.FORMAT):
            return 2
        case UnsupportedAttestation():  # pragma: no branch (the match is exhaustive)
            return 3


def outcome_of(verified: Callable[[], VerifiedAttestation], claimed: Publisher | None = None) -> AttestationOutcome:
    """What a check comes to, however it ends. `claimed`: whom the index names."""
    try:
        return verified()
    except Unjudged as error:
        return UnsupportedAttestation(
            reason=error.reason, cause=error.cause, publisher=claimed, predicate_type=error.predicate_type
        )
    except Wrong as error:
        reason = error.reason
    except MemoryError:
        raise
    except SigstoreError as error:
        reason = refused(error)
    except x509.ExtensionNotFound:
        reason = "its certificate is not one for signing"
    except Exception as error:  # noqa: BLE001 (hostile input makes the libraries raise almost anything)
        reason = unread(error)
    return RejectedAttestation(reason=reason, publisher=claimed)


def require_one_entry(entries: Sequence[Mapping[str, Any]], kind: Kind) -> None:
    """One log entry, of this kind: those of other kinds cannot be carried, or prove something else.

    The library looks at the first and lets the others pass unseen; with several, nobody here can say what they prove.
    """
    if len(entries) != 1:
        raise Unjudged(f"it carries {len(entries)} log entries, one is understood", cause=UnsupportedCause.FORMAT)
    name, version = _kind_of(entries[0])
    if (name, version) != kind:
        raise Unjudged(f"log entries of kind {name} {version} are not understood", cause=UnsupportedCause.FORMAT)


def _kind_of(entry: Mapping[str, Any]) -> Kind:
    match entry.get("kindVersion"):
        case {"kind": str(kind), "version": str(version)}:
            return kind, version
        case _:
            raise Wrong("its log entry is malformed")


def ready(bundle: Bundle, scope: Scope, *, now: datetime) -> Ready:
    """What verifies this bundle under this scope, with the keys that were in force when it was signed."""
    entry = bundle.log_entry._inner  # noqa: SLF001 (parsing it once more would cost a tenth of all)
    require_index(entry)
    signed_at = _signing_time(entry, now)
    certificate = bundle.signing_certificate
    require_leaf(certificate)
    if not certificate.not_valid_before_utc <= signed_at <= certificate.not_valid_after_utc:
        raise Wrong("its certificate was not valid when it was signed")
    verifier = scope.root.verifier_for(certificate, log_id=entry.log_id.key_id, signed_at=signed_at)
    return Ready(bundle=bundle, entry=entry, signed_at=signed_at, verifier=verifier)


def _signing_time(entry: TransparencyLogEntry, now: datetime) -> datetime:
    """When the log says it took the entry; the log's promise, checked later, signs that."""
    if not entry.integrated_time:
        raise Wrong("its log entry has no time")
    try:
        signed_at = datetime.fromtimestamp(entry.integrated_time, tz=UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise Wrong("its log entry is dated beyond the calendar") from error
    if signed_at > now + MAX_CLOCK_SKEW:
        raise Wrong(f"it is dated {signed_at:%Y-%m-%d %H:%M} UTC, which is in the future")
    return signed_at

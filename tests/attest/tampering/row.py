"""What a row of the tampering table is, and how it is tried: on inbond, and on the libraries alone.

A row departs in one respect from what is honest. It says what is done, the state that follows, and a piece of the
reason; the pages that show the table take state and reason from a run.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal, Unpack
from unittest.mock import patch

from cryptography.utils import CryptographyDeprecationWarning
from pydantic import ValidationError
from pypi_attestations import AttestationError, Distribution, Provenance
from sigstore.errors import Error as SigstoreError
from sigstore.models import TrustedRoot
from sigstore.verify import Verifier
from sigstore_models.trustroot import v1

from inbond.attest.verify import Finding, ProvenanceVerifier
from inbond.model.evidence import EvidenceState, Unsupported, UnsupportedCause, state_of
from inbond.model.names import Filename
from sim.sigstore import DEFAULT_NOW, PUBLISH, STATEMENT_TYPE, Faults, GitHub, Identity, Sigstore

NAME: Final = Filename("widgets-1.0.tar.gz")
SHA256: Final = hashlib.sha256(b"widgets").hexdigest()
NOW: Final = DEFAULT_NOW + timedelta(days=1)
ACME: Final = GitHub()
OURS: Final = Sigstore()
THEIRS: Final = Sigstore("staging.example")
ROOT: Final = OURS.trusted_root()

Expected = tuple[EvidenceState, UnsupportedCause | None]
VERIFIED: Final[Expected] = (EvidenceState.VERIFIED, None)
REJECTED: Final[Expected] = (EvidenceState.REJECTED, None)
UNKNOWN_KEY: Final[Expected] = (EvidenceState.UNSUPPORTED, UnsupportedCause.UNKNOWN_KEY)
FORMAT: Final[Expected] = (EvidenceState.UNSUPPORTED, UnsupportedCause.FORMAT)

Alone = Literal["accept", "refuse", "crash"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What a verifier is asked."""

    provenance: bytes
    filename: str = NAME
    sha256: str = SHA256
    root: bytes = ROOT
    now: datetime = NOW


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One kind of tampering. `input`: what two rows that try the same thing have in common, though keys are new."""

    id: str
    input: object
    done: str
    attempt: Callable[[], Attempt]
    expected: Expected
    reason: str  # a piece of it


def faulty(
    id_: str,
    done: str,
    reason: str,
    *,
    expected: Expected = REJECTED,
    by: Identity = ACME,
    root: bytes = ROOT,
    **faults: Unpack[Faults],
) -> Row:
    """A row about one attestation that has a fault, for the file and in the provenance that it should be in."""

    def attempt() -> Attempt:
        return Attempt(provenance=OURS.provenance_for(NAME, SHA256, by, **faults), root=root)

    made_of = by, hash(root), *sorted((fault, _shape(value)) for fault, value in faults.items())
    return Row(id=id_, input=repr(made_of), done=done, attempt=attempt, expected=expected, reason=reason)


def _shape(value: object) -> str:
    """What a value does or is, in words that are the same for two functions of one text."""
    code = getattr(value, "__code__", None)
    if code is None:
        return repr(value)
    bound = [_shape(cell.cell_contents) for cell in getattr(value, "__closure__", None) or ()]
    return repr((code.co_code, code.co_consts, code.co_names, bound))


def beside(id_: str, done: str, reason: str, *, filename: str = NAME, sha256: str = SHA256, signed: str = NAME) -> Row:
    """A row about provenance in which nothing is wrong but that it stands beside another file."""

    def attempt() -> Attempt:
        return Attempt(provenance=OURS.provenance_for(signed, SHA256, ACME), filename=filename, sha256=sha256)

    asked = repr((filename, sha256, signed))
    return Row(id=id_, input=asked, done=done, attempt=attempt, expected=REJECTED, reason=reason)


def made(id_: str, done: str, reason: str, make: Callable[[], bytes], *, expected: Expected = REJECTED) -> Row:
    """A row about a provenance object that is made as a whole."""
    return Row(
        id=id_, input=_shape(make), done=done, attempt=lambda: Attempt(provenance=make()), expected=expected,
        reason=reason,
    )  # fmt: skip


def edited(id_: str, done: str, reason: str, edit: Callable[[Any], Any], *, expected: Expected = REJECTED) -> Row:
    """A row about an honest provenance object that `edit` changed in place."""

    def make() -> bytes:
        document = json.loads(honest())
        edit(document)
        return json.dumps(document).encode()

    return made(id_, done, reason, make, expected=expected)


def entry_edited(id_: str, done: str, reason: str, edit: Callable[[Any], Any], *, expected: Expected = REJECTED) -> Row:
    """A row about an honest attestation, whose log entry somebody changed on the way."""

    def change(document: Any) -> None:
        material = document["attestation_bundles"][0]["attestations"][0]["verification_material"]
        edit(material["transparency_entries"][0])

    return edited(id_, done, reason, change, expected=expected)


def honest() -> bytes:
    """Provenance that is verified."""
    return OURS.provenance_for(NAME, SHA256, ACME)


def attested(**faults: Any) -> dict[str, Any]:
    """One attestation object."""
    return OURS.attest(NAME, SHA256, ACME, **faults)


def statement(**changes: Any) -> bytes:
    """The statement that is signed, some of whose members are others."""
    honestly = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": NAME, "digest": {"sha256": SHA256}}],
        "predicateType": PUBLISH,
        "predicate": None,
    }
    return json.dumps(honestly | changes).encode()


def subject(name: Any = NAME, **digests: str) -> dict[str, Any]:
    """A subject of a statement."""
    return {"name": name, "digest": digests or {"sha256": SHA256}}


def outcome(finding: Finding) -> Expected:
    """A finding's state, with the cause where it is unsupported."""
    return state_of(finding), finding.cause if isinstance(finding, Unsupported) else None


def inbond(attempt: Attempt) -> Finding:
    """What inbond finds."""
    verifier = ProvenanceVerifier.public(attempt.root)
    with _without_warnings():
        return verifier.verify(
            attempt.provenance, filename=Filename(attempt.filename), sha256=attempt.sha256, now=attempt.now
        )


def libraries(attempt: Attempt) -> Alone:
    """What pypi-attestations and sigstore do by themselves, as one would call them; offline, with the same root.

    A crash is an exception that is none of theirs.
    """
    verifier = Verifier(trusted_root=TrustedRoot(v1.TrustedRoot.from_json(attempt.root)))
    try:
        with patch.object(Verifier, "production", lambda *, offline: verifier), _without_warnings():
            distribution = Distribution(name=attempt.filename, digest=attempt.sha256)
            for bundle in Provenance.model_validate_json(attempt.provenance).attestation_bundles:
                for attestation in bundle.attestations:
                    attestation.verify(bundle.publisher, distribution, offline=True)
    except (AttestationError, SigstoreError, ValidationError):
        return "refuse"
    except Exception:  # noqa: BLE001 (whatever else there is, is what is asked)
        return "crash"
    return "accept"


@contextlib.contextmanager
def _without_warnings() -> Iterator[None]:
    """cryptography warns of serial numbers that it will refuse one day, and every warning fails a test here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        yield

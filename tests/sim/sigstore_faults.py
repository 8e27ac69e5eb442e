"""What can go wrong at the private Sigstore: each fault departs in one respect from what is honest.

The named ones are common; a function gets the honest thing and gives what is there instead, so that all else fits it:
what the log was made to take is what it promises, proves and signs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from cryptography import x509

from sim.sigstore_encoding import LeafKey, PrivateKey
from sim.sigstore_identities import Json

if TYPE_CHECKING:
    from sim.sigstore import Sigstore

Window = tuple[datetime, datetime | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class SctFields:
    """The fields of a signed certificate timestamp (RFC 6962, 3.2) that are neither log, time nor signature."""

    version: int = 0
    extensions: bytes = b""
    signed_extensions: bytes | None = None  # others than those shown
    algorithms: tuple[int, int] = (4, 3)  # sha256, ecdsa
    entry_type: int = 1  # a precertificate
    issuer: bytes | None = None  # the hash of another issuer's key


class Faults(TypedDict, total=False):
    """Each key departs in one respect from what an honest Sigstore and an honest signer would do."""

    # the certificate
    ca: Sigstore  # issued by another's authority
    ca_key: PrivateKey  # signed with this key in our authority's name
    authority_key_id: bytes  # names this key as its issuer's, whoever signed
    issuer_name: str  # names this authority as its issuer
    issued: datetime  # when the certificate begins; the signing time otherwise
    lifetime: timedelta
    claims: Mapping[int, str | bytes | None]  # Fulcio's extensions that differ; bytes go in raw, None takes one out
    names: list[x509.GeneralName]
    usage: Literal["missing", "no-signing", "authority"]
    purpose: Literal["missing", "server", "any"]
    more_extensions: Sequence[tuple[x509.ExtensionType, bool]]  # with whether they are critical
    edit_tbs: Callable[[bytes], bytes]  # of what the authority and the CT log sign
    edit_certificate: Callable[[bytes], bytes]
    certificate: bytes  # something else where the certificate belongs
    leaf_key: Literal["p384", "other"] | LeafKey
    # its timestamp
    sct: Literal["missing", "badsig", "twice", "junk", "none", "othercertificate"]
    sct_by: Sigstore  # another's certificate transparency log
    sct_log_id: bytes
    sct_time: datetime
    sct_fields: SctFields
    # the log entry
    log: Sigstore  # another's log
    log_id: bytes
    kind_version: tuple[str, str]
    integrated_time: datetime | str
    set: Literal["missing", "badsig", "otherindex"]
    edit_promise: Callable[[Json], Json]  # of what the log promises
    proof: Literal["missing", "badroot", "short", "long", "otherindex", "outside"]
    edit_proof: Callable[[Json], Json]
    edit_leaf: Callable[[bytes], bytes]  # of what the tree was built with
    checkpoint: Literal["missing", "badsig", "otherkey", "otherroot", "unsigned", "junk"]
    edit_note: Callable[[str], str]  # of what the log signs
    edit_checkpoint: Callable[[str], str]
    body: Literal["otherpayload", "othersignature", "othercertificate", "otherkind", "junk"]
    edit_body: Callable[[Json], Json | bytes]  # of what the log took
    edit_entry: Callable[[Json], Json]
    entries: int  # how many log entries stand there
    # the envelope
    signature: Literal["badsig", "empty"]
    edit_signature: Callable[[bytes], bytes]  # of what the log took, too
    edit_signed: Callable[[bytes], bytes]  # of the bytes that are signed
    shown_statement: bytes  # stands in the envelope although something else was signed
    # the statement
    statement: bytes
    subjects: Sequence[Any]
    predicate_type: str
    predicate: Any
    statement_type: str
    # the attestation object
    version: object


class Windows(TypedDict, total=False):
    """Parts of a trusted root that can be written otherwise: `(start, end)` of each kind of key."""

    ca_window: Window
    ct_window: Window
    log_window: Window

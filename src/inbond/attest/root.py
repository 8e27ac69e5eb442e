"""The trusted root as it stood when something was signed.

sigstore takes any key of the root for a signature of any time, and tells a key it does not know from a forgery by
nothing. Both are settled here, before its cryptography runs: a signature is checked against the keys that were in
force at its time and no others, and one that names a key the root does not hold is *unsupported, unknown key*.

The names checked here — authority key id, log id, CT log id — are only hints that a forger may set to what he likes.
That decides what a failure is called; that there is one, the cryptography decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final, Self

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from cryptography.x509.certificate_transparency import SignedCertificateTimestamp as Sct
from sigstore.models import TrustedRoot
from sigstore.verify import Verifier
from sigstore_models.common.v1 import TimeRange
from sigstore_models.trustroot import v1

from inbond.attest.outcome import Unjudged, Wrong
from inbond.model.errors import ConfigurationError
from inbond.model.evidence import UnsupportedCause

_REMEDY: Final = "name a trusted_root.json that this version of sigstore reads, or 'bundled' for the one it ships"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """When a key is in force; both ends belong to it, and no end means until further notice."""

    start: datetime | None
    end: datetime | None

    @classmethod
    def of(cls, period: TimeRange | None) -> Self:
        """A window as a root writes it. Raises ValueError for times without a zone."""
        if period is None:
            return cls(start=None, end=None)
        if any(time is not None and time.tzinfo is None for time in (period.start, period.end)):
            raise ValueError("a time without a zone")
        return cls(start=period.start, end=period.end)

    def holds(self, time: datetime) -> bool:
        """Whether the key is in force at `time`."""
        return (self.start is None or self.start <= time) and (self.end is None or time <= self.end)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Key:
    """A key, or a chain of them, by the ids that others name it by."""

    ids: frozenset[bytes]
    window: Window


class Root:
    """A trusted root. Raises ConfigurationError for bytes that are none, or from which nothing could be verified."""

    def __init__(self, raw: bytes) -> None:
        self.sha256: Final = sha256(raw).hexdigest()
        try:
            self._inner = v1.TrustedRoot.from_json(raw)
            self._authorities = [_authority(each) for each in self._inner.certificate_authorities]
            self._ct_logs = [_log(each) for each in self._inner.ctlogs]
            self._logs = [_log(each) for each in self._inner.tlogs]
            everything = _Part(
                authorities=tuple(range(len(self._authorities))),
                ct_logs=tuple(range(len(self._ct_logs))),
                logs=tuple(range(len(self._logs))),
            )
            self._verifiers = {everything: self._build(everything)}
        except Exception as error:
            raise ConfigurationError(f"the trusted root cannot be used: {_said(error)}", remedy=_REMEDY) from error
        if not self._ct_logs:
            raise ConfigurationError("the trusted root names no certificate transparency log", remedy=_REMEDY)

    def verifier_for(self, certificate: x509.Certificate, *, log_id: bytes, signed_at: datetime) -> Verifier:
        """A verifier that knows the keys in force when this was signed.

        Raises Unjudged where one of them is not in the root, Wrong where it was not in force.
        """
        sct = _timestamp(certificate)
        sct_time = sct.timestamp.replace(tzinfo=UTC)  # cryptography gives it naive, in UTC
        return self._verifier(
            _Part(
                authorities=_in_force(
                    "certificate authority", self._authorities, _authority_key_id(certificate), signed_at
                ),
                ct_logs=_in_force("certificate transparency log", self._ct_logs, sct.log_id, sct_time),
                logs=_in_force("transparency log", self._logs, log_id, signed_at),
            )
        )

    def _verifier(self, part: _Part) -> Verifier:
        # As many as there are stretches of time between the windows' ends: a handful.
        if part not in self._verifiers:
            self._verifiers[part] = self._build(part)
        return self._verifiers[part]

    def _build(self, part: _Part) -> Verifier:
        inner = self._inner
        kept = {
            "certificate_authorities": [inner.certificate_authorities[at] for at in part.authorities],
            "ctlogs": [inner.ctlogs[at] for at in part.ct_logs],
            "tlogs": [inner.tlogs[at] for at in part.logs],
        }
        return Verifier(trusted_root=TrustedRoot(inner.model_copy(update=kept)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """Which of a root's keys, by their place in it."""

    authorities: tuple[int, ...]
    ct_logs: tuple[int, ...]
    logs: tuple[int, ...]


def _in_force(what: str, keys: Sequence[_Key], key_id: bytes, time: datetime) -> tuple[int, ...]:
    named = [key for key in keys if key_id in key.ids]
    if not named:
        raise Unjudged(
            f"signed with a {what} that the trusted root does not know ({key_id.hex()[:16]})",
            cause=UnsupportedCause.UNKNOWN_KEY,
        )
    if not any(key.window.holds(time) for key in named):
        raise Wrong(f"the {what} was not in force at {time:%Y-%m-%d %H:%M} UTC, when this claims to be signed")
    return tuple(at for at, key in enumerate(keys) if key.window.holds(time))


def _authority(authority: v1.CertificateAuthority) -> _Key:
    certificates = [x509.load_der_x509_certificate(each.raw_bytes) for each in authority.cert_chain.certificates]
    return _Key(ids=frozenset(map(_subject_key_id, certificates)), window=Window.of(authority.valid_for))


def _log(log: v1.TransparencyLogInstance) -> _Key:
    key = load_der_public_key(log.public_key.raw_bytes or b"")
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    # RFC 6962, 3.2. The id that the root itself gives is not used: for Rekor v2 it is another.
    return _Key(ids=frozenset({sha256(spki).digest()}), window=Window.of(log.public_key.valid_for))


def _subject_key_id(certificate: x509.Certificate) -> bytes:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound:
        return x509.SubjectKeyIdentifier.from_public_key(certificate.public_key()).digest


def _authority_key_id(certificate: x509.Certificate) -> bytes:
    try:
        key_id = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    except x509.ExtensionNotFound:
        key_id = None
    if key_id is None:
        raise Wrong("its certificate does not say which authority issued it")
    return key_id


def _timestamp(certificate: x509.Certificate) -> Sct:
    kind = x509.PrecertificateSignedCertificateTimestamps
    try:
        timestamps: list[Sct] = list(certificate.extensions.get_extension_for_class(kind).value)
    except x509.ExtensionNotFound:
        timestamps = []
    if len(timestamps) != 1:
        raise Wrong(f"its certificate carries {len(timestamps)} certificate transparency timestamps, not one")
    return timestamps[0]


def _said(error: Exception) -> str:
    first = str(error).partition("\n")[0]
    return f"{first} ({type(error).__name__})"

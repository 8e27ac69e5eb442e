"""The trusted root as it stood when something was signed.

sigstore takes any key of the root for a signature of any time, and tells a key it does not know from a forgery by
nothing. Both are settled here, before its cryptography runs: a signature is checked against the keys that were in
force at its time and no others, and one that names a key the root does not hold is *unsupported, unknown key*.

The names checked here — authority key id, log id, CT log id — are only hints that a forger may set to what he likes.
That decides what a failure is called; that there is one, the cryptography decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final, Self

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from cryptography.x509.certificate_transparency import SignedCertificateTimestamp as Sct
from sigstore.verify import Verifier
from sigstore_models.common.v1 import TimeRange
from sigstore_models.trustroot import v1

from inbond.attest.fixed_root import FixedRoot, usable
from inbond.attest.outcome import Unjudged, Wrong, clean
from inbond.attest.profile import require_timely
from inbond.attest.root_told import told
from inbond.model.errors import ConfigurationError
from inbond.model.evidence import UnsupportedCause
from inbond.model.trust import KeyKind, KeyUse, RootFacts, TrustedKey

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
    """A trusted root; `facts` says what stands in it, but for keys of types that sigstore does not use.

    Raises ConfigurationError for bytes that are none, or from which nothing could be verified.
    """

    def __init__(self, raw: bytes) -> None:
        self.sha256: Final = sha256(raw).hexdigest()
        try:
            self._inner = usable(v1.TrustedRoot.from_json(raw))
            self._authorities = [_authority(each) for each in self._inner.certificate_authorities]
            self._ct_logs = [_log(each) for each in self._inner.ctlogs]
            self._logs = [_log(each) for each in self._inner.tlogs]
            everything = _Part(
                authorities=tuple(range(len(self._authorities))),
                ct_logs=tuple(range(len(self._ct_logs))),
                logs=tuple(range(len(self._logs))),
            )
            self._verifiers = {everything: self._build(everything)} if self._ct_logs else {}
            self.facts: Final = RootFacts(sha256=self.sha256, keys=tuple(_listed(self._inner)))
        except MemoryError:
            raise  # of that the root is not to blame
        except Exception as error:
            raise ConfigurationError(f"the trusted root cannot be used: {told(error)}", remedy=_REMEDY) from error
        if not self._ct_logs:
            raise ConfigurationError("the trusted root names no certificate transparency log", remedy=_REMEDY)

    def verifier_for(self, certificate: x509.Certificate, *, log_id: bytes, signed_at: datetime) -> Verifier:
        """A verifier that knows the keys in force when this was signed.

        Raises Unjudged where one of them is not in the root, Wrong where it was not in force.
        """
        sct = _timestamp(certificate)
        sct_time = sct.timestamp.replace(tzinfo=UTC)  # cryptography gives it naive, in UTC
        part = _Part(
            authorities=_in_force(
                "certificate authority", self._authorities, _authority_key_id(certificate), signed_at
            ),
            ct_logs=_in_force("certificate transparency log", self._ct_logs, sct.log_id, sct_time),
            logs=_in_force("transparency log", self._logs, log_id, signed_at),
        )
        require_timely(sct_time, certificate, signed_at=signed_at)
        return self._verifier(part)

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
        return Verifier(trusted_root=FixedRoot(inner.model_copy(update=kept)))


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
    ids = frozenset(map(_subject_key_id, _chain(authority)))
    return _Key(ids=ids, window=Window.of(authority.valid_for))


def _chain(authority: v1.CertificateAuthority) -> list[x509.Certificate]:
    return [x509.load_der_x509_certificate(each.raw_bytes) for each in authority.cert_chain.certificates]


def _log(log: v1.TransparencyLogInstance) -> _Key:
    return _Key(ids=frozenset({_log_key_id(log)}), window=Window.of(log.public_key.valid_for))


def _log_key_id(log: v1.TransparencyLogInstance) -> bytes:
    key = load_der_public_key(log.public_key.raw_bytes or b"")
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    # RFC 6962, 3.2. The id that the root itself gives is not used: for Rekor v2 it is another.
    return sha256(spki).digest()


def _listed(root: v1.TrustedRoot) -> Iterable[TrustedKey]:
    for authority in root.certificate_authorities:
        yield from _listed_chain(authority)
    yield from (_listed_log(KeyKind.CT_LOG, each) for each in root.ctlogs)
    yield from (_listed_log(KeyKind.LOG, each) for each in root.tlogs)


def _listed_chain(authority: v1.CertificateAuthority) -> Iterable[TrustedKey]:
    window = Window.of(authority.valid_for)
    for certificate in _chain(authority):
        yield TrustedKey(
            kind=KeyKind.AUTHORITY,
            name=clean(certificate.subject.rfc4514_string()),
            key_id=_subject_key_id(certificate).hex(),
            start=window.start,
            end=window.end,
        )


def _listed_log(kind: KeyKind, log: v1.TransparencyLogInstance) -> TrustedKey:
    window = Window.of(log.public_key.valid_for)
    name = clean(log.base_url)
    return TrustedKey(kind=kind, name=name, key_id=_log_key_id(log).hex(), start=window.start, end=window.end)


def key_uses(certificate: x509.Certificate, *, log_id: bytes, signed_at: datetime) -> tuple[KeyUse, ...]:
    """The keys by which `Root.verifier_for` goes, and when each was used. Raises Wrong where they are not told."""
    sct = _timestamp(certificate)
    return (
        KeyUse(key_id=_authority_key_id(certificate).hex(), at=signed_at),
        KeyUse(key_id=sct.log_id.hex(), at=sct.timestamp.replace(tzinfo=UTC)),
        KeyUse(key_id=log_id.hex(), at=signed_at),
    )


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

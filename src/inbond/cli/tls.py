"""TLS in the process itself: the certificate and its key, read and checked, and exchanged while inbond runs.

A new certificate is a new context for the connections that come from then on (`inbond.web.handshakes`).
"""

from __future__ import annotations

import hashlib
import ssl
import stat
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Self

from aiohttp import web

from inbond.gateway.clock import Clock
from inbond.model.errors import ConfigurationError
from inbond.web.readiness import Check
from inbond.web.settings import TlsSettings

MAX_PEM_BYTES: Final = 1024 * 1024
TOLD_BEFORE: Final = timedelta(days=21)  # its end: then readiness advises
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A certificate that was read, with its chain and key.

    `sha256`: of the certificate itself. `whole`: of it and all that stands behind it in the file.
    """

    settings: TlsSettings
    sha256: str
    whole: str
    not_before: datetime
    not_after: datetime

    @classmethod
    def read(cls, settings: TlsSettings) -> Self:
        """Reads the certificate. Blocks. Raises `ConfigurationError`."""
        # A server without TLS does not carry it.
        from cryptography import x509  # noqa: PLC0415 (as said above)
        from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415 (as said above)

        try:
            raw = _bytes_of(settings.certificate)
            first, *chain = x509.load_pem_x509_certificates(raw)
        except OSError as error:
            raise _wrong("tls_certificate", settings.certificate, error.strerror or str(error)) from error
        except ValueError as error:
            raise _wrong("tls_certificate", settings.certificate, "is no certificate in PEM") from error
        return cls(
            settings=settings,
            sha256=hashlib.sha256(first.public_bytes(Encoding.DER)).hexdigest(),
            whole=hashlib.sha256(b"".join(one.public_bytes(Encoding.DER) for one in (first, *chain))).hexdigest(),
            not_before=first.not_valid_before_utc,
            not_after=first.not_valid_after_utc,
        )

    def require_current(self, now: datetime) -> None:
        """Raises `ConfigurationError` where it has ended: clients would refuse to connect."""
        if self.not_after <= now:
            raise ConfigurationError(
                f"server.tls_certificate: {self.settings.certificate}: has ended on {self.not_after:%Y-%m-%d}",
                remedy="renew it, then reload",
            )

    def context(self) -> ssl.SSLContext:
        """For new connections. Blocks. Raises `ConfigurationError` where key and certificate are not a pair."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        key = self.settings.key
        try:
            _bytes_of(key)
            context.load_cert_chain(self.settings.certificate, key, password=_no_password)
        except ssl.SSLError as error:
            said = "is not the key of tls_certificate" if "MISMATCH" in (error.reason or "") else "is no key in PEM"
            raise _wrong("tls_key", key, said) from error
        except ValueError as error:
            raise _wrong("tls_key", key, "is encrypted: inbond has no password for it") from error
        except OSError as error:
            raise _wrong("tls_key", key, error.strerror or str(error)) from error
        return context


class TlsInForce:
    """The certificate that new connections are given, and the context for them."""

    def __init__(self, certificate: Certificate, context: ssl.SSLContext) -> None:
        self.certificate = certificate
        self.context = context

    @classmethod
    def of(cls, settings: TlsSettings) -> Self:
        """Reads it. Blocks. Raises `ConfigurationError`."""
        certificate = Certificate.read(settings)
        return cls(certificate, certificate.context())

    def use(self, certificate: Certificate, context: ssl.SSLContext) -> None:
        """New connections are given this one; those that are open keep theirs."""
        self.certificate = certificate
        self.context = context

    def check(self, now: datetime) -> Check:
        """What readiness says of it: an end that is near is advice, one that is past a problem for clients."""
        left = self.certificate.not_after - now
        path = self.certificate.settings.certificate
        if left <= timedelta(0):
            return Check(
                advice=f"the certificate {path} has ended: clients refuse to connect; renew it, then inbond reload"
            )
        if self.certificate.not_before > now:
            return Check(advice=f"the certificate {path} is not valid yet, clients refuse it")
        if left <= TOLD_BEFORE:
            return Check(advice=f"the certificate {path} ends in {left.days} days; renew it, then inbond reload")
        return Check()


def warnings_about(settings: TlsSettings) -> tuple[str, ...]:
    """What is no error, and still not as it should be. Blocks."""
    mode = settings.key.stat().st_mode
    if not mode & _OTHERS:
        return ()
    return (f"server.tls_key: others than its owner may use {settings.key} (mode {mode & 0o777:o})",)


async def checked(tls: TlsInForce, clock: Clock) -> Check:
    """As a check of readiness."""
    return tls.check(clock())


TLS: Final = web.AppKey("tls", TlsInForce)


def _bytes_of(path: Path) -> bytes:
    with path.open("rb") as file:
        raw = file.read(MAX_PEM_BYTES + 1)
    if len(raw) > MAX_PEM_BYTES:
        raise ValueError(f"larger than {MAX_PEM_BYTES} bytes")
    return raw


def _no_password() -> str:
    raise ValueError("encrypted")


def _wrong(key: str, path: Path, said: str) -> ConfigurationError:
    return ConfigurationError(f"server.{key}: {path}: {said}", remedy="name a PEM file that this user may read")

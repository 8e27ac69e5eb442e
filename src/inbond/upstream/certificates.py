"""What servers' certificates are checked with.

`ssl.create_default_context` is not used: it writes every connection's keys to the file that SSLKEYLOGFILE names.
"""

from __future__ import annotations

import ssl
import sys
from functools import cache
from pathlib import Path


@cache
def system_trust() -> ssl.SSLContext:
    """What checks certificates against the system's store, where OpenSSL finds it; read once, when first needed."""
    context = _context()
    context.load_default_certs()
    return context


def trusting(bundle: Path) -> ssl.SSLContext:
    """What checks certificates against the authorities in a file, and no others. Raises ValueError."""
    context = _context()
    try:
        context.load_verify_locations(cafile=str(bundle))
    except ssl.SSLError:
        raise ValueError(_without_certificate(bundle)) from None
    except OSError as error:
        raise ValueError(f"the file {bundle} cannot be read: {error.strerror or error}") from None
    if not context.cert_store_stats()["x509"]:  # a list of revocations is read without an error
        raise ValueError(_without_certificate(bundle))
    return context


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks host names, and wants a certificate
    if sys.version_info >= (3, 13):  # as Python's own default from then on
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_STRICT
    context.set_alpn_protocols(["http/1.1"])
    return context


def _without_certificate(bundle: Path) -> str:
    return f"the file {bundle} holds no certificate in PEM that can be read"

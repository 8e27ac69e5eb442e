"""Certificate transparency: the one timestamp that must stand in the certificate (RFC 6962)."""

from __future__ import annotations

import copy
import hashlib
from datetime import timedelta
from typing import Final

from attest.tampering.chain import LONG_AGO
from attest.tampering.row import NOW, OURS, THEIRS, UNKNOWN_KEY, Row, faulty
from sim.sigstore import DEFAULT_NOW, SctFields, Sigstore
from sim.sigstore_encoding import spki

_BEGAN: Final = DEFAULT_NOW - timedelta(days=900)
_ENDED: Final = OURS.trusted_root(ct_window=(_BEGAN, DEFAULT_NOW - timedelta(days=1)))
_YOUNG: Final = OURS.trusted_root(ct_window=(DEFAULT_NOW + timedelta(days=1), None))
_FORGED: Final = "transparency timestamp of its certificate is not genuine"
_STRANGER: Final = "certificate transparency log that the trusted root does not know"
_OTHER_ISSUER: Final = hashlib.sha256(spki(THEIRS.ca_key)).digest()


def _with_the_other_key() -> Sigstore:
    """Ours, whose timestamps are signed with the key of its other log."""
    odd = copy.copy(OURS)
    odd.__dict__.pop("ct_id", None)  # it is kept once it was asked for
    odd.ct_key = OURS.log_key
    return odd


_OTHER_LOG: Final = _with_the_other_key()

ROWS: Final[tuple[Row, ...]] = (
    faulty("sct-missing", "there is no timestamp", "carries 0 certificate transparency timestamps", sct="missing"),
    faulty("sct-list-empty", "the list of timestamps is empty", "carries 0 certificate transparency timestamps",
           sct="none"),
    faulty("sct-twice", "the timestamp stands there twice", "carries 2 certificate transparency timestamps",
           sct="twice"),
    faulty("sct-junk", "something else stands in its place", "malformed", sct="junk"),
    faulty("sct-forged", "one bit of its signature is flipped", _FORGED, sct="badsig"),
    faulty("sct-of-another-certificate", "it is of another certificate", _FORGED, sct="othercertificate"),
    faulty("sct-of-another-issuer", "it says that another authority issued the certificate", _FORGED,
           sct_fields=SctFields(issuer=_OTHER_ISSUER)),
    faulty("sct-of-a-final-certificate", "it was signed for a final certificate, not for what came before it", _FORGED,
           sct_fields=SctFields(entry_type=0)),
    faulty("sct-by-a-stranger", "another log's timestamp", _STRANGER, expected=UNKNOWN_KEY, sct_by=THEIRS),
    faulty("sct-by-a-stranger-in-our-name", "another log's timestamp under our log's id", _FORGED,
           sct_by=THEIRS, sct_log_id=OURS.ct_id),
    faulty("sct-in-a-stranger's-name", "our log's timestamp under another's id", _STRANGER,
           expected=UNKNOWN_KEY, sct_log_id=THEIRS.ct_id),
    faulty("sct-in-nobody's-name", "our log's timestamp under an id of zeros", _STRANGER,
           expected=UNKNOWN_KEY, sct_log_id=b"\0" * 32),
    faulty("sct-by-the-other-log", "signed with the key of the transparency log of signatures", _STRANGER,
           expected=UNKNOWN_KEY, sct_by=_OTHER_LOG),
    faulty("sct-by-the-other-log-in-our-name", "signed with that key, under our log's id", _FORGED,
           sct_by=_OTHER_LOG, sct_log_id=OURS.ct_id),
    faulty("sct-in-the-other-log-s-name", "our log's timestamp under the id of the transparency log of signatures",
           _STRANGER, expected=UNKNOWN_KEY, sct_log_id=OURS.log_id),
    faulty("sct-version", "it is of a version that nobody knows", "malformed", sct_fields=SctFields(version=1)),
    faulty("sct-extensions-unsigned", "it has extensions that its signature does not cover", _FORGED,
           sct_fields=SctFields(extensions=b"\0\0\1\2", signed_extensions=b"")),
    faulty("sct-extensions-taken", "the extensions that its signature covers were taken away", _FORGED,
           sct_fields=SctFields(extensions=b"", signed_extensions=b"\0\0\1\2")),
    faulty("sct-sha-1", "says that it was signed by SHA-1", _FORGED, sct_fields=SctFields(algorithms=(2, 3))),
    faulty("sct-sha-512", "says that it was signed by SHA-512", _FORGED, sct_fields=SctFields(algorithms=(6, 3))),
    faulty("sct-before-the-log", "dated before our log began", "log was not in force at 2019-06-01", sct_time=LONG_AGO),
    faulty("sct-log-ended", "our log's time in the trusted root was over", "log was not in force", root=_ENDED),
    faulty("sct-log-not-begun", "our log's time in the trusted root had not begun", "log was not in force",
           root=_YOUNG),
    faulty("sct-later-than-the-signature", "dated a day after the signature",
           "transparency timestamp of its certificate is dated",
           sct_time=DEFAULT_NOW + timedelta(days=1)),
    faulty("sct-in-the-future", "dated a year ahead", "transparency timestamp of its certificate is dated",
           sct_time=NOW + timedelta(days=365)),
    faulty("sct-older-than-the-certificate", "dated a year before the certificate",
           "transparency timestamp of its certificate is dated",
           sct_time=DEFAULT_NOW - timedelta(days=365)),
)  # fmt: skip

"""Log entry: what the log took, when, and what it promised about it (Rekor v1, `dsse` 0.0.1)."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from attest.tampering.chain import LONG_AGO
from attest.tampering.row import ACME, FORMAT, OURS, ROOT, THEIRS, UNKNOWN_KEY, Row, entry_edited, faulty
from sim.sigstore import DEFAULT_NOW
from sim.sigstore_encoding import b64, canonical, sign
from sim.sigstore_identities import Json

_PROMISE: Final = "promise to include it is not genuine"
_ABOUT: Final = "log entry is about something else"
_MALFORMED: Final = "log entry is malformed"
_ENDED: Final = OURS.trusted_root(log_window=(DEFAULT_NOW - timedelta(days=900), DEFAULT_NOW - timedelta(days=1)))
_YOUNG: Final = OURS.trusted_root(log_window=(DEFAULT_NOW + timedelta(days=1), None))
_EARLY: Final = (LONG_AGO - timedelta(days=365), None)
_LATE_LOG: Final = OURS.trusted_root(ca_window=_EARLY, ct_window=_EARLY)


def _with_unused_key() -> bytes:
    """A root that knows the strangers' log, by a key of a type that sigstore passes over."""
    root, theirs = json.loads(ROOT), json.loads(THEIRS.trusted_root())["tlogs"]
    theirs[0]["publicKey"]["keyDetails"] = "PKIX_ECDSA_P256_HMAC_SHA_256"
    root["tlogs"] += theirs
    return json.dumps(root).encode()


_UNUSED: Final = _with_unused_key()


def _spec(**changes: Any) -> Callable[[Json], Json]:
    """The log took an entry with another member of its `spec`; None takes it out."""

    def edit(body: Json) -> Json:
        spec = {key: value for key, value in (body["spec"] | changes).items() if value is not None}
        return body | {"spec": spec}

    return edit


def _signature(**changes: str) -> Callable[[Json], Json]:
    return lambda body: _spec(signatures=[body["spec"]["signatures"][0] | changes])(body)


def _signatures(times: int) -> Callable[[Json], Json]:
    return lambda body: _spec(signatures=body["spec"]["signatures"] * times)(body)


def _second_payload(body: Json) -> bytes:
    """JSON in which the payload's hash stands twice, the right one first."""
    other = '"payloadHash":{"algorithm":"sha256","value":"' + "0" * 64 + '"}'
    return canonical(body).replace(b'"signatures":', other.encode() + b',"signatures":')


def _payload_before(body: Json) -> bytes:
    """The same, the right one last."""
    other = b'"payloadHash":{"algorithm":"sha256","value":"' + b"0" * 64 + b'"},'
    return canonical(body).replace(b'"payloadHash":', other + b'"payloadHash":', 1)


def _another_entry(entry: Any) -> None:
    """A whole, honest entry, about another file."""
    other = OURS.attest("gadgets-1.0.tar.gz", "0" * 64, ACME)
    entry.update(other["verification_material"]["transparency_entries"][0])


def _another_body(entry: Any) -> None:
    """The promise and the proof are this file's; what they are about is not."""
    other: Any = {}
    _another_entry(other)
    entry["canonicalizedBody"] = other["canonicalizedBody"]


def _another_promise(entry: Any) -> None:
    other: Any = {}
    _another_entry(other)
    entry["inclusionPromise"] = other["inclusionPromise"]


def _strangers_promise(entry: Any) -> None:
    promised = {
        "body": entry["canonicalizedBody"],
        "integratedTime": int(entry["integratedTime"]),
        "logID": OURS.log_id.hex(),
        "logIndex": int(entry["logIndex"]),
    }
    entry["inclusionPromise"] = {"signedEntryTimestamp": b64(sign(THEIRS.log_key, canonical(promised)))}


def _later(entry: Any) -> None:
    entry["integratedTime"] = str(int(entry["integratedTime"]) + 60)


def _with(**members: Any) -> Callable[[Any], None]:
    return lambda entry: entry.update(members)


def _without(member: str) -> Callable[[Any], None]:
    return lambda entry: entry.pop(member)


def _reordered(entry: Any) -> None:
    """The same body, its members in another order: the log took other bytes."""
    body = json.loads(base64.b64decode(entry["canonicalizedBody"]))
    entry["canonicalizedBody"] = b64(json.dumps(body, separators=(",", ":"), sort_keys=False, indent=1).encode())


ROWS: Final[tuple[Row, ...]] = (
    faulty("log-stranger", "logged by another log", "transparency log that the trusted root does not know",
           expected=UNKNOWN_KEY, log=THEIRS),
    faulty("log-stranger-in-our-name", "logged by another log under our log's id", "checkpoint is not genuine",
           log=THEIRS, log_id=OURS.log_id),
    faulty("log-in-a-stranger's-name", "logged by our log under another's id", "transparency log that the trusted root",
           expected=UNKNOWN_KEY, log_id=THEIRS.log_id),
    faulty("log-unnamed", "the log's id is empty", "transparency log that the trusted root", expected=UNKNOWN_KEY,
           log_id=b""),
    faulty("log-id-shortened", "the log's id is its beginning", "transparency log that the trusted root",
           expected=UNKNOWN_KEY, log_id=OURS.log_id[:31]),
    faulty("log-ended", "our log's time in the trusted root was over", "transparency log was not in force",
           root=_ENDED),
    faulty("log-not-begun", "our log's time in the trusted root had not begun", "transparency log was not in force",
           root=_YOUNG),
    faulty("rekor-v2-hashedrekord", "an entry of the next kind of log", "kind hashedrekord 0.0.2 are not understood",
           expected=FORMAT, kind_version=("hashedrekord", "0.0.2")),
    faulty("rekor-v2-dsse", "an entry of this kind in the next version", "kind dsse 0.0.2 are not understood",
           expected=FORMAT, kind_version=("dsse", "0.0.2")),
    faulty("hashedrekord", "an entry of the kind that plain signatures have",
           "kind hashedrekord 0.0.1 are not understood",
           expected=FORMAT, kind_version=("hashedrekord", "0.0.1")),
    faulty("intoto", "an entry of the kind that went before", "kind intoto 0.0.2 are not understood",
           expected=FORMAT, kind_version=("intoto", "0.0.2")),
    faulty("kind-with-control-characters", "an entry whose kind is a terminal's escape sequence", "kind ?[31m? 0",
           expected=FORMAT, kind_version=("\x1b[31m\n", "0")),
    entry_edited("kind-missing", "the entry does not say its kind", _MALFORMED, _without("kindVersion")),
    entry_edited("kind-a-string", "the entry's kind is a string", _MALFORMED, _with(kindVersion="dsse 0.0.1")),
    entry_edited("entry-with-more", "the entry has a member that nobody knows", _MALFORMED, _with(surprise=1)),
    faulty("two-entries", "there are two log entries, each of them genuine", "carries 2 log entries",
           expected=FORMAT, entries=2),
    faulty("no-entry", "there is no log entry", "not an attestation object", entries=0),
    entry_edited("entry-of-another-file", "the log entry is another file's", _ABOUT, _another_entry),
    faulty("time-zero", "the log says no time", "has no time", integrated_time="0"),
    entry_edited("time-missing", "the entry has no time", "has no time", _without("integratedTime")),
    faulty("time-beyond-the-calendar", "a time of which there is no date", "dated beyond",
           integrated_time="99999999999999"),
    faulty("time-a-word", "the time is a word", _MALFORMED, integrated_time="noon"),
    entry_edited("time-negative", "the time is negative", _MALFORMED, _with(integratedTime="-1")),
    entry_edited("time-a-number", "the time is a number, where it should be a string", _MALFORMED,
                 _with(integratedTime=1748865600)),
    faulty("time-before-the-root", "logged before our log began, when our authority had",
           "the transparency log was not in force at 2019-06-01",
           integrated_time=LONG_AGO, issued=LONG_AGO, root=_LATE_LOG),
    faulty("log-key-not-used", "logged by a log whose key in the trusted root is of a type that sigstore does not use",
           "transparency log that the trusted root does not know", expected=UNKNOWN_KEY, log=THEIRS, root=_UNUSED),
    entry_edited("time-moved", "the time was moved by a minute", _PROMISE, _later),
    faulty("promise-missing", "there is no promise", "promise to include it is missing", set="missing"),
    faulty("promise-forged", "one bit of the promise is flipped", _PROMISE, set="badsig"),
    entry_edited("promise-empty", "the promise is empty", _PROMISE,
                 _with(inclusionPromise={"signedEntryTimestamp": ""})),
    faulty("promise-other-index", "the promise is for another index", _PROMISE, set="otherindex"),
    faulty("promise-other-time", "the promise is for another time", _PROMISE,
           edit_promise=lambda promised: promised | {"integratedTime": 1}),
    faulty("promise-other-log", "the promise is for another log", _PROMISE,
           edit_promise=lambda promised: promised | {"logID": "00" * 32}),
    faulty("promise-other-body", "the promise is for another body", _PROMISE,
           edit_promise=lambda promised: promised | {"body": "e30="}),
    faulty("promise-with-more", "the promise covers a member that is not there", _PROMISE,
           edit_promise=lambda promised: promised | {"more": 1}),
    entry_edited("promise-of-another-entry", "the promise is another entry's", _PROMISE, _another_promise),
    entry_edited("promise-by-a-stranger", "another log signed the promise", _PROMISE, _strangers_promise),
    entry_edited("index-other", "the index was changed", _PROMISE, _with(logIndex="5")),
    entry_edited("index-negative", "the index is negative", _MALFORMED, _with(logIndex="-5")),
    entry_edited("index-beyond-64-bits", "the index needs more than 64 bits", _MALFORMED, _with(logIndex=str(2**64))),
    entry_edited("index-beyond-json", "the index is larger than canonical JSON can write", _MALFORMED,
                 _with(logIndex=str(2**63))),
    entry_edited("index-endless", "the index has 5,000 digits", _MALFORMED, _with(logIndex="9" * 5000)),
    entry_edited("index-missing", "there is no index", _MALFORMED, _without("logIndex")),
    faulty("body-other-payload", "the log took another payload", _ABOUT, body="otherpayload"),
    faulty("body-other-payload-algorithm", "the log took the payload's hash by another algorithm", _ABOUT,
           edit_body=_spec(payloadHash={"algorithm": "sha512", "value": "0" * 128})),
    faulty("body-no-payload", "the log took no payload's hash", _ABOUT, edit_body=_spec(payloadHash=None)),
    faulty("body-payload-twice", "the payload's hash stands there twice, the right one first", _ABOUT,
           edit_body=_second_payload),
    faulty("body-payload-before", "the payload's hash stands there twice, the right one last",
           "log entry names the same member twice", edit_body=_payload_before),
    faulty("body-other-signature", "the log took another signature", _ABOUT, body="othersignature"),
    faulty("body-other-certificate", "the log took another certificate", _ABOUT, body="othercertificate"),
    faulty("body-key-for-certificate", "the log took a bare key", _ABOUT,
           edit_body=_signature(verifier="LS0tLS1CRUdJTg==")),
    faulty("body-no-signatures", "the log took no signature", _ABOUT, edit_body=_spec(signatures=[])),
    faulty("body-signatures-missing", "the log's entry has no signatures", _ABOUT, edit_body=_spec(signatures=None)),
    faulty("body-signature-twice", "the log took the signature twice", _ABOUT, edit_body=_signatures(2)),
    faulty("body-other-kind", "what the log took says that it is of another kind", _ABOUT, body="otherkind"),
    faulty("body-other-version", "what the log took says that it is of another version", _ABOUT,
           edit_body=lambda body: body | {"apiVersion": "0.0.2"}),
    faulty("body-a-list", "the log took a list", _ABOUT, edit_body=lambda body: canonical([body])),
    faulty("body-junk", "the log took something that is not JSON", _ABOUT, body="junk"),
    faulty("body-empty", "the log took nothing", _ABOUT, edit_body=lambda _: b""),
    entry_edited("body-of-another-entry", "the body is another entry's, promise and proof are this one's",
                 "does not add up", _another_body),
    entry_edited("body-reordered", "the body's members stand in another order", "does not add up", _reordered),
    entry_edited("body-not-base64", "the body is not base64", _MALFORMED, _with(canonicalizedBody="x")),
)  # fmt: skip

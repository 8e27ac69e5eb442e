from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from inbond.attest.root import Root
from inbond.attest.verify import Finding, ProvenanceVerifier
from inbond.model.errors import ConfigurationError
from inbond.model.evidence import Rejected, Unsupported, UnsupportedCause, Verified
from inbond.model.names import Filename
from sim.sigstore import DEFAULT_NOW, Faults, GitHub, Sigstore, Windows

NAME = Filename("widgets-1.0.tar.gz")
SHA256 = hashlib.sha256(b"widgets").hexdigest()
EARLY = datetime(2022, 1, 1, tzinfo=UTC)
OURS = Sigstore()
THEIRS = Sigstore("other.example")


def verified_under(root: bytes, provenance: bytes) -> Finding:
    now = DEFAULT_NOW + timedelta(days=1)
    return ProvenanceVerifier.public(root).verify(provenance, filename=NAME, sha256=SHA256, now=now)


def honest() -> bytes:
    return OURS.provenance_for(NAME, SHA256, GitHub())


def edited(edit: Callable[[dict[str, Any]], object]) -> bytes:
    root = json.loads(OURS.trusted_root())
    edit(root)
    return json.dumps(root).encode()


def test_a_root_is_named_by_the_digest_of_its_bytes() -> None:
    raw = OURS.trusted_root()

    assert ProvenanceVerifier.public(raw).trusted_root_sha256 == hashlib.sha256(raw).hexdigest()


def test_what_another_sigstore_signed_becomes_verified_once_the_root_knows_it() -> None:
    provenance = THEIRS.provenance_for(NAME, SHA256, GitHub())

    stale = verified_under(OURS.trusted_root(), provenance)
    fresh = verified_under(OURS.trusted_root(THEIRS), provenance)

    assert isinstance(stale, Unsupported)
    assert stale.cause is UnsupportedCause.UNKNOWN_KEY
    assert isinstance(fresh, Verified)


@pytest.mark.parametrize(
    ("windows", "what"),
    [
        ({"ca_window": (EARLY, DEFAULT_NOW - timedelta(days=1))}, "the certificate authority was not in force"),
        ({"ca_window": (DEFAULT_NOW + timedelta(days=1), None)}, "the certificate authority was not in force"),
        ({"ct_window": (EARLY, DEFAULT_NOW - timedelta(days=1))}, "the certificate transparency log was not in force"),
        ({"ct_window": (DEFAULT_NOW + timedelta(hours=1), None)}, "the certificate transparency log was not in force"),
        ({"log_window": (EARLY, DEFAULT_NOW - timedelta(days=1))}, "the transparency log was not in force"),
        ({"log_window": (DEFAULT_NOW + timedelta(hours=1), None)}, "the transparency log was not in force"),
    ],
    ids=["ca-ended", "ca-not-begun", "ct-ended", "ct-not-begun", "log-ended", "log-not-begun"],
)
def test_a_key_outside_its_window_is_rejected(windows: Windows, what: str) -> None:
    finding = verified_under(OURS.trusted_root(**windows), honest())

    assert isinstance(finding, Rejected)
    assert what in finding.reason


@pytest.mark.parametrize("window", [(DEFAULT_NOW, None), (EARLY, DEFAULT_NOW)], ids=["first moment", "last moment"])
def test_both_ends_of_a_window_belong_to_it(window: tuple[datetime, datetime | None]) -> None:
    root = OURS.trusted_root(ca_window=window, ct_window=window, log_window=window)

    assert isinstance(verified_under(root, honest()), Verified)


def test_a_key_without_a_window_is_in_force_always() -> None:
    def unbound(root: dict[str, Any]) -> None:
        for log in (*root["tlogs"], *root["ctlogs"]):
            del log["publicKey"]["validFor"]

    assert isinstance(verified_under(edited(unbound), honest()), Verified)


def test_an_authority_in_force_does_not_vouch_with_the_name_of_one_that_is_not() -> None:
    """A retired authority's key was stolen: its certificates name an authority that is still in force."""
    ended = (EARLY, DEFAULT_NOW - timedelta(days=1))
    root = json.loads(OURS.trusted_root())
    root["certificateAuthorities"] += json.loads(THEIRS.trusted_root(ca_window=ended))["certificateAuthorities"]
    forged = OURS.provenance_for(NAME, SHA256, GitHub(), ca=THEIRS, authority_key_id=OURS.ca_key_id)

    finding = verified_under(json.dumps(root).encode(), forged)

    assert isinstance(finding, Rejected)
    assert finding.reason == "its certificate does not hold under the authority it names"


def test_the_same_root_serves_signatures_from_before_and_after_a_key_change() -> None:
    change = DEFAULT_NOW + timedelta(days=30)
    root = json.loads(OURS.trusted_root(ca_window=(EARLY, change), log_window=(EARLY, change)))
    successor = json.loads(THEIRS.trusted_root(ca_window=(change, None), log_window=(change, None)))
    for part in ("tlogs", "ctlogs", "certificateAuthorities"):
        root[part] += successor[part]
    verifier = ProvenanceVerifier.public(json.dumps(root).encode())
    later = change + timedelta(days=30)
    signed_later = THEIRS.provenance_for(NAME, SHA256, GitHub(), issued=later, integrated_time=later)

    for provenance in (honest(), signed_later, honest()):
        finding = verifier.verify(provenance, filename=NAME, sha256=SHA256, now=later)
        assert isinstance(finding, Verified)


def test_an_authority_without_key_ids_is_known_by_its_keys() -> None:
    """The key id is then what RFC 5280, 4.2.1.2 (1) derives from the key."""
    bare = Sigstore("bare.example", subject_key_ids=False)

    assert isinstance(verified_under(bare.trusted_root(), bare.provenance_for(NAME, SHA256, GitHub())), Verified)


@pytest.mark.parametrize("details", ["PKIX_ECDSA_P256_HMAC_SHA_256", "PKIX_RSA_PSS_2048_SHA256", "LMS_SHA256"])
@pytest.mark.parametrize("part", ["tlogs", "ctlogs"])
def test_a_key_of_a_type_that_sigstore_does_not_use_is_not_held(part: str, details: str) -> None:
    """sigstore passes over it: what it signed honestly would look forged."""
    other = json.loads(THEIRS.trusted_root())[part]
    other[0]["publicKey"]["keyDetails"] = details
    root = edited(lambda root: root[part].extend(other))
    by: Faults = {"log": THEIRS} if part == "tlogs" else {"sct_by": THEIRS}

    finding = verified_under(root, OURS.provenance_for(NAME, SHA256, GitHub(), **by))

    assert isinstance(finding, Unsupported)
    assert finding.cause is UnsupportedCause.UNKNOWN_KEY
    assert isinstance(verified_under(root, honest()), Verified)
    assert Root(root).facts.keys == Root(OURS.trusted_root()).facts.keys


def test_a_root_is_not_blamed_for_a_lack_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("inbond.attest.root.usable", full)
    with pytest.raises(MemoryError):
        Root(OURS.trusted_root())


def _unused(root: dict[str, Any]) -> None:
    root["ctlogs"][0]["publicKey"]["keyDetails"] = "PKIX_RSA_PSS_2048_SHA256"


def _of_another_type(root: dict[str, Any]) -> None:
    """sigstore would pass over it, too."""
    root["tlogs"] += json.loads(THEIRS.trusted_root())["tlogs"]
    root["tlogs"][1]["publicKey"]["keyDetails"] = "PKIX_ED25519"


def _drop(part: str) -> Callable[[dict[str, Any]], object]:
    return lambda root: root[part].clear()


def _naive(root: dict[str, Any]) -> None:
    root["certificateAuthorities"][0]["validFor"]["start"] = "2021-01-01T00:00:00"


def _keyless(root: dict[str, Any]) -> None:
    del root["tlogs"][0]["publicKey"]["rawBytes"]


def _chainless(root: dict[str, Any]) -> None:
    root["certificateAuthorities"][0]["certChain"]["certificates"].clear()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<html>",
        b"{}",
        b"[" * 100_000,
        edited(lambda root: root.update(mediaType="application/json")),
        edited(lambda root: root.update(mediaType="application/vnd.dev.sigstore.trustedroot.v0.2+json")),
        edited(lambda root: root.update(surprise=1)),
        edited(_drop("tlogs")),
        edited(_drop("ctlogs")),
        edited(_drop("certificateAuthorities")),
        edited(_naive),
        edited(_keyless),
        edited(_unused),
        edited(_of_another_type),
        edited(_chainless),
    ],
    ids=[
        "empty", "html", "another-object", "nested-without-end", "other-media-type", "newer-media-type",
        "unknown-member", "no-log", "no-ct-log", "no-authority", "time-without-zone", "log-without-key",
        "ct-log-of-unused-type", "log-of-another-type-than-its-key",
        "authority-without-certificate",
    ],
)  # fmt: skip
def test_a_root_that_cannot_be_used_is_a_configuration_error(raw: bytes) -> None:
    with pytest.raises(ConfigurationError, match="the trusted root") as caught:
        ProvenanceVerifier.public(raw)

    assert caught.value.remedy is not None
    assert "\n" not in caught.value.message

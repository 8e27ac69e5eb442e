"""Everything a hostile index, a hostile signer or a stale root can do to one attestation, one row each.

A row is an id, what departs from an honest attestation, the state that follows, and a piece of the reason.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from cryptography import x509

from inbond.attest.limits import MAX_ATTESTATIONS, MAX_PROVENANCE_BYTES, MAX_REASON_CHARS
from inbond.attest.verify import Finding, ProvenanceVerifier
from inbond.model.evidence import (
    EvidenceState,
    Rejected,
    Unsupported,
    UnsupportedAttestation,
    UnsupportedCause,
    Verified,
    VerifiedAttestation,
    state_of,
)
from inbond.model.names import Filename
from sim.sigstore import DEFAULT_NOW, PUBLISH, SLSA, STATEMENT_TYPE, CircleCI, Faults, GitHub, GitLab, Google, Sigstore

NAME: Final = Filename("widgets-1.0.tar.gz")
SHA256: Final = hashlib.sha256(b"widgets").hexdigest()
NOW: Final = DEFAULT_NOW + timedelta(days=1)
ACME: Final = GitHub()

OURS: Final = Sigstore()
THEIRS: Final = Sigstore("staging.example")
VERIFIER: Final = ProvenanceVerifier.public(OURS.trusted_root())

REJECTED: Final = (EvidenceState.REJECTED, None)
UNKNOWN_KEY: Final = (EvidenceState.UNSUPPORTED, UnsupportedCause.UNKNOWN_KEY)
FORMAT: Final = (EvidenceState.UNSUPPORTED, UnsupportedCause.FORMAT)
Expected = tuple[EvidenceState, UnsupportedCause | None]


def verify(provenance: bytes, *, filename: str = NAME, sha256: str = SHA256) -> Finding:
    return VERIFIER.verify(provenance, filename=Filename(filename), sha256=sha256, now=NOW)


def outcome(finding: Finding) -> Expected:
    return state_of(finding), finding.cause if isinstance(finding, Unsupported) else None


def statement(**changes: Any) -> bytes:
    honest = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": NAME, "digest": {"sha256": SHA256}}],
        "predicateType": PUBLISH,
        "predicate": None,
    }
    return json.dumps(honest | changes).encode()


def subject(name: Any = NAME, **digests: str) -> dict[str, Any]:
    return {"name": name, "digest": digests or {"sha256": SHA256}}


STRANGER_SAN: Final = [x509.UniformResourceIdentifier("https://a.example"), x509.RFC822Name("b@acme.example")]
LONG_AGO: Final = datetime(2019, 6, 1, tzinfo=UTC)

# What is wrong inside one attestation.
FAULTY: Final[list[tuple[str, Faults, Expected, str]]] = [
    # the certificate
    ("issued-by-a-stranger", {"ca": THEIRS}, UNKNOWN_KEY, "certificate authority that the trusted root does not know"),
    (
        "issued-by-a-stranger-in-our-name",
        {"ca": THEIRS, "authority_key_id": OURS.ca_key_id, "issuer_name": "sigstore.example"},
        REJECTED,
        "not issued by the authority it names",
    ),
    ("issued-in-another-name", {"issuer_name": "someone else"}, REJECTED, "not issued by the authority"),
    ("names-no-authority", {"authority_key_id": b""}, REJECTED, "does not say which authority"),
    ("certificate-expired-when-signed", {"issued": DEFAULT_NOW - timedelta(hours=1)}, REJECTED, "not valid when"),
    ("certificate-not-yet-valid", {"issued": DEFAULT_NOW + timedelta(minutes=1)}, REJECTED, "not valid when"),
    ("certificate-is-junk", {"certificate": b"junk"}, REJECTED, "malformed"),
    ("certificate-of-the-authority", {"usage": "authority"}, REJECTED, "not issued by"),
    ("certificate-not-for-signing", {"usage": "no-signing"}, REJECTED, "not one for signing"),
    ("certificate-for-servers", {"purpose": "server"}, REJECTED, "not one for signing"),
    ("certificate-without-purpose", {"purpose": "missing"}, REJECTED, "ExtensionNotFound"),
    ("certificate-for-two-subjects", {"names": STRANGER_SAN}, REJECTED, "ValueError"),
    ("certificate-without-issuer", {"claims": {1: None, 8: None}}, REJECTED, "ValueError"),
    ("signed-with-another-key", {"leaf_key": "other"}, REJECTED, "signature is not genuine"),
    # its timestamp
    ("sct-missing", {"sct": "missing"}, REJECTED, "carries 0 certificate transparency timestamps"),
    ("sct-forged", {"sct": "badsig"}, REJECTED, "transparency timestamp of its certificate is not genuine"),
    ("sct-of-another-certificate", {"sct": "othercertificate"}, REJECTED, "timestamp of its certificate"),
    ("sct-twice", {"sct": "twice"}, REJECTED, "carries 2 certificate transparency timestamps"),
    ("sct-junk", {"sct": "junk"}, REJECTED, "cannot be read"),
    ("sct-of-a-stranger", {"sct_by": THEIRS}, UNKNOWN_KEY, "certificate transparency log that the trusted root"),
    ("sct-of-a-stranger-in-our-name", {"sct_by": THEIRS, "sct_log_id": OURS.ct_id}, REJECTED, "not genuine"),
    ("sct-in-a-stranger's-name", {"sct_log_id": THEIRS.ct_id}, UNKNOWN_KEY, "certificate transparency log"),
    ("sct-before-the-log-began", {"sct_time": LONG_AGO}, REJECTED, "log was not in force at 2019-06-01"),
    # the log entry
    ("logged-by-a-stranger", {"log": THEIRS}, UNKNOWN_KEY, "transparency log that the trusted root does not know"),
    ("logged-by-a-stranger-in-our-name", {"log": THEIRS, "log_id": OURS.log_id}, REJECTED, "checkpoint is not"),
    ("log-named-unknown", {"log_id": b"\0" * 32}, UNKNOWN_KEY, "transparency log"),
    ("log-unnamed", {"log_id": b""}, UNKNOWN_KEY, "transparency log"),
    ("rekor-v2-hashedrekord", {"kind_version": ("hashedrekord", "0.0.2")}, FORMAT, "kind hashedrekord 0.0.2"),
    ("rekor-v2-dsse", {"kind_version": ("dsse", "0.0.2")}, FORMAT, "kind dsse 0.0.2"),
    ("log-entry-of-the-future", {"kind_version": ("dsse", "1.0.0")}, FORMAT, "dsse 1.0.0 are not understood"),
    ("log-entry-kind-with-control-characters", {"kind_version": ("\x1b[31m\n", "0")}, FORMAT, "kind ?[31m? 0"),
    ("two-log-entries", {"entries": 2}, FORMAT, "carries 2 log entries"),
    ("no-log-entry", {"entries": 0}, REJECTED, "not an attestation object"),
    ("logged-a-day-late", {"integrated_time": DEFAULT_NOW + timedelta(days=1)}, REJECTED, "not valid when"),
    (
        "logged-before-the-root",
        {"integrated_time": LONG_AGO, "issued": LONG_AGO},
        REJECTED,
        "authority was not in force",
    ),
    (
        "logged-tomorrow",
        {"integrated_time": NOW + timedelta(days=1), "issued": NOW + timedelta(days=1)},
        REJECTED,
        "in the future",
    ),
    ("logged-at-no-time", {"integrated_time": "0"}, REJECTED, "has no time"),
    ("logged-beyond-the-calendar", {"integrated_time": "99999999999999"}, REJECTED, "cannot be read"),
    ("logged-at-a-word", {"integrated_time": "noon"}, REJECTED, "log entry is malformed"),
    ("promise-missing", {"set": "missing"}, REJECTED, "malformed"),
    ("promise-forged", {"set": "badsig"}, REJECTED, "promise to include it is not genuine"),
    ("promise-for-another-index", {"set": "otherindex"}, REJECTED, "promise to include it is not genuine"),
    ("proof-missing", {"proof": "missing"}, REJECTED, "malformed"),
    ("proof-of-another-root", {"proof": "badroot"}, REJECTED, "proof that it is included"),
    ("proof-too-short", {"proof": "short"}, REJECTED, "proof that it is included"),
    ("proof-too-long", {"proof": "long"}, REJECTED, "proof that it is included"),
    ("proof-for-another-leaf", {"proof": "otherindex"}, REJECTED, "proof that it is included"),
    ("proof-outside-the-tree", {"proof": "outside"}, REJECTED, "log entry is malformed"),
    ("checkpoint-missing", {"checkpoint": "missing"}, REJECTED, "malformed"),
    ("checkpoint-forged", {"checkpoint": "badsig"}, REJECTED, "checkpoint is not genuine"),
    ("checkpoint-by-another-key", {"checkpoint": "otherkey"}, REJECTED, "checkpoint is not genuine"),
    ("checkpoint-of-another-tree", {"checkpoint": "otherroot"}, REJECTED, "checkpoint is of another tree"),
    ("checkpoint-unsigned", {"checkpoint": "unsigned"}, REJECTED, "checkpoint is not genuine"),
    ("checkpoint-junk", {"checkpoint": "junk"}, REJECTED, "checkpoint is not genuine"),
    ("entry-about-another-payload", {"body": "otherpayload"}, REJECTED, "log entry is about something else"),
    ("entry-about-another-signature", {"body": "othersignature"}, REJECTED, "log entry is about something else"),
    ("entry-about-another-certificate", {"body": "othercertificate"}, REJECTED, "log entry is about something else"),
    ("entry-of-another-kind", {"body": "otherkind"}, REJECTED, "log entry is about something else"),
    ("entry-junk", {"body": "junk"}, REJECTED, "log entry is about something else"),
    # the envelope
    ("signature-forged", {"signature": "badsig"}, REJECTED, "signature is not genuine"),
    ("signature-empty", {"signature": "empty"}, REJECTED, "malformed"),
    ("statement-swapped", {"shown_statement": statement(predicate={})}, REJECTED, "signature is not genuine"),
    # the statement, validly signed
    ("statement-junk", {"statement": b"junk"}, REJECTED, "not a well-formed in-toto statement"),
    ("statement-empty", {"statement": b""}, REJECTED, "not"),
    ("statement-deep", {"statement": b"[" * 100_000}, REJECTED, "not a well-formed in-toto statement"),
    ("statement-utf-16", {"statement": statement().decode().encode("utf-16")}, REJECTED, "not a well-formed"),
    (
        "statement-deep-predicate",
        {
            "statement": statement(predicateType=SLSA, predicate={"x": 0}).replace(
                b"0}", b"[" * 9999 + b"]" * 9999 + b"}"
            )
        },
        REJECTED,
        "not a well-formed in-toto statement",
    ),
    ("statement-of-another-type", {"statement_type": "https://in-toto.io/Statement/v0.1"}, REJECTED, "well-formed"),
    (
        "statement-with-a-member-twice",
        {"statement": statement()[:-1] + b', "subject": [{"name": "evil-1.0.tar.gz", "digest": {}}]}'},
        REJECTED,
        "same member twice",
    ),
    (
        "statement-with-the-same-member-twice",
        {"statement": statement()[:-1] + b', "predicate": null}'},
        REJECTED,
        "same member twice",
    ),
    (
        "statement-with-a-subject-by-another-name",
        {"statement": statement(subjects=[subject("evil-1.0.tar.gz")])},
        REJECTED,
        "same member twice",
    ),
    ("no-subject", {"subjects": []}, REJECTED, "well-formed"),
    ("two-subjects", {"subjects": [subject(), subject("widgets-1.0.zip")]}, REJECTED, "about 2 files"),
    ("same-subject-twice", {"subjects": [subject(), subject()]}, REJECTED, "about 2 files"),
    ("subject-without-name", {"subjects": [subject(None)]}, REJECTED, "another file"),
    ("subject-with-empty-name", {"subjects": [subject("")]}, REJECTED, "another file"),
    ("subject-of-another-project", {"subjects": [subject("gadgets-1.0.tar.gz")]}, REJECTED, "another file: gadgets"),
    ("subject-of-another-version", {"subjects": [subject("widgets-1.1.tar.gz")]}, REJECTED, "another file"),
    ("subject-zip-for-tar-gz", {"subjects": [subject("widgets-1.0.zip")]}, REJECTED, "another file: widgets-1.0.zip"),
    ("subject-wheel-for-sdist", {"subjects": [subject("widgets-1.0-py3-none-any.whl")]}, REJECTED, "another file"),
    ("subject-with-a-path", {"subjects": [subject("../widgets-1.0.tar.gz")]}, REJECTED, "another file"),
    ("subject-of-no-format", {"subjects": [subject("widgets-1.0.egg")]}, REJECTED, "another file"),
    ("subject-unparsable", {"subjects": [subject("widgets.tar.gz")]}, REJECTED, "another file"),
    ("subject-endless", {"subjects": [subject("widgets-1.0" + "0" * 9000 + ".tar.gz")]}, REJECTED, "another file"),
    ("digest-of-other-bytes", {"subjects": [subject(sha256="0" * 64)]}, REJECTED, "about other bytes"),
    ("digest-in-capitals", {"subjects": [subject(sha256=SHA256.upper())]}, REJECTED, "about other bytes"),
    ("digest-of-another-kind", {"subjects": [subject(sha512="0" * 128)]}, REJECTED, "about other bytes"),
    ("digest-md5", {"subjects": [subject(md5="0" * 32, sha256=SHA256)]}, REJECTED, "well-formed"),
    ("predicate-not-empty", {"predicate": {"approved": True}}, REJECTED, "publish predicate is not empty"),
    ("predicate-a-list", {"predicate": []}, REJECTED, "well-formed"),
    ("predicate-type-unknown", {"predicate_type": "https://acme.example/v1"}, FORMAT, "https://acme.example/v1"),
    ("only-slsa", {"predicate_type": SLSA, "predicate": {"buildDefinition": {}}}, FORMAT, "no publish attestation"),
    # the attestation object
    ("attestation-version-2", {"version": 2}, FORMAT, "attestation version 2"),
    ("attestation-version-a-word", {"version": "1"}, REJECTED, "not an attestation object"),
    ("attestation-version-null", {"version": None}, REJECTED, "not an attestation object"),
]


@pytest.mark.parametrize(("faults", "expected", "reason"), [row[1:] for row in FAULTY], ids=[row[0] for row in FAULTY])
def test_an_attestation_with_one_fault(faults: Faults, expected: Expected, reason: str) -> None:
    finding = verify(OURS.provenance_for(NAME, SHA256, ACME, **faults))

    assert outcome(finding) == expected
    assert not isinstance(finding, Verified)
    assert reason in finding.reason
    assert len(finding.reason) <= MAX_REASON_CHARS
    assert finding.reason.isprintable()


def attested(**faults: Any) -> dict[str, Any]:
    return OURS.attest(NAME, SHA256, ACME, **faults)


def bundled(*bundles: tuple[Any, list[Any]]) -> bytes:
    return OURS.provenance(bundles)


def changed(**members: Any) -> bytes:
    """An honest provenance object, some of whose members are others."""
    return json.dumps(json.loads(bundled((ACME.publisher(), [attested()]))) | members).encode()


def with_attestation(**members: Any) -> bytes:
    return bundled((ACME.publisher(), [attested() | members]))


def with_entry(**members: Any) -> bytes:
    attestation = attested()
    attestation["verification_material"]["transparency_entries"][0] |= members
    return bundled((ACME.publisher(), [attestation]))


def twice() -> bytes:
    attestation = attested()
    return bundled((ACME.publisher(), [attestation, attestation]))


def twice_in_two_spellings() -> bytes:
    first = attested()
    second = json.loads(json.dumps(first))
    second["envelope"]["signature"] = "\n" + second["envelope"]["signature"] + "\n"
    return bundled((ACME.publisher(), [first]), (ACME.publisher(), [second]))


def beside(publisher: Any) -> Callable[[], bytes]:
    return lambda: bundled((publisher, [attested()]))


# What is wrong around the attestations.
MISSHAPEN: Final[list[tuple[str, Callable[[], bytes], Expected, str]]] = [
    ("nothing", lambda: b"", REJECTED, "not JSON"),
    ("html-page", lambda: b"<!DOCTYPE html><html><body>Sign in</body></html>", REJECTED, "not JSON"),
    ("not-utf-8", lambda: b'{"version": 1, "\xff": []}', REJECTED, "not"),
    ("truncated", lambda: changed()[:-20], REJECTED, "not JSON"),
    ("trailing-bytes", lambda: changed() + b"{}", REJECTED, "not JSON"),
    ("nested-without-end", lambda: b"[" * 200_000, REJECTED, "not JSON"),
    ("nested-bundles", lambda: changed()[:-1] + b',"x":' + b"[" * 9999 + b"]" * 9999 + b"}", REJECTED, "not JSON"),
    ("null", lambda: b"null", REJECTED, "not a provenance object"),
    ("list", lambda: b"[]", REJECTED, "not a provenance object"),
    ("empty-object", lambda: b"{}", REJECTED, "not a provenance object"),
    ("another-document", lambda: b'{"message": "Not Found"}', REJECTED, "not a provenance object"),
    ("bundles-null", lambda: changed(attestation_bundles=None), REJECTED, "not a provenance object"),
    ("no-bundle", lambda: changed(attestation_bundles=[]), REJECTED, "holds no attestation"),
    ("bundle-null", lambda: changed(attestation_bundles=[None]), REJECTED, "bundle in the provenance is malformed"),
    (
        "bundle-empty",
        lambda: bundled((ACME.publisher(), [])),
        REJECTED,
        "bundle in the provenance holds no attestation",
    ),
    (
        "bundle-empty-beside-a-good-one",
        lambda: bundled((ACME.publisher(), [attested()]), (ACME.publisher(), [])),
        REJECTED,
        "bundle in the provenance holds no attestation",
    ),
    ("version-2", lambda: changed(version=2), FORMAT, "provenance version 2"),
    ("version-a-word", lambda: changed(version="1"), REJECTED, "not a provenance object"),
    ("too-large", lambda: changed(padding="x" * MAX_PROVENANCE_BYTES), REJECTED, "larger than 512 KiB"),
    (
        "too-many-attestations",
        lambda: bundled(*[(ACME.publisher(), [attested()] * 3)] * 3),
        REJECTED,
        f"more than {MAX_ATTESTATIONS} attestations",
    ),
    ("attestation-null", lambda: bundled((ACME.publisher(), [None])), REJECTED, "not an attestation object"),
    ("attestation-a-string", lambda: bundled((ACME.publisher(), ["x"])), REJECTED, "not an attestation object"),
    ("attestation-without-envelope", lambda: with_attestation(envelope=None), REJECTED, "not an attestation object"),
    (
        "attestation-not-base64",
        lambda: with_attestation(envelope={"statement": "x", "signature": "x"}),
        REJECTED,
        "not an attestation object",
    ),
    ("entry-without-kind", lambda: with_entry(kindVersion=None), REJECTED, "log entry is malformed"),
    ("entry-with-more", lambda: with_entry(surprise=1), REJECTED, "log entry is malformed"),
    ("entry-body-not-base64", lambda: with_entry(canonicalizedBody="x"), REJECTED, "log entry is malformed"),
    ("index-beyond-integers", lambda: with_entry(logIndex=str(2**63)), REJECTED, "cannot be read"),
    ("index-of-another-entry", lambda: with_entry(logIndex="5"), REJECTED, "promise to include it is not genuine"),
    ("attestation-twice", twice, REJECTED, "twice"),
    ("attestation-twice-in-two-spellings", twice_in_two_spellings, REJECTED, "twice"),
    # the publisher
    ("publisher-missing", beside(None), REJECTED, "bundle in the provenance is malformed"),
    ("publisher-without-kind", beside({"repository": "acme/widgets"}), REJECTED, "malformed"),
    ("publisher-kind-unknown", beside({"kind": "Forgejo", "repository": "acme/w"}), FORMAT, "kind Forgejo"),
    ("publisher-without-repository", beside({"kind": "GitHub"}), REJECTED, "publisher is malformed"),
    ("publisher-endless", beside(GitHub(repo="x" * 300).publisher()), REJECTED, "publisher is malformed"),
    ("publisher-unprintable", beside(GitHub(repo="x\x1b[2J").publisher()), REJECTED, "publisher is malformed"),
    (
        "publisher-another-repository",
        beside(GitHub(repo="gadgets").publisher()),
        REJECTED,
        "signed by github:acme/widgets@release.yml, not by github:acme/gadgets@release.yml",
    ),
    ("publisher-another-owner", beside(GitHub(owner="evil").publisher()), REJECTED, "not by github:evil/widgets"),
    ("publisher-another-workflow", beside(GitHub(workflow="x.yml").publisher()), REJECTED, "widgets@x.yml"),
    ("publisher-in-capitals", beside(GitHub(owner="ACME").publisher()), REJECTED, "not by github:ACME/widgets"),
    ("publisher-another-forge", beside(GitLab().publisher()), REJECTED, "not by gitlab:acme/tools/widgets"),
    ("publisher-an-account", beside(Google().publisher()), REJECTED, "not by google:build@acme.example"),
    ("publisher-a-pipeline", beside(CircleCI().publisher()), REJECTED, "not by circleci:"),
    (
        "one-good-one-forged",
        lambda: bundled((ACME.publisher(), [attested(), attested(signature="badsig")])),
        REJECTED,
        "signature is not genuine",
    ),
    (
        "one-good-one-of-another-publisher",
        lambda: bundled((ACME.publisher(), [attested()]), (GitHub(owner="evil").publisher(), [attested()])),
        REJECTED,
        "not by github:evil",
    ),
    (
        "unknown-key-beside-unknown-kind",
        lambda: bundled(({"kind": "Forgejo"}, [attested()]), (ACME.publisher(), [attested(ca=THEIRS)])),
        UNKNOWN_KEY,
        "certificate authority",
    ),
]


@pytest.mark.parametrize(("make", "expected", "reason"), [row[1:] for row in MISSHAPEN], ids=[r[0] for r in MISSHAPEN])
def test_a_provenance_object_with_one_fault(make: Callable[[], bytes], expected: Expected, reason: str) -> None:
    finding = verify(make())

    assert outcome(finding) == expected
    assert not isinstance(finding, Verified)
    assert reason in finding.reason
    assert finding.reason.isprintable()


@pytest.mark.parametrize(
    ("filename", "sha256"),
    [
        ("gadgets-1.0.tar.gz", SHA256),
        ("widgets-1.0.1.tar.gz", SHA256),
        ("widgets-1.0.zip", SHA256),
        ("widgets-1.0-py3-none-any.whl", SHA256),
        ("widgets-1.0.egg", SHA256),
        (NAME, hashlib.sha256(b"other bytes").hexdigest()),
    ],
)
def test_good_provenance_beside_another_file_is_rejected(filename: str, sha256: str) -> None:
    provenance = OURS.provenance_for(NAME, SHA256, ACME)
    assert isinstance(verify(provenance), Verified)

    assert isinstance(verify(provenance, filename=filename, sha256=sha256), Rejected)


@pytest.mark.parametrize(
    ("signed", "served"),
    [
        ("Widgets-1.0.tar.gz", "widgets-1.0.tar.gz"),
        ("acme.widgets-1.0.tar.gz", "acme_widgets-1.0.tar.gz"),
        ("widgets-1.0.0.tar.gz", "widgets-1.0.tar.gz"),
        ("widgets-1.0.zip", "widgets-1.0.zip"),
        ("Acme_Widgets-1.0-py3-none-any.whl", "acme_widgets-1.0-py3-none-any.whl"),
        (
            "widgets-1.0-cp310-cp310-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
            "widgets-1.0-cp310-cp310-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        ),
    ],
)
def test_a_subject_may_spell_the_same_file_otherwise(signed: str, served: str) -> None:
    assert isinstance(verify(OURS.provenance_for(signed, SHA256, ACME), filename=served), Verified)


@pytest.mark.parametrize(
    ("signed", "served"),
    [
        ("widgets-1.0-py3-none-any.whl", "widgets-1.0-py2-none-any.whl"),
        ("widgets-1.0-1-py3-none-any.whl", "widgets-1.0-py3-none-any.whl"),
        ("widgets-1.0+local.tar.gz", "widgets-1.0.tar.gz"),
        ("widgets-1.0rc1.tar.gz", "widgets-1.0.tar.gz"),
    ],
)
def test_a_subject_that_is_nearly_the_file_is_rejected(signed: str, served: str) -> None:
    assert isinstance(verify(OURS.provenance_for(signed, SHA256, ACME), filename=served), Rejected)


def test_an_honest_attestation_is_verified_with_all_that_it_proves() -> None:
    finding = verify(OURS.provenance_for(NAME, SHA256, ACME))

    assert isinstance(finding, Verified)
    (attestation,) = finding.attestations
    assert isinstance(attestation, VerifiedAttestation)
    assert attestation.publish
    assert attestation.predicate_type == PUBLISH
    assert attestation.signed_at == DEFAULT_NOW
    assert attestation.log_index is not None
    assert str(attestation.publisher) == str(attestation.identity) == "github:acme/widgets@release.yml"
    assert finding.identities == (attestation.identity,)


def test_evidence_says_what_it_was_made_from() -> None:
    provenance = OURS.provenance_for(NAME, SHA256, ACME)

    made_from = verify(provenance).derivation

    assert made_from.provenance_sha256 == hashlib.sha256(provenance).hexdigest()
    assert made_from.trusted_root_sha256 == VERIFIER.trusted_root_sha256
    assert made_from.verified_at == NOW


@pytest.mark.parametrize("predicate", [None, {}], ids=["null", "empty"])
def test_a_publish_predicate_says_nothing(predicate: Any) -> None:
    assert isinstance(verify(OURS.provenance_for(NAME, SHA256, ACME, predicate=predicate)), Verified)


def test_a_provenance_object_may_leave_its_version_out() -> None:
    document = json.loads(OURS.provenance_for(NAME, SHA256, ACME))
    del document["version"]

    assert isinstance(verify(json.dumps(document).encode()), Verified)


def test_slsa_provenance_beside_a_publish_attestation_is_verified_too() -> None:
    slsa = attested(predicate_type=SLSA, predicate={"buildDefinition": {}})

    finding = verify(bundled((ACME.publisher(), [slsa, attested()])))

    assert isinstance(finding, Verified)
    assert [each.publish for each in finding.attestations if isinstance(each, VerifiedAttestation)] == [False, True]


def test_what_cannot_be_judged_does_not_hide_what_is_verified() -> None:
    finding = verify(bundled(({"kind": "Forgejo"}, [attested()]), (ACME.publisher(), [attested()])))

    assert isinstance(finding, Verified)
    assert [type(each) for each in finding.attestations] == [UnsupportedAttestation, VerifiedAttestation]


def test_an_unknown_key_beside_a_verified_publish_attestation_takes_nothing_away() -> None:
    finding = verify(bundled((ACME.publisher(), [attested(predicate_type=SLSA, ca=THEIRS), attested()])))

    assert isinstance(finding, Verified)
    assert [type(each) for each in finding.attestations] == [UnsupportedAttestation, VerifiedAttestation]
    assert len(finding.identities) == 1


def test_two_runs_may_attest_to_the_same_file() -> None:
    assert isinstance(verify(bundled((ACME.publisher(), [attested(), attested()]))), Verified)


def test_a_clock_that_is_a_little_behind_rejects_nothing() -> None:
    provenance = OURS.provenance_for(NAME, SHA256, ACME)
    just_before = DEFAULT_NOW - timedelta(minutes=4)

    finding = VERIFIER.verify(provenance, filename=NAME, sha256=SHA256, now=just_before)

    assert isinstance(finding, Verified)


def test_a_repeated_member_of_the_unsigned_object_changes_nothing() -> None:
    provenance = OURS.provenance_for(NAME, SHA256, ACME)

    assert isinstance(verify(provenance[:-1] + b', "version": 1}'), Verified)


def test_a_question_that_cannot_be_asked_is_the_caller_s_mistake() -> None:
    provenance = OURS.provenance_for(NAME, SHA256, ACME)

    with pytest.raises(ValueError, match="not a sha256 digest"):
        verify(provenance, sha256=SHA256.upper())
    with pytest.raises(ValueError, match="without a zone"):
        VERIFIER.verify(provenance, filename=NAME, sha256=SHA256, now=NOW.replace(tzinfo=None))


def test_running_out_of_memory_is_not_taken_for_a_forgery(monkeypatch: pytest.MonkeyPatch) -> None:
    provenance = OURS.provenance_for(NAME, SHA256, ACME)

    def exhausted(*_: object, **__: object) -> bytes:
        raise MemoryError

    monkeypatch.setattr(json, "loads", exhausted)
    with pytest.raises(MemoryError):
        verify(provenance)

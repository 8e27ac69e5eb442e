"""A Sigstore bundle as tools write it becomes what stands where provenance would, or is refused with why."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from pypi_attestations import Provenance

from attest.tampering.row import ACME, FORMAT, NAME, OURS, SHA256, VERIFIED, Attempt, inbond, outcome
from attest.test_signed_file import CONTENT, OTHER, Plain, bundle
from inbond.attest.attaching import NotAttachable, provenance_of
from inbond.attest.limits import MAX_PROVENANCE_BYTES
from inbond.attest.signed_form import is_signed_form
from inbond.model.evidence import Rejected, Unsupported
from sim.sigstore import SLSA, CircleCI, GitHub, GitLab, Google, Identity

PIPELINE = CircleCI()


def made(document: Any) -> bytes:
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    return provenance_of(raw, filename=NAME, sha256=SHA256)


def attested(by: Identity = ACME, **faults: Any) -> Any:
    return OURS.signer(by, **faults).attested_bundle(NAME, SHA256)


@pytest.mark.parametrize(
    "by", [ACME, GitHub(environment="pypi"), GitLab(), Google(), PIPELINE], ids=lambda by: type(by).__name__
)
def test_an_attestation_becomes_a_provenance_object_by_whom_its_certificate_proves(by: Identity) -> None:
    provenance = made(attested(by))

    assert outcome(inbond(Attempt(provenance=provenance))) == VERIFIED
    (one,) = Provenance.model_validate_json(provenance).attestation_bundles  # what the format's own library reads
    named = {key: value for key, value in by.publisher().items() if not key.startswith("vcs_")}
    assert named.items() <= one.publisher.model_dump().items()
    raw = json.dumps(attested(by)).encode()
    assert made(raw) == made(raw)


def test_an_attestation_about_another_file_is_made_and_then_rejected() -> None:
    provenance = made(OURS.signer(ACME).attested_bundle("gadgets-1.0.tar.gz", SHA256))
    finding = inbond(Attempt(provenance=provenance))
    assert isinstance(finding, Rejected)
    assert finding.reason == "it is about another file: gadgets-1.0.tar.gz"


def test_how_a_file_was_built_is_no_evidence_of_who_published_it() -> None:
    finding = inbond(Attempt(provenance=made(attested(predicate_type=SLSA))))
    assert outcome(finding) == FORMAT
    assert isinstance(finding, Unsupported)
    assert finding.reason == "there is no publish attestation"


def test_a_signature_without_a_digest_beside_it_is_taken_and_judged() -> None:
    document = bundle()
    del document["messageSignature"]["messageDigest"]
    assert outcome(inbond(Attempt(provenance=made(document)))) == VERIFIED

    other = bundle(OTHER)
    del other["messageSignature"]["messageDigest"]
    finding = inbond(Attempt(provenance=made(other)))
    assert isinstance(finding, Rejected)
    assert finding.reason == "its signature is not genuine"


def test_timestamps_of_others_are_left_out_and_the_logs_own_counts() -> None:
    document = bundle()
    document["verificationMaterial"]["timestampVerificationData"] = {"rfc3161Timestamps": []}
    provenance = made(document)
    assert is_signed_form(provenance)
    assert outcome(inbond(Attempt(provenance=provenance))) == VERIFIED


def changed(edit: Callable[[Any], Any], document: Callable[[], Any] = bundle) -> Callable[[], Any]:
    def make() -> Any:
        made = document()
        edit(made)
        return made

    return make


def material(document: Any) -> Any:
    return document["verificationMaterial"]


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "no JSON": (lambda: b"no JSON", "not JSON that says one thing"),
    "a member twice": (lambda: b'{"mediaType": "a", "mediaType": "b"}', "not JSON that says one thing"),
    "nested too deep": (lambda: b"[" * 100_000, "not JSON that says one thing"),
    "a list": (list, "it has no mediaType"),
    "an older bundle": (
        changed(lambda one: one.update(mediaType="application/vnd.dev.sigstore.bundle+json;version=0.1")),
        "not a Sigstore bundle of version 0.3: its mediaType is 'application/vnd.dev.sigstore.bundle+json;version=0.1'",
    ),
    "a provenance object": (lambda: OURS.provenance_for(NAME, SHA256, ACME), "it has no mediaType"),
    "a bare key": (
        changed(lambda one: one.update(verificationMaterial={"publicKey": {"hint": "x"}})), "signed with a bare key",
    ),
    "no material": (changed(lambda one: one.update(verificationMaterial=None)), "cannot be read"),
    "no log entry": (changed(lambda one: material(one).update(tlogEntries=[])), "expected exactly one log entry"),
    "two log entries": (lambda: bundle(entries=2), "expected exactly one log entry"),
    "no proof of inclusion": (lambda: bundle(proof="missing"), "cannot be read"),
    "no checkpoint": (lambda: bundle(checkpoint="missing"), "with checkpoint"),
    "no promise": (lambda: bundle(set="missing"), "must contain an inclusion promise"),
    "no certificate": (changed(lambda one: material(one).pop("certificate")), "cannot be read"),
    "nothing signed": (changed(lambda one: one.pop("messageSignature")), "cannot be read"),
    "another file": (lambda: bundle(OTHER), "the bundle is about another file: it signs"),
    "another digest": (
        changed(lambda one: one["messageSignature"]["messageDigest"].update(algorithm="SHA2_512")),
        "it signs a digest that is not sha256",
    ),
    "a person that is no publisher": (lambda: attested(Plain()), "PEP 740) has no kind of publisher"),
    "an attestation by nobody": (lambda: attested(names=[]), "the bundle cannot be used"),
    "an attestation by a workflow that is not named": (
        lambda: attested(claims={18: None}), "leaves out what must name its publisher",
    ),
    "two signatures": (
        changed(lambda one: one["dsseEnvelope"].update(signatures=one["dsseEnvelope"]["signatures"] * 2), attested),
        "no attestation can be made of it (ConversionError)",
    ),
    "too large": (lambda: b" " * (MAX_PROVENANCE_BYTES + 1), "larger than 512 KiB"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_attached_is_refused_with_why(kind: str) -> None:
    make, told = REFUSED[kind]
    with pytest.raises(NotAttachable) as raised:
        made(make())
    assert told in raised.value.message


@pytest.mark.parametrize(
    ("broken", "document"),
    [("sigstore.models.Bundle.from_json", bundle), ("pypi_attestations.Attestation.from_bundle", attested)],
)
def test_running_out_of_memory_is_passed_on(
    broken: str, document: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*_: object) -> None:
        raise MemoryError

    raw = json.dumps(document()).encode()
    monkeypatch.setattr(broken, exhausted)
    with pytest.raises(MemoryError):
        made(raw)


def test_the_file_is_what_was_signed() -> None:
    assert outcome(inbond(Attempt(provenance=made(OURS.signer(ACME).bundle(CONTENT))))) == VERIFIED

"""A signature over a file, attached by an operator: what is verified, and every kind of tampering that is not."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from cryptography import x509
from sigstore.models import Bundle, TrustedRoot
from sigstore.verify import Verifier
from sigstore_models.trustroot import v1

from attest.tampering.row import (
    ACME,
    FORMAT,
    NAME,
    NOW,
    OURS,
    REJECTED,
    ROOT,
    SHA256,
    THEIRS,
    UNKNOWN_KEY,
    Attempt,
    Expected,
    honest,
    inbond,
    outcome,
)
from inbond.attest.attaching import provenance_of
from inbond.attest.keys import signing_keys
from inbond.attest.limits import MAX_REASON_CHARS
from inbond.attest.root import Root
from inbond.attest.signed_file import FILE_SIGNATURE
from inbond.attest.signed_form import SignedFile, decode_signed, encode_signed
from inbond.attest.verify import Finding, ProvenanceVerifier
from inbond.model.evidence import Rejected, Unsupported, Verified, VerifiedAttestation
from inbond.model.names import Filename
from inbond.model.publisher import PublisherPattern
from inbond.model.trust import TrustScope
from sim.sigstore import DEFAULT_NOW, CircleCI, GitHub, GitLab, Google, Identity
from sim.sigstore_encoding import canonical

CONTENT = b"widgets"
OTHER = b"gadgets"
EVIL = GitHub(owner="evil")
OWN_GITLAB = GitLab(host="https://gitlab.acme.example")
OWN_GITHUB_ISSUER = "https://github.acme.example/_services/token"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """A token of an identity provider that is no forge."""

    issuer: str = "https://login.acme.example"
    subject: str = "https://ci.acme.example/jobs/release"

    def publisher(self) -> dict[str, Any]:
        raise AssertionError("PEP 740 has none")

    def names(self) -> list[x509.GeneralName]:
        return [x509.UniformResourceIdentifier(self.subject)]

    def claims(self) -> dict[int, str]:
        return {1: self.issuer, 8: self.issuer}


def bundle(content: bytes = CONTENT, by: Identity = ACME, **faults: Any) -> Any:
    return OURS.signer(by, **faults).bundle(content)


def form(by: Identity = ACME, **faults: Any) -> bytes:
    """What is made of a bundle for the file."""
    return provenance_of(json.dumps(bundle(by=by, **faults)).encode(), filename=NAME, sha256=SHA256)


def edited(**changes: Any) -> bytes:
    """An honest form, some of whose members are others."""
    return encode_signed(msgspec.structs.replace(decode_signed(form()), **changes))


def entry_edited(edit: Callable[[Any], Any]) -> bytes:
    (entry,) = decode_signed(form()).entries
    edit(entry)
    return edited(entries=[entry])


def of(content: bytes = OTHER, by: Identity = ACME) -> SignedFile:
    """A form that is honest, for other bytes or by somebody else."""
    sha256 = hashlib.sha256(content).hexdigest()
    raw = json.dumps(OURS.signer(by).bundle(content)).encode()
    return decode_signed(provenance_of(raw, filename=NAME, sha256=sha256))


def found(provenance: bytes, **asked: Any) -> Finding:
    return inbond(Attempt(provenance=provenance, **asked))


def by_scope(provenance: bytes, *issuers: str) -> Finding:
    scope = TrustScope(name="acme", root=ROOT, issuers=issuers)
    return ProvenanceVerifier([scope]).verify(provenance, filename=NAME, sha256=SHA256, now=NOW)


def signed(finding: Finding) -> VerifiedAttestation:
    assert isinstance(finding, Verified), finding
    (one,) = finding.attestations
    assert isinstance(one, VerifiedAttestation)
    return one


class Anybody:
    def verify(self, cert: x509.Certificate) -> None:
        pass


@pytest.mark.parametrize("by", [ACME, GitLab(), Google(), CircleCI()], ids=lambda by: type(by).__name__)
def test_the_unmodified_library_accepts_what_the_simulator_signs(by: Identity) -> None:
    verifier = Verifier(trusted_root=TrustedRoot(v1.TrustedRoot.from_json(ROOT)))
    signer = OURS.signer(by)
    verifier.verify_artifact(CONTENT, Bundle.from_json(json.dumps(signer.bundle(CONTENT)).encode()), Anybody())
    attested = Bundle.from_json(json.dumps(signer.attested_bundle(NAME, SHA256)).encode())
    verifier.verify_dsse(attested, Anybody())


@pytest.mark.parametrize(
    ("by", "pattern"),
    [
        (ACME, "github:acme/widgets@release.yml"),
        (GitHub(environment="pypi"), "github:acme/widgets@release.yml#pypi"),
        (GitHub(called_workflow="https://github.com/acme/shared/.github/workflows/x.yml"), "github:acme/widgets@*"),
        (GitLab(), "gitlab:acme/tools/widgets@.gitlab-ci.yml"),
        (Google(), "google:build@acme.example"),
        (CircleCI(), f"circleci:{CircleCI().project_id}@{CircleCI().pipeline_definition_id}"),
    ],
    ids=str,
)
def test_what_nobody_touched_is_verified_and_counts_as_published(by: Identity, pattern: str) -> None:
    finding = found(form(by))
    one = signed(finding)

    assert (one.predicate_type, one.publish, one.signed_at) == (FILE_SIGNATURE, True, DEFAULT_NOW)
    assert isinstance(finding, Verified)
    assert PublisherPattern.parse(pattern).matches(finding.identities[0])
    assert str(one.publisher) == str(one.identity)


def test_a_scope_vouches_for_the_issuers_that_it_names_alone() -> None:
    plain = form(Plain())
    one = signed(by_scope(plain, Plain().issuer))
    assert str(one.publisher) == "oidc:https://login.acme.example#https://ci.acme.example/jobs/release"
    assert PublisherPattern.parse(f"oidc:{Plain().issuer}#https://ci.acme.example/jobs/*").matches(one.identity)

    for finding in (by_scope(plain, "https://elsewhere.example"), by_scope(form(), Plain().issuer), found(plain)):
        assert isinstance(finding, Rejected)
        assert "does not vouch" in finding.reason


def test_own_servers_are_told_by_their_issuer() -> None:
    assert signed(by_scope(form(OWN_GITLAB), OWN_GITLAB.host)).identity.forge == "gitlab"
    home = "https://github.acme.example/acme/widgets"
    workflow = f"{home}/.github/workflows/release.yml@refs/tags/v1.0"
    own = {1: OWN_GITHUB_ISSUER, 8: OWN_GITHUB_ISSUER, 9: workflow, 12: home, 18: workflow}
    provenance = form(ACME, claims=own, names=[x509.UniformResourceIdentifier(workflow)])
    one = signed(by_scope(provenance, OWN_GITHUB_ISSUER))
    assert str(one.identity) == "github:github.acme.example/acme/widgets@release.yml"


def without(member: str) -> bytes:
    return entry_edited(lambda entry: entry.pop(member))


def with_extra(body: Any) -> Any:
    return body | {"spec": body["spec"] | {"more": 1}}


def twice(body: Any) -> bytes:
    return canonical(body).replace(b'"spec":', b'"spec":{},"spec":', 1)


LATE = DEFAULT_NOW + timedelta(days=1)
EARLY = DEFAULT_NOW - timedelta(days=900)
ENDED = (EARLY, DEFAULT_NOW - timedelta(days=1))
CERTIFICATE = "certificate does not hold"
MALFORMED = "log entry is malformed"
ABOUT = "log entry is about something else"
SIGNATURE = "its signature is not genuine"

TAMPERED: dict[str, tuple[Callable[[], Attempt], Expected, str]] = {
    "another file's name": (
        lambda: Attempt(provenance=form(), filename="widgets-2.0.tar.gz"), REJECTED, "attached to another file",
    ),
    "the same name spelled otherwise": (
        lambda: Attempt(provenance=form(), filename="Widgets-1.0.tar.gz"), REJECTED, "attached to another file",
    ),
    "other bytes": (
        lambda: Attempt(provenance=form(), sha256=hashlib.sha256(OTHER).hexdigest()), REJECTED, "to other bytes",
    ),
    "another file's signature and entry": (
        lambda: Attempt(provenance=encode_signed(msgspec.structs.replace(of(), sha256=SHA256))), REJECTED, SIGNATURE,
    ),
    "another file's entry": (lambda: Attempt(provenance=edited(entries=of().entries)), REJECTED, ABOUT),
    "another file's signature": (lambda: Attempt(provenance=edited(signature=of().signature)), REJECTED, SIGNATURE),
    "somebody else's certificate": (
        lambda: Attempt(provenance=edited(certificate=of(CONTENT, EVIL).certificate)), REJECTED, SIGNATURE,
    ),
    "somebody else's entry about the same file": (
        lambda: Attempt(provenance=edited(entries=of(CONTENT, EVIL).entries)), REJECTED, ABOUT,
    ),
    "signed with another key": (lambda: Attempt(provenance=form(leaf_key="other")), REJECTED, SIGNATURE),
    "a broken signature": (lambda: Attempt(provenance=form(signature="badsig")), REJECTED, SIGNATURE),
    "an empty signature": (lambda: Attempt(provenance=form(signature="empty")), REJECTED, SIGNATURE),
    "no certificate": (lambda: Attempt(provenance=edited(certificate=b"none")), REJECTED, "certificate or signature"),
    "another Sigstore's certificate": (
        lambda: Attempt(provenance=form(ca=THEIRS)), UNKNOWN_KEY, "certificate authority that the trusted root does",
    ),
    "a certificate in the authority's name": (
        lambda: Attempt(provenance=form(ca_key=THEIRS.ca_key)), REJECTED, CERTIFICATE,
    ),
    "another Sigstore's log": (lambda: Attempt(provenance=form(log=THEIRS)), UNKNOWN_KEY, "transparency log that"),
    "an entry in the log's name": (
        lambda: Attempt(provenance=form(log=THEIRS, log_id=OURS.log_id)), REJECTED, "not genuine",
    ),
    "another log of certificates": (lambda: Attempt(provenance=form(sct_by=THEIRS)), UNKNOWN_KEY, "certificate transp"),
    "a forged timestamp": (lambda: Attempt(provenance=form(sct="badsig")), REJECTED, "transparency timestamp"),
    "no timestamp": (lambda: Attempt(provenance=form(sct="missing")), REJECTED, "carries 0 certificate transparency"),
    "an authority whose time was over": (
        lambda: Attempt(provenance=form(), root=OURS.trusted_root(ca_window=ENDED)), REJECTED, "was not in force",
    ),
    "a log whose key had expired": (
        lambda: Attempt(provenance=form(), root=OURS.trusted_root(log_window=ENDED)), REJECTED, "was not in force",
    ),
    "a log of certificates whose key had expired": (
        lambda: Attempt(provenance=form(), root=OURS.trusted_root(ct_window=ENDED)), REJECTED, "was not in force",
    ),
    "logged when the certificate had expired": (
        lambda: Attempt(provenance=form(issued=DEFAULT_NOW - timedelta(hours=1))), REJECTED, "not valid when",
    ),
    "logged in the future": (
        lambda: Attempt(provenance=form(issued=LATE + timedelta(days=9), integrated_time=LATE + timedelta(days=9))),
        REJECTED, "in the future",
    ),
    "a certificate for servers": (lambda: Attempt(provenance=form(purpose="server")), REJECTED, "one for signing"),
    "a certificate without a purpose": (lambda: Attempt(provenance=form(purpose="missing")), REJECTED, "for signing"),
    "two log entries": (
        lambda: Attempt(provenance=edited(entries=decode_signed(form()).entries * 2)), FORMAT, "carries 2 log entries",
    ),
    "no log entry": (lambda: Attempt(provenance=edited(entries=[])), FORMAT, "carries 0 log entries"),
    "an attestation's entry": (
        lambda: Attempt(provenance=form(kind_version=("dsse", "0.0.1"))), FORMAT, "of kind dsse 0.0.1",
    ),
    "an entry of Rekor v2": (
        lambda: Attempt(provenance=form(kind_version=("hashedrekord", "0.0.2"))), FORMAT, "of kind hashedrekord 0.0.2",
    ),
    "an entry of no kind": (lambda: Attempt(provenance=without("kindVersion")), REJECTED, MALFORMED),
    "no proof of inclusion": (lambda: Attempt(provenance=without("inclusionProof")), REJECTED, MALFORMED),
    "no promise": (lambda: Attempt(provenance=without("inclusionPromise")), REJECTED, MALFORMED),
    "a forged promise": (lambda: Attempt(provenance=form(set="badsig")), REJECTED, "promise to include it is not"),
    "a promise about another place": (lambda: Attempt(provenance=form(set="otherindex")), REJECTED, "promise"),
    "a proof of another tree": (lambda: Attempt(provenance=form(proof="badroot")), REJECTED, "does not add up"),
    "a proof that is too short": (lambda: Attempt(provenance=form(proof="short")), REJECTED, "does not add up"),
    "a forged checkpoint": (lambda: Attempt(provenance=form(checkpoint="badsig")), REJECTED, "checkpoint"),
    "a stranger's checkpoint": (lambda: Attempt(provenance=form(checkpoint="otherkey")), REJECTED, "checkpoint"),
    "a checkpoint of another tree": (lambda: Attempt(provenance=form(checkpoint="otherroot")), REJECTED, "checkpoint"),
    "the log took another digest": (lambda: Attempt(provenance=form(body="otherpayload")), REJECTED, ABOUT),
    "the log took another signature": (lambda: Attempt(provenance=form(body="othersignature")), REJECTED, ABOUT),
    "the log took another certificate": (lambda: Attempt(provenance=form(body="othercertificate")), REJECTED, ABOUT),
    "the log took another kind": (lambda: Attempt(provenance=form(body="otherkind")), REJECTED, "cannot be read"),
    "the log took no JSON": (lambda: Attempt(provenance=form(body="junk")), REJECTED, "cannot be read"),
    "the log took more": (lambda: Attempt(provenance=form(edit_body=with_extra)), REJECTED, ABOUT),
    "the log took a member twice": (lambda: Attempt(provenance=form(edit_body=twice)), REJECTED, "twice"),
    "a changed entry": (
        lambda: Attempt(provenance=entry_edited(lambda entry: entry.update(logIndex="1"))), REJECTED, "promise",
    ),
    "no name": (lambda: Attempt(provenance=form(names=[x509.DNSName("acme.example")])), REJECTED, "who signs"),
    "a name that the workflow has not": (
        lambda: Attempt(provenance=form(names=[x509.UniformResourceIdentifier("https://acme.example")])),
        REJECTED, "names two signers",
    ),
    "no workflow that signs": (lambda: Attempt(provenance=form(claims={9: None})), REJECTED, "workflow that signs"),
    "no workflow": (lambda: Attempt(provenance=form(claims={18: None})), REJECTED, "leaves out what must name"),
    "no repository": (lambda: Attempt(provenance=form(claims={12: None, 5: None})), REJECTED, "leaves out what must"),
    "a workflow of another repository": (
        lambda: Attempt(
            provenance=form(claims={18: "https://github.com/evil/x/.github/workflows/release.yml@refs/tags/v1.0"})
        ),
        REJECTED, "its workflow is not the publisher's",
    ),
    "an issuer that speaks for nobody": (
        lambda: Attempt(provenance=form(claims={1: "https://evil.example", 8: "https://evil.example"})),
        REJECTED, "does not vouch",
    ),
    "bytes behind": (lambda: Attempt(provenance=form() + b" "), REJECTED, "was not written by this program"),
    "another member": (
        lambda: Attempt(provenance=form()[:-1] + b',"more":1}'), REJECTED, "was not written by this program",
    ),
    "an attestation in its place": (
        lambda: Attempt(provenance=form()[: len(b"inbond signed file 1\n")] + honest()), REJECTED, "not written by",
    ),
    "no JSON": (lambda: Attempt(provenance=b"inbond signed file 1\n[[["), REJECTED, "was not written by this program"),
    "too large": (
        lambda: Attempt(provenance=edited(signature=b"\0" * 512 * 1024)), REJECTED, "larger than 512 KiB",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", TAMPERED)
def test_tampering(kind: str) -> None:
    attempt, expected, reason = TAMPERED[kind]
    finding = inbond(attempt())

    assert outcome(finding) == expected, finding
    assert isinstance(finding, Rejected | Unsupported)
    assert reason in finding.reason
    assert len(finding.reason) <= MAX_REASON_CHARS
    assert finding.reason.isprintable()


def test_running_out_of_memory_says_nothing_about_a_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object) -> None:
        raise MemoryError

    provenance = form()
    monkeypatch.setattr("inbond.attest.scope.Scope.compare", exhausted)
    with pytest.raises(MemoryError):
        found(provenance)


def test_its_keys_are_told_as_those_of_an_attestation_are() -> None:
    ((authority, ct_log, log),) = signing_keys(form())

    facts = Root(ROOT).facts
    assert all(facts.holds(use) for use in (authority, ct_log, log))
    assert log.at == DEFAULT_NOW


def test_the_same_bundle_gives_the_same_bytes() -> None:
    raw = json.dumps(bundle()).encode()
    assert provenance_of(raw, filename=NAME, sha256=SHA256) == provenance_of(raw, filename=NAME, sha256=SHA256)
    assert Filename(decode_signed(form()).filename) == NAME

"""Decided: what the statement says, and about which file."""

from __future__ import annotations

from typing import Final

from attest.decided.decision import Decision, Otherwise, signed, tampered
from attest.tampering.row import ACME, NAME, OURS, SHA256, VERIFIED, Attempt, attested, statement, subject
from inbond.model.verdict import Outcome
from sim.sigstore import SLSA, GitHub

_ELSEWHERE: Final = {
    "buildDefinition": {
        "buildType": "https://build.example/v1",
        "externalParameters": {"workflow": {"repository": "https://github.com/evil/widgets"}},
    }
}


def _with_slsa() -> Attempt:
    both = [attested(), attested(predicate_type=SLSA, predicate=_ELSEWHERE)]
    return Attempt(provenance=OURS.provenance([(ACME.publisher(), both)]))


def _with_strangers_slsa() -> Attempt:
    evil = GitHub(owner="evil")
    slsa = OURS.attest(NAME, SHA256, evil, predicate_type=SLSA, predicate={})
    return Attempt(provenance=OURS.provenance([(ACME.publisher(), [attested()]), (evil.publisher(), [slsa])]))


def _asked_about(filename: str, sha256: str = SHA256) -> Attempt:
    provenance = OURS.provenance_for(filename, sha256, ACME)
    return Attempt(provenance=provenance, filename=filename, sha256=sha256)


ROWS: Final[tuple[Decision, ...]] = (
    tampered("predicate-not-empty", "A publish attestation's predicate says something.",
             "PyPI takes none that does; whatever it says would be read by nobody."),
    Decision(id="slsa-of-another-repository",
             what="Build provenance (SLSA) names another repository than the certificate does.",
             attempt=_with_slsa, expected=VERIFIED, by_default=Outcome.ALLOW,
             why="What a predicate says is its signer's word. inbond goes by the certificate: to `predicates` it "
                 "counts as its signer's."),
    Decision(id="slsa-by-another", what="Build provenance (SLSA) by another owner stands beside.",
             attempt=_with_strangers_slsa, expected=VERIFIED, by_default=Outcome.ALLOW,
             why="Anybody can sign such a statement. It takes nothing away, and does not count as the publisher's.",
             otherwise=Otherwise(key='predicates = ["slsa"]', outcome=Outcome.DENY)),
    signed("without-slsa", "There is no build provenance beside the publish attestation.", "Most files have none.",
           otherwise=Otherwise(key='predicates = ["slsa"]', outcome=Outcome.DENY)),
    tampered("only-slsa", "There is build provenance and no publish attestation.",
             "Nobody says that this file was meant to be published; but nothing is wrong either.",
             otherwise=Otherwise(key='unsupported = "deny"', outcome=Outcome.DENY)),
    tampered("member-twice", "The statement names a member twice.", "Readers differ in which of the two they take."),
    tampered("alias-subject",
             "The statement has a member of the library's own name for another (`subjects` for `subject`).",
             "The library takes it for the other; no other reader does."),
    tampered("statement-not-a-number", "The statement holds a number that JSON has not (`NaN`).",
             "Other readers refuse it whole."),
    signed("more-members", "The statement has members that in-toto does not know.",
           "in-toto asks readers to pass over them.",
           statement=statement(more={"approved": True})),
    signed("more-digests", "The subject has a SHA-512 digest beside the SHA-256 one, of other bytes.",
           "The SHA-256 digest is what the index names and what inbond compares; with it the bytes are determined.",
           subjects=[subject(sha256=SHA256, sha512="0" * 128)]),
    tampered("zip-for-tar-gz", "The statement is about a `.zip`, the file is a `.tar.gz` of the same version.",
             "They are two files."),
    tampered("subject-kelvin", "The statement's filename has a character that folds into an ASCII letter.",
             "The library takes the sign for kelvin for a `k`; filenames on an index are ASCII."),
    tampered("subject-space", "The statement's filename has a space in it.",
             "No such file is on an index; readers of versions pass over it."),
    signed("other-spelling", "The statement spells the project or the version otherwise (`Widgets-1.0.0`).",
           "PyPI compares what is meant, and honest files have this.", subjects=[subject("Widgets-1.0.0.tar.gz")]),
    Decision(id="filename-with-a-path",
             what="It is asked about a file whose name has a path before it, which was signed so.",
             attempt=lambda: _asked_about("../widgets-1.0.tar.gz"), expected=None, by_default=Outcome.DENY,
             why="No such file is listed, so that none is asked about."),
    Decision(id="digest-that-is-none", what="It is asked about a digest that is none, which was signed so.",
             attempt=lambda: _asked_about(NAME, "not a digest"), expected=None, by_default=Outcome.DENY,
             why="The digest is the page's or the file's own, and is checked before."),
)  # fmt: skip

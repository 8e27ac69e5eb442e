"""Decided: keys, times and logs: what authorities and logs vouch for, and what they are held to."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from attest.decided.decision import Decision, Otherwise, signed, tampered
from attest.tampering.row import ACME, NAME, OURS, SHA256, THEIRS, VERIFIED, Attempt, attested
from inbond.model.verdict import Outcome
from sim.sigstore import DEFAULT_NOW, SLSA
from sim.sigstore_identities import Json

_STRANGE: Final = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")


def _slow_clock() -> Attempt:
    return Attempt(provenance=OURS.provenance_for(NAME, SHA256, ACME), now=DEFAULT_NOW - timedelta(minutes=4))


def _unknown_beside() -> Attempt:
    strangers = THEIRS.attest(NAME, SHA256, ACME, predicate_type=SLSA, predicate={})
    return Attempt(provenance=OURS.provenance([(ACME.publisher(), [attested(), strangers])]))


def _other_envelope(body: Json) -> Json:
    return body | {"spec": body["spec"] | {"envelopeHash": {"algorithm": "sha256", "value": "0" * 64}}}


ROWS: Final[tuple[Decision, ...]] = (
    tampered("dated-tomorrow", "Certificate and log say tomorrow.",
             "A cooldown would count from it; and an honest log has no such time."),
    Decision(id="clock-behind", what="The log is four minutes ahead of this machine's clock.", attempt=_slow_clock,
             expected=VERIFIED,
             by_default=Outcome.ALLOW, why="Clocks differ. Up to five minutes are let pass."),
    tampered("authority-ended", "The authority's key was not in force any more, by the trusted root.",
             "That is what its end is written there for: a retired key may have leaked."),
    tampered("log-ended", "The log's key was not in force any more.", "The same."),
    tampered("sct-log-ended", "The certificate transparency log's key was not in force any more.", "The same."),
    tampered("sct-in-the-future", "The certificate's timestamp is dated ahead, or long before the certificate.",
             "Its time tells which key was in force: a retired key could sign for a better day."),
    tampered("sct-in-a-stranger's-name",
             "The certificate's timestamp names a log that the root does not know, and is genuine by another's key.",
             "The library tries every key. An id that is not known means: the root is stale, or this is another "
             "Sigstore. Denied until the root knows it."),
    Decision(id="unknown-key-beside",
             what="An attestation by a key that the root does not know stands beside a genuine publish attestation.",
             attempt=_unknown_beside, expected=VERIFIED, by_default=Outcome.ALLOW,
             why="It proves nothing and takes nothing away: of one it cannot be told whether it is forged. It is told "
                 "(an alert), and the root asked for anew.",
             otherwise=Otherwise(key='predicates = ["slsa"]', outcome=Outcome.DENY)),
    tampered("issuer-key-id-other", "The certificate names an authority's key that the root does not know.",
             "The same."),
    tampered("log-id-shortened", "The log entry names a log that the root does not know.", "The same."),
    tampered("proof-size-smaller-by-one", "The proof's tree is of another size than the one that the log signed.",
             "A log signs size and root together; the library compares the root alone."),
    tampered("body-other-version", "What the log took says that it is of another version than the entry around it.",
             "Then its members may mean other things."),
    signed("envelope-hash", "The log's entry holds another hash of the whole envelope.",
           "The envelope as the log saw it is not kept, so that nobody can compare. Payload, signature and "
           "certificate are.",
           edit_body=_other_envelope),
    signed("checkpoint-more", "The checkpoint has further lines, or signatures of others.",
           "That is what they are for (witnesses).",
           edit_note=lambda note: note + "Timestamp: 1748865600\n"),
    signed("key-p-384", "The certificate's key is on the curve P-384.", "Fulcio issues such.",
           leaf_key=ec.generate_private_key(ec.SECP384R1())),
    tampered("key-koblitz", "The certificate's key is on a curve that Sigstore does not use.", "Nobody honest has it."),
    tampered("serial-zero", "The certificate's serial number is 0.", "RFC 5280 forbids it."),
    signed("valid-for-a-year", "The certificate is valid for a year, not for ten minutes.",
           "How long is the authority's decision. It must have been valid when the log took the signature.",
           lifetime=timedelta(days=365)),
    signed("extension-unknown", "The certificate has an extension that nobody knows, and that is not critical.",
           "That is what not critical means.", more_extensions=[(_STRANGE, False)]),
)  # fmt: skip

"""The verdict as JSON. Programs rely on its shape: keys are added, never changed."""

from __future__ import annotations

from typing import Any, assert_never

from inbond.gateway.entries import why_url
from inbond.model.evidence import (
    Absent,
    AttestationOutcome,
    Derivation,
    EvidenceOrPending,
    Pending,
    Rejected,
    Unavailable,
    Unsupported,
    Verified,
    VerifiedAttestation,
    state_of,
)
from inbond.model.imports import AttachedNote
from inbond.model.verdict import Finding, Judgement
from inbond.policy.explain import commands
from inbond.web.decision_json import decision_json, timestamp
from inbond.web.identity_facts import identity_json

__all__ = ["attached_json", "evidence_json", "finding_json", "judgement_json", "timestamp", "why_link"]


def why_link(judgement: Judgement, origin: str) -> str:
    """Where the whole story of a judgement is told to a person."""
    return why_url(origin, judgement.file)


def judgement_json(judgement: Judgement, origin: str) -> dict[str, Any]:
    """A judgement, ready to encode."""
    verdict = judgement.verdict
    return {
        "index": judgement.index,
        "policy": judgement.policy,
        "project": str(judgement.project),
        "filename": str(judgement.file.filename),
        "sha256": judgement.file.sha256,
        "decision": str(verdict.decision),
        "would": str(verdict.would) if verdict.would is not None else None,
        "findings": [finding_json(finding) for finding in verdict.findings],
        "evidence": evidence_json(judgement.evidence),
        "attached": attached_json(judgement.attached) if judgement.attached is not None else None,
        "expires_at": timestamp(verdict.expires_at),
        "newest_allowed": judgement.newest_allowed,
        "carried": judgement.carried,
        "advisories": list(judgement.advisories),
        "commands": list(commands(judgement)),
        "why": why_link(judgement, origin),
    }


def finding_json(finding: Finding) -> dict[str, Any]:
    """A rule's finding, ready to encode."""
    return {
        "id": finding.id,
        "rule": finding.rule,
        "code": finding.code,
        "outcome": str(finding.outcome),
        "message": finding.message,
        "remedy": finding.remedy,
        "until": timestamp(finding.until),
        "audited": finding.audited,
        "waiver": decision_json(finding.waiver) if finding.waiver is not None else None,
    }


def attached_json(note: AttachedNote) -> dict[str, Any]:
    """Who attached the evidence, where it is not the index's own."""
    return {"by": note.by, "at": timestamp(note.at), "reason": note.reason}


def evidence_json(evidence: EvidenceOrPending) -> dict[str, Any]:
    """Evidence, ready to encode; keys that a state does not have are null."""
    reason: str | None = None
    derivation: Derivation | None = None
    attestations: tuple[AttestationOutcome, ...] = ()
    match evidence:
        case Verified():
            derivation, attestations = evidence.derivation, evidence.attestations
        case Rejected() | Unsupported():
            reason, derivation, attestations = evidence.reason, evidence.derivation, evidence.attestations
        case Unavailable():
            reason = evidence.reason
        case Absent() | Pending():
            pass
        case _:
            assert_never(evidence)
    return {
        "state": str(state_of(evidence)),
        "reason": reason,
        "provenance_sha256": derivation.provenance_sha256 if derivation else None,
        "trusted_root_sha256": derivation.trusted_root_sha256 if derivation else None,
        "verified_at": timestamp(derivation.verified_at) if derivation else None,
        "attestations": [_attestation(attestation) for attestation in attestations],
    }


def _attestation(attestation: AttestationOutcome) -> dict[str, Any]:
    verified = attestation if isinstance(attestation, VerifiedAttestation) else None
    return {
        "state": attestation.state,
        "predicate_type": attestation.predicate_type,
        "reason": attestation.reason,
        "signed_at": timestamp(verified.signed_at) if verified else None,
        "log_index": verified.log_index if verified else None,
        "trust": verified.trust if verified else None,
        "publisher": str(attestation.publisher) if attestation.publisher is not None else None,
        "identity": identity_json(verified.identity) if verified else None,
    }

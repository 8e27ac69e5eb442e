"""Predicates: attestations of further kinds that must be verified beside *publish* (`predicates`).

Anybody can sign SLSA provenance about anybody's file, and an index can put it beside: it counts only from where a
publish attestation of this file comes from, and under a pin from a pinned publisher. What it says is not judged.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from inbond.model.evidence import Verified, VerifiedAttestation
from inbond.model.publisher import Forge, SigningIdentity
from inbond.model.verdict import Finding
from inbond.policy.case import Case, PageCase
from inbond.policy.demands import short_predicate
from inbond.policy.rule import deny
from inbond.policy.signers import ATTESTED, unproven

name: Final = "predicates"

_REMEDY: Final = "use a version that has it, or relax `predicates`"
_UNPROVEN: Final = ATTESTED.format(key="`predicates`")


def applies(shared: PageCase) -> bool:
    """Where further kinds are asked for."""
    return bool(shared.project_policy.predicates)


def judge(case: Case) -> Finding | None:
    """Denies a file that lacks a verified attestation of a kind that is asked for."""
    asked = case.project_policy.predicates
    if not asked:
        return None
    if not isinstance(case.evidence, Verified):
        return unproven(case, rule=name, subject="provenance", remedy=_UNPROVEN)
    verified = [each for each in case.evidence.attestations if isinstance(each, VerifiedAttestation)]
    origins = {_origin(identity) for identity in case.evidence.identities}
    missing = [short_predicate(kind) for kind in asked if not _has(kind, verified, case=case, origins=origins)]
    if not missing:
        return None
    message = f"no attestation of kind {', '.join(missing)} by the file's publisher"
    return deny(name, message, remedy=_REMEDY, code="missing")


_Origin = tuple[str | None, ...]


def _origin(identity: SigningIdentity) -> _Origin:
    """The repository, account or project that a signer works for; forges spell it alike in all certificates.

    Of no known forge, only what is alike in all that tells signers apart is one: an issuer speaks for many.
    """
    whole = (identity.repository, identity.subject) if identity.forge is Forge.OIDC else ()
    return identity.forge, identity.issuer, identity.pattern_subject, *whole


def _has(kind: str, verified: Iterable[VerifiedAttestation], *, case: Case, origins: set[_Origin]) -> bool:
    pins = case.project_policy.publishers
    return any(
        each.predicate_type == kind
        and _origin(each.identity) in origins
        and (not pins or any(pin.matches(each.identity) for pin in pins))
        for each in verified
    )

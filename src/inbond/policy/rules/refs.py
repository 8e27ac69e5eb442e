"""Refs: only what was built from a git ref that matches passes (`refs`; certificate .14)."""

from __future__ import annotations

from typing import Final

from inbond.model import globs
from inbond.model.publisher import SigningIdentity
from inbond.model.verdict import Finding
from inbond.policy.case import Case, PageCase
from inbond.policy.signers import UNPROVEN, Fault, demanded

name: Final = "refs"

_REMEDY: Final = "use a version built from another ref, or add it to `refs`"


def applies(shared: PageCase) -> bool:
    """Where refs are asked for."""
    return bool(shared.project_policy.refs)


def judge(case: Case) -> Finding | None:
    """Denies what was built from another ref, or from one that nothing proves."""
    patterns = case.project_policy.refs
    if not patterns:
        return None

    def fault(identity: SigningIdentity) -> Fault | None:
        if identity.ref is None:
            return Fault(f"ref unproven: the certificate of {identity} names none", UNPROVEN)
        if any(globs.matches(pattern, identity.ref) for pattern in patterns):
            return None
        return Fault(f"built from {identity.ref}, which no pattern of `refs` names")

    return demanded(case, rule=name, subject="ref", key="`refs`", remedy=_REMEDY, fault=fault)

"""Triggers: what was built by an event that the policy refuses does not pass (`deny_triggers`; certificate .20)."""

from __future__ import annotations

from typing import Final

from inbond.model.publisher import SigningIdentity
from inbond.model.verdict import Finding
from inbond.policy.case import Case, PageCase
from inbond.policy.signers import UNPROVEN, Fault, demanded

name: Final = "triggers"

_REMEDY: Final = "use a version that another event built, or relax `deny_triggers`"


def applies(shared: PageCase) -> bool:
    """Where triggers are refused."""
    return bool(shared.project_policy.deny_triggers)


def judge(case: Case) -> Finding | None:
    """Denies what such an event built, and what does not prove which did: it could be one of them."""
    refused = case.project_policy.deny_triggers
    if not refused:
        return None

    def fault(identity: SigningIdentity) -> Fault | None:
        if identity.trigger is None:
            return Fault(f"trigger unproven: the certificate of {identity} names none", UNPROVEN)
        if identity.trigger.lower() not in refused:
            return None
        return Fault(f"built by the event {identity.trigger}, which `deny_triggers` refuses")

    return demanded(case, rule=name, subject="trigger", key="`deny_triggers`", remedy=_REMEDY, fault=fault)

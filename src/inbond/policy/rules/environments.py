"""Environments: only what was signed in a deployment environment that matches passes (`environments`; certificate .23).

Environments are where GitHub and GitLab ask somebody's approval, or limit who may run a job. What the index says of a
publisher's environment proves nothing.
"""

from __future__ import annotations

from typing import Final

from inbond.model import globs
from inbond.model.publisher import Forge, SigningIdentity
from inbond.model.verdict import Finding
from inbond.policy.case import Case, PageCase
from inbond.policy.signers import UNPROVEN, Fault, demanded

name: Final = "environments"

_REMEDY: Final = "use a version signed in a named environment, or add this one"


def applies(shared: PageCase) -> bool:
    """Where environments are asked for."""
    return bool(shared.project_policy.environments)


def judge(case: Case) -> Finding | None:
    """Denies what was signed in another environment, or in one that nothing proves."""
    patterns = case.project_policy.environments
    if not patterns:
        return None

    def fault(identity: SigningIdentity) -> Fault | None:
        if identity.environment is None:
            return Fault(f"environment unproven: the certificate of {identity} names none", UNPROVEN)
        caseless = identity.forge is Forge.GITHUB
        if any(globs.matches(pattern, identity.environment, caseless=caseless) for pattern in patterns):
            return None
        return Fault(f"signed in the environment {identity.environment}, which `environments` does not name")

    return demanded(case, rule=name, subject="environment", key="`environments`", remedy=_REMEDY, fault=fault)

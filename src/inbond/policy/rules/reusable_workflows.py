"""Reusable workflows: whose work it may have been, apart from the workflow that was started (`reusable_workflows`).

The certificate names both: .18 the workflow that was started, which pins are about, and .9 the one that ran. They
differ where the first called the second, and the second may belong to anybody. Honest projects build so
(slsa-github-generator), so nothing is denied unless it is asked for.
"""

from __future__ import annotations

from typing import Final

from inbond.model.forge_uris import host_and_owner
from inbond.model.publisher import Forge, SigningIdentity
from inbond.model.verdict import Finding
from inbond.policy.case import Case, PageCase
from inbond.policy.demands import ReusableWorkflows
from inbond.policy.signers import UNPROVEN, Fault, demanded

name: Final = "reusable_workflows"

_WITH_WORKFLOWS: Final = frozenset({Forge.GITHUB, Forge.GITLAB})
_REMEDY: Final = "use a version that its own workflow built, or relax `reusable_workflows`"


def applies(shared: PageCase) -> bool:
    """Where not every reusable workflow counts."""
    return shared.project_policy.reusable_workflows is not ReusableWorkflows.ANY


def judge(case: Case) -> Finding | None:
    """Denies what another workflow built than the policy allows, and what does not prove which did."""
    asked = case.project_policy.reusable_workflows
    if asked is ReusableWorkflows.ANY:
        return None

    def fault(identity: SigningIdentity) -> Fault | None:
        return _fault(identity, asked)

    return demanded(case, rule=name, subject="build workflow", key="`reusable_workflows`", remedy=_REMEDY, fault=fault)


def _fault(identity: SigningIdentity, asked: ReusableWorkflows) -> Fault | None:
    ran, started, repository = identity.build_signer, identity.workflow, identity.repository
    if identity.forge not in _WITH_WORKFLOWS or ran is None or started is None or repository is None:
        return Fault(f"build workflow unproven: the certificate of {identity} does not name it", UNPROVEN)
    if ran == started:
        return None
    if asked is ReusableWorkflows.SAME_OWNER and host_and_owner(ran) == host_and_owner(repository):
        return None
    return Fault(f"built by the reusable workflow {ran}")

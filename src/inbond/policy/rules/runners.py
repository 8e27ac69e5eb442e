"""Runners: only what was built on a machine of the forge itself passes (`runners = "hosted"`; certificate .11).

A machine that somebody hosts may keep what an earlier job left there. Only the two words of the two forges that use
them count: CircleCI's tokens say nothing, or `ssh-rerun` where a person was inside the job.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from inbond.model.publisher import Forge, SigningIdentity
from inbond.model.verdict import Finding
from inbond.policy.case import Case, PageCase
from inbond.policy.demands import Runners
from inbond.policy.signers import UNPROVEN, Fault, demanded

name: Final = "runners"

_HOSTED: Final[Mapping[Forge, str]] = MappingProxyType({Forge.GITHUB: "github-hosted", Forge.GITLAB: "gitlab-hosted"})
_REMEDY: Final = "use a version built on a hosted runner, or relax `runners`"


def applies(shared: PageCase) -> bool:
    """Where only hosted runners count."""
    return shared.project_policy.runners is Runners.HOSTED


def judge(case: Case) -> Finding | None:
    """Denies what was built on another runner, or on one that nothing proves."""
    if case.project_policy.runners is Runners.ANY:
        return None
    return demanded(case, rule=name, subject="runner", key="`runners`", remedy=_REMEDY, fault=_fault)


def _fault(identity: SigningIdentity) -> Fault | None:
    if identity.runner is None:
        return Fault(f"runner unproven: the certificate of {identity} names none", UNPROVEN)
    if identity.runner == _HOSTED.get(identity.forge):
        return None
    return Fault(f"built on a runner that is not the forge's own: {identity.runner}")

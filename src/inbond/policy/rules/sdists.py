"""Source distributions, where the policy wants none: to build one runs its code before anybody has looked at it."""

from __future__ import annotations

from typing import Final

from inbond.model.names import Kind
from inbond.model.verdict import Finding
from inbond.policy.case import Case, PageCase
from inbond.policy.rule import deny
from inbond.policy.settings import Presence

name: Final = "sdists"

_DENIED: Final = deny(
    name,
    "not a wheel, and the policy lets only wheels through",
    remedy="use a version with a wheel",
    code="not-a-wheel",
)


def applies(shared: PageCase) -> bool:
    """Where `sdists = "deny"`."""
    return shared.project_policy.sdists is Presence.DENY


def judge(case: Case) -> Finding | None:
    """Denies whatever is not a wheel: installers also build archives with odd and legacy names."""
    if case.project_policy.sdists is Presence.ALLOW or case.file.kind is Kind.WHEEL:
        return None
    return _DENIED

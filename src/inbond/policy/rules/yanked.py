"""Files that upstream has yanked (PEP 592), where the policy wants none."""

from __future__ import annotations

from typing import Final

from inbond.model.verdict import Finding
from inbond.policy.case import Case, PageCase
from inbond.policy.rule import deny
from inbond.policy.settings import Presence

name: Final = "yanked"


def applies(shared: PageCase) -> bool:
    """Where `yanked = "deny"`."""
    return shared.project_policy.yanked is Presence.DENY


def judge(case: Case) -> Finding | None:
    """Denies yanked files; an empty reason is still a yank."""
    yanked = case.file.yanked
    if yanked is False or case.project_policy.yanked is Presence.ALLOW:
        return None
    because = f": {yanked}" if isinstance(yanked, str) and yanked else ", without a reason"
    return deny(name, f"yanked by its maintainers{because}", remedy="use a version that is not yanked", code="yanked")

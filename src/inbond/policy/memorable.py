"""What memory may learn from. It speaks on all indexes, so no index may teach it what others know to be bad.

A malicious release that one index only warns of, or has waived, would otherwise be remembered as its project's own, and
speak against the real one's releases on every other. A deny list says what its index wants, and is left at that.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from inbond.model.standing import Standing
from inbond.policy.settings import Action, PolicySettings, ProjectPattern, Refinement

_DENY: Final = Action.parse("deny")
_MALWARE_IS_DENIED: Final = Refinement(projects=(ProjectPattern.parse("*"),), changes={"malware": _DENY})


def as_strict_as_any(settings: PolicySettings) -> PolicySettings:
    """The policy where malware is denied, whatever it makes of it itself: itself, where it does so of all projects."""
    denies = settings.base.malware == _DENY and not any("malware" in one.changes for one in settings.refinements)
    if denies:
        return settings
    return replace(settings, refinements=(*settings.refinements, _MALWARE_IS_DENIED))


def as_on_any_index(standing: Standing) -> Standing:
    """What stands where every rejection counts on every index, and nothing is waived: itself, where that is so."""
    if not standing.waivers and all(one.index is None for one in standing.rejections):
        return standing
    return replace(standing, waivers=(), rejections=tuple(replace(one, index=None) for one in standing.rejections))

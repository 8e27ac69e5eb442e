"""What an operator is told when another root has come into force."""

from __future__ import annotations

from collections.abc import Iterator

from inbond.gateway.trust_candidate import Checked, Differences
from inbond.gateway.trust_scopes import ScopeState
from inbond.model.events import Alert
from inbond.model.text import counted
from inbond.model.trust import TrustedKey


def change_alert(state: ScopeState, checked: Checked, changed: Differences) -> Alert:
    """The alert for a root that has passed: what it gains and loses, and what it was tried on."""
    return Alert(name="trusted-root-changed", message="; ".join(_said(state, checked, changed)))


def window(key: TrustedKey) -> str:
    """`since 2021-01-01`, `2021-01-01 to 2022-12-31`, `since always`: when a key is in force."""
    start = f"{key.start:%Y-%m-%d}" if key.start is not None else "always"
    return f"{start} to {key.end:%Y-%m-%d}" if key.end is not None else f"since {start}"


def _said(state: ScopeState, checked: Checked, changed: Differences) -> Iterator[str]:
    yield f"[trust.{state.name}] the trusted root is now {checked.facts.sha256[:16]}… ({state.source.where})"
    yield from (f"gained {key}" for key in changed.gained)
    yield from (f"lost {key}" for key in changed.lost)
    for one in changed.windows:
        yield f"{one.after} is in force {window(one.after)}, not {window(one.before)} as before"
    samples = checked.tested + checked.uncounted + checked.outside
    yield f"{checked.tested} of {samples} samples verify"
    if checked.uncounted:
        yield f"{checked.uncounted} were signed with keys that it does not hold"
    if checked.outside:
        yield f"{checked.outside} were signed when its keys are not in force any more"
    if checked.dropped:
        yield f"{counted(len(checked.dropped), 'sample')} verified under no root any more, and went"

"""What came of a reload, as it crosses from process to process; and how the log, metrics and audit trail tell it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

import msgspec
import structlog

from inbond.cli.reload_changes import Changes, PolicyChange
from inbond.model.acts import COMMAND, Act, ActKind
from inbond.model.errors import InbondError
from inbond.model.events import Did, Observer
from inbond.web.metrics import REFUSED, RELOADED, UNCHANGED, Metrics

CONFIGURATION: Final = "configuration"  # in the detail of an act: the sha256 of all that it says
BEFORE: Final = "before"  # in the detail of a policy that changed: its sha256, empty where there was none
AFTER: Final = "after"  # as before
log: Final = structlog.get_logger("inbond")
SIGNAL: Final = "signal"  # whoever may send one: the system does not say who


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """`outcome`: reloaded, unchanged or refused, as metrics have it. `by`: who asked. `reason`: of a refusal."""

    outcome: str
    by: str
    changes: Changes = Changes()
    warnings: tuple[str, ...] = ()  # what is in force, and not as it should be
    reason: str | None = None
    remedy: str | None = None
    workers: int = 1  # that go by it

    @classmethod
    def of(cls, by: str, changes: Changes, *, workers: int = 1, warnings: tuple[str, ...] = ()) -> Outcome:
        """Of one that was not refused."""
        outcome = RELOADED if changes.lines() else UNCHANGED
        return cls(outcome=outcome, by=by, changes=changes, workers=workers, warnings=warnings)

    @classmethod
    def refused(cls, by: str, error: InbondError) -> Outcome:
        """Of one that was: the old configuration stays in force, whole."""
        return cls(outcome=REFUSED, by=by, reason=error.message, remedy=error.remedy)

    @property
    def is_refused(self) -> bool:
        """Whether the old configuration stayed."""
        return self.outcome == REFUSED


def tell(outcome: Outcome, observer: Observer, metrics: Metrics, now: datetime) -> None:
    """Tells it, once for all processes: the observer writes the log and the audit trail."""
    metrics.reloaded(outcome.outcome, now)
    for warning in outcome.warnings:
        log.warning(warning)
    for act in acts_of(outcome, now):
        observer(Did(act=act))


def acts_of(outcome: Outcome, now: datetime) -> Iterator[Act]:
    """What belongs into the audit trail: the reload, and each policy that is another."""
    client = "" if outcome.by == SIGNAL else COMMAND
    if outcome.is_refused:
        message = f"another configuration was refused, the old one stays in force: {outcome.reason}"
        yield Act(at=now, kind=ActKind.CONFIGURATION_REFUSED, by=outcome.by, client=client, message=message)
        return
    lines = outcome.changes.lines()
    message = f"the configuration was reloaded: {'; '.join(lines) or 'nothing differs'}"
    detail = {CONFIGURATION: outcome.changes.configuration}
    yield Act(at=now, kind=ActKind.CONFIGURATION_RELOADED, by=outcome.by, client=client, message=message, detail=detail)
    for one in outcome.changes.policies:
        yield policy_changed(one, now, by=outcome.by, client=client)


def policy_changed(change: PolicyChange, now: datetime, *, by: str, client: str) -> Act:
    """A policy is another than it was: while inbond ran, or since it did."""
    what = "changed" if change.before and change.after else "added" if change.after else "removed"
    return Act(
        at=now,
        kind=ActKind.POLICY_CHANGED,
        by=by,
        client=client,
        target=change.policy,
        message=f"policy {change.policy} was {what}",
        detail={BEFORE: change.before or "", AFTER: change.after or ""},
    )

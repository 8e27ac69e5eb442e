"""Start and stop, as the audit trail has them; and what became of the policies while nobody served."""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

from inbond import __version__
from inbond.cli.config import Config, Loaded
from inbond.cli.reload_changes import digest_of, policies_of, policy_changes
from inbond.cli.reload_outcome import AFTER, CONFIGURATION, policy_changed
from inbond.model.acts import COMMAND, Act, ActKind, ActsWanted, Place
from inbond.model.errors import StoreUnavailable
from inbond.store.protocols import Acts

NAMELESS: Final = "a user without a name"
POLICY: Final = "policy "  # and its name: in the detail, the sha256 of all that it says
CONFIGURATION_BEFORE: Final = "configuration_before"
_TELLING: Final = frozenset({ActKind.STARTED, ActKind.CONFIGURATION_RELOADED, ActKind.POLICY_CHANGED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A configuration by the sha256 of all that it says, and of each of its policies."""

    configuration: str
    policies: Mapping[str, str]

    @classmethod
    def of(cls, config: Config, loaded: Loaded) -> Self:
        """Of what is to be served by."""
        return cls(configuration=digest_of(loaded), policies=policies_of(config))


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """The ledger could not be read: nobody knows what was in force."""

    why: str


def begun(listen: str, standing: Standing, before: Standing | Unreadable | None, now: datetime) -> Iterator[Act]:
    """Inbond serves at that address, and each policy that is another than when it last did."""
    detail = {CONFIGURATION: standing.configuration, **{POLICY + name: sha for name, sha in standing.policies.items()}}
    message = f"inbond {__version__} began to serve at {listen}"
    if isinstance(before, Unreadable):
        message += f"; whether its policies are those of before is not known: {before.why}"
    elif before is not None and before.configuration != standing.configuration:
        message += ", by another configuration than before"
        detail[CONFIGURATION_BEFORE] = before.configuration
    by = _user()
    yield Act(at=now, kind=ActKind.STARTED, by=by, client=COMMAND, message=message, detail=detail)
    if isinstance(before, Standing):
        for one in policy_changes(before.policies, standing.policies):
            yield policy_changed(one, now, by=by, client=COMMAND)


def stopped(now: datetime) -> Act:
    """It was told to stop, and takes no more requests."""
    message = f"inbond {__version__} stopped serving"
    return Act(at=now, kind=ActKind.STOPPED, by=_user(), client=COMMAND, message=message)


async def standing_before(acts: Acts) -> Standing | Unreadable | None:
    """What was in force last, by the newest start and what was reloaded since; None where no start is held."""
    configuration: str | None = None
    policies: dict[str, str] = {}
    place: Place | None = None
    try:
        while page := await acts.acts(ActsWanted(kinds=_TELLING), after=place):
            for act in (kept.act for kept in page):
                if act.kind is ActKind.POLICY_CHANGED:
                    policies.setdefault(act.target, act.detail.get(AFTER, ""))
                elif configuration is None:
                    configuration = act.detail.get(CONFIGURATION)
                if act.kind is ActKind.STARTED and CONFIGURATION in act.detail:
                    in_force = {name: sha for name, sha in {**_policies_in(act), **policies}.items() if sha}
                    return Standing(configuration=configuration or act.detail[CONFIGURATION], policies=in_force)
            place = page[-1].place
    except StoreUnavailable as error:
        return Unreadable(why=error.message)
    return None


def _policies_in(act: Act) -> dict[str, str]:
    """Each policy's sha256, of an act that tells of a start."""
    return {name.removeprefix(POLICY): sha for name, sha in act.detail.items() if name.startswith(POLICY)}


def _user() -> str:
    """Whose process this is."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return NAMELESS

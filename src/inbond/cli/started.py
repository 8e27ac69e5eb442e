"""Start and stop, as the audit trail has them."""

from __future__ import annotations

import getpass
from datetime import datetime
from typing import Final

from inbond import __version__
from inbond.model.acts import COMMAND, Act, ActKind

NAMELESS: Final = "a user without a name"


def started(listen: str, now: datetime) -> Act:
    """Inbond serves, at that address."""
    return _act(ActKind.STARTED, f"inbond {__version__} began to serve at {listen}", now)


def stopped(now: datetime) -> Act:
    """It was told to stop, and takes no more requests."""
    return _act(ActKind.STOPPED, f"inbond {__version__} stopped serving", now)


def _act(kind: ActKind, message: str, now: datetime) -> Act:
    return Act(at=now, kind=kind, by=_user(), client=COMMAND, message=message)


def _user() -> str:
    """Whose process this is."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return NAMELESS

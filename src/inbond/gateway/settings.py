"""An index as the configuration names it: a view with a policy, on upstreams in order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexSettings:
    """A named index. `policy` and `upstreams` are names that the configuration has been found to hold."""

    name: str
    policy: str
    upstreams: tuple[str, ...]
    freeze: datetime | None = None

"""What stands about a project besides its page, as the gateway asks for it."""

from __future__ import annotations

from typing import Protocol

from inbond.model.names import ProjectName
from inbond.model.standing import Standing


class Standings(Protocol):
    """Decisions, advisories and established repositories, by upstream and project."""

    def of(self, upstream: str, project: ProjectName) -> Standing:
        """What stands at this moment, also where another process has changed it; at once, on the event loop."""
        ...

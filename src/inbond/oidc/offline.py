"""An issuer that is not asked: inbond runs offline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inbond.model.errors import UpstreamUnavailable
from inbond.oidc.settings import IssuerSettings

if TYPE_CHECKING:
    from inbond.oidc.keys import Keys


class OfflineKeys:
    """Has no keys, and says why."""

    def __init__(self, settings: IssuerSettings) -> None:
        self._issuer = settings.issuer

    async def fetch(self) -> Keys:
        """Raises `UpstreamUnavailable`."""
        raise UpstreamUnavailable(f"inbond runs offline: {self._issuer} is not asked for its keys")

    async def aclose(self) -> None:
        """Nothing is under way."""

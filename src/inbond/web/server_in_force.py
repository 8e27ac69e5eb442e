"""The server's settings as they are now: a reload replaces them, and whoever asks sees the new ones."""

from __future__ import annotations

from inbond.web.settings import ListenAddress, Network, ServerLimits, ServerSettings


class ServerInForce:
    """Reads like `ServerSettings`. Where it listens, how many serve and the limits stay as they were at the start."""

    def __init__(self, settings: ServerSettings) -> None:
        self.now = settings
        self.listen: ListenAddress = settings.listen
        self.workers: int = settings.workers
        self.limits: ServerLimits = settings.limits

    @property
    def public_url(self) -> str | None:
        """As configured."""
        return self.now.public_url

    @property
    def hosts(self) -> frozenset[str]:
        """As configured."""
        return self.now.hosts

    @property
    def trusted_proxies(self) -> tuple[Network, ...]:
        """As configured."""
        return self.now.trusted_proxies


ServerNow = ServerSettings | ServerInForce

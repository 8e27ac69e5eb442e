"""This process among several that serve one data directory (`inbond.cli.workers`)."""

from __future__ import annotations

from dataclasses import dataclass

from inbond.gateway.backlog import DOCUMENT
from inbond.gateway.leading import Leading
from inbond.gateway.peers import Peers


@dataclass(frozen=True, slots=True, kw_only=True)
class Among:
    """`peers`: all of them. `leading`: whether this one does what only one has to do."""

    peers: Peers
    leading: Leading

    @property
    def backlog(self) -> str:
        """Where this one keeps what it has not finished; the first takes up what a process that served alone left."""
        return DOCUMENT if self.peers.number == 1 else f"{DOCUMENT}.{self.peers.number}"

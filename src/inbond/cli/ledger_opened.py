"""The ledger that the configuration names, opened: the same refusals for the server and for every command."""

from __future__ import annotations

from inbond.cli.config import StorageSettings
from inbond.model.events import Observer
from inbond.store.ledger import Ledger, open_ledger
from inbond.store.mounts import OnNetwork, refuse_network


def require_local(storage: StorageSettings) -> None:
    """Raises `OperatorFault` where it would lie on a network file system, and may not. Blocks."""
    if storage.on_network is OnNetwork.REFUSE:
        refuse_network(storage.ledger)


def opened_ledger(storage: StorageSettings, *, observer: Observer, look_behind: bool = False) -> Ledger:
    """Opens it, or makes it where there is none. Blocks. Raises `OperatorFault` and `StoreUnavailable`.

    `look_behind`: as for `open_ledger`.
    """
    require_local(storage)
    return open_ledger(storage.ledger, observer=observer, look_behind=look_behind)

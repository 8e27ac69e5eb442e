"""Names of indexes on a command line: one that nobody has heard of is mistyped, and never just empty."""

from __future__ import annotations

from collections.abc import Iterable

from inbond.cli.config import Config
from inbond.model.errors import ConfigurationError
from inbond.model.meant import did_you_mean
from inbond.store.ledger import Ledger


async def require_indexes(config: Config, ledger: Ledger | None, names: Iterable[str]) -> None:
    """Raises `ConfigurationError` for one neither configured nor in history, and `StoreUnavailable`."""
    known = {index.name for index in config.indexes}
    missing = [name for name in names if name not in known]
    if missing and ledger is not None:
        known |= await ledger.named_indexes()
    for name in missing:
        if name not in known:
            raise ConfigurationError(
                f"there is no index {name!r} here, and none in the ledger{did_you_mean(name, known)}",
                remedy="name one that is configured, or that history knows",
            )

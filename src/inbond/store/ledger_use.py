"""Who uses a ledger: a shared advisory lock (flock) on its directory, from opening to closing.

So a restore finds out that nobody does, and whoever opens it that he is the first. A lock of a dead process is gone.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Final

from inbond.store.disk import locked

LOOK_EVERY: Final = 0.02  # seconds, while somebody has the ledger to himself


class LedgerUse:
    """The use of what lies in a directory. Blocks. Raises OSError. Close it."""

    def __init__(self, directory: Path) -> None:
        self._handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def alone(self) -> bool:
        """Whether nobody else uses it; then nobody does until `share` or `close`."""
        return locked(self._handle, fcntl.LOCK_EX)

    def share(self, seconds: float) -> bool:
        """Uses it beside others; False where somebody has it to himself for so long."""
        until = time.monotonic() + seconds
        while not locked(self._handle, fcntl.LOCK_SH):
            if time.monotonic() >= until:
                return False
            time.sleep(LOOK_EVERY)
        return True

    def close(self) -> None:
        """Ends it."""
        os.close(self._handle)

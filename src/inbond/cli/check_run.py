"""Running a check: read what is named, ask the index about it, compare with the older lock."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from inbond.cli.check_locks import Checked, check_locks
from inbond.cli.check_targets import read_file, read_targets
from inbond.cli.config import Config
from inbond.cli.verifying import verifying

__all__ = ["Wanted", "run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to check. `here`: only what environment markers select for this Python and machine."""

    targets: tuple[str, ...]
    against: Path | None = None
    index: str = "root"
    here: bool = False


async def run(config: Config, wanted: Wanted) -> Checked:
    """Checks with the real verifier, which is started only where something has to be verified.

    Raises `InvalidLock`, and `OperatorFault` for the configuration and the machine.
    """
    targets = read_targets(wanted.targets, here=wanted.here)
    locks = [target.lock for target in targets]
    older = None if wanted.against is None else read_file(wanted.against, here=wanted.here).lock
    async with verifying(config) as (upstreams, verifier):
        checked = await check_locks(config, upstreams, verifier, index=wanted.index, locks=locks, older=older)
    return replace(checked, targets=targets)

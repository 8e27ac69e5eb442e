"""Running a check: read what is named, ask the index about it, compare with the older lock."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from inbond.cli.check_locks import Checked, check_locks
from inbond.cli.check_targets import read_file, read_targets
from inbond.cli.config import Config
from inbond.cli.config_presets import written_predicate_type
from inbond.gateway.on_demand import VerifierOnDemand
from inbond.gateway.verifier import bundled_root_path

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
    verifier = VerifierOnDemand(config.trusted_root or bundled_root_path())
    try:
        predicate_type = written_predicate_type() or (await verifier.hello()).publish_predicate_type
        upstreams = config.upstreams_at(predicate_type)
        checked = await check_locks(config, upstreams, verifier, index=wanted.index, locks=locks, older=older)
        return replace(checked, targets=targets)
    finally:
        await verifier.aclose()

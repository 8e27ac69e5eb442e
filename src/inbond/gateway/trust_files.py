"""What is kept of a scope below `ledger_dir / "trust" / NAME`: the root in force, and samples. All of it blocks.

Kept beside the ledger and not in the cache: neither can be asked for again, and a cache may be deleted at any time.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from inbond.gateway.trust import MAX_ROOT_BYTES
from inbond.gateway.trust_samples import Sample, decode_samples, encode_samples
from inbond.store.files import make_private, open_regular, sync_directory, unavailable

IN_FORCE: Final = "in_force.json"  # the root that was accepted last
SAMPLES: Final = "samples"
# The most samples of the largest size, and what stands around them.
MAX_SAMPLES_BYTES: Final = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRoot:
    """The root that was in force last, and since when."""

    raw: bytes
    since: datetime


class TrustFiles:
    """The files of all scopes below one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def root(self, scope: str) -> KeptRoot | None:
        """The scope's last good root; None where none is kept or it cannot be read."""
        try:
            with open_regular(self._directory / scope / IN_FORCE) as file:
                since = datetime.fromtimestamp(os.fstat(file.fileno()).st_mtime, tz=UTC)
                raw = _all(file.read(MAX_ROOT_BYTES + 1), MAX_ROOT_BYTES)
        except OSError:
            return None
        return None if raw is None else KeptRoot(raw=raw, since=since)

    def keep_root(self, scope: str, raw: bytes) -> None:
        """Keeps the root that is now in force. Raises StoreUnavailable."""
        self._write(scope, IN_FORCE, raw)

    def samples(self, scope: str) -> tuple[Sample, ...]:
        """The scope's samples; none where they cannot be read."""
        try:
            with open_regular(self._directory / scope / SAMPLES) as file:
                raw = _all(file.read(MAX_SAMPLES_BYTES + 1), MAX_SAMPLES_BYTES)
        except OSError:
            return ()
        return () if raw is None else decode_samples(raw)

    def keep_samples(self, scope: str, samples: tuple[Sample, ...]) -> None:
        """Keeps the samples in place of those before. Raises StoreUnavailable."""
        self._write(scope, SAMPLES, encode_samples(samples))

    def _write(self, scope: str, name: str, raw: bytes) -> None:
        try:
            make_private(self._directory / scope)
            write_durably(self._directory / scope / name, raw)
        except OSError as error:
            raise unavailable(f"keep what [trust.{scope}] goes by", error) from error


def write_durably(path: Path, raw: bytes) -> None:
    """Replaces a file's content, at once and for good, or not at all. Raises OSError."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    written = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        written.replace(path)
    except BaseException:
        with suppress(OSError):
            written.unlink()
        raise
    sync_directory(path.parent)


def _all(raw: bytes, limit: int) -> bytes | None:
    return raw if len(raw) <= limit else None

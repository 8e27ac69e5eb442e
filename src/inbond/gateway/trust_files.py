"""What is kept of a scope below `ledger_dir / "trust" / NAME`: the root in force, and samples. All of it blocks.

Kept beside the ledger and not in the cache: neither can be asked for again, and a cache may be deleted at any time.
Beside the root stands from which source it came: the last good root of a repository that the operator has left vouches
for nothing any more.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from inbond.gateway.trust import MAX_ROOT_BYTES
from inbond.gateway.trust_samples import Sample, decode_samples, encode_samples
from inbond.store.disk import DISK
from inbond.store.files import exclusively, make_private, open_regular, unavailable

IN_FORCE: Final = "in_force.json"  # the root that was accepted last
ORIGINS: Final = "in_force_from.json"  # where it came from, by its digest
SAMPLES: Final = "samples"
# The most samples of the largest size, and what stands around them.
MAX_SAMPLES_BYTES: Final = 2**20
MAX_ORIGINS_BYTES: Final = 64 * 1024  # some hundred bytes are written

_ORIGINS: Final = msgspec.json.Decoder(dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRoot:
    """The root that was in force last, and since when. `origin`: as `RootSource.origin`; None where it is not known."""

    raw: bytes
    since: datetime
    origin: str | None


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
        if raw is None:
            return None
        return KeptRoot(raw=raw, since=since, origin=self._origins(scope).get(sha256(raw).hexdigest()))

    def keep_root(self, scope: str, raw: bytes, *, origin: str) -> None:
        """Keeps the root that is now in force. Raises StoreUnavailable."""
        before = self.root(scope)
        origins = {} if before is None or before.origin is None else {sha256(before.raw).hexdigest(): before.origin}
        # First, and about both: wherever this is cut short, the root that is there has its origin.
        self._write(scope, ORIGINS, msgspec.json.encode(origins | {sha256(raw).hexdigest(): origin}))
        self._write(scope, IN_FORCE, raw)

    def _origins(self, scope: str) -> dict[str, str]:
        try:
            with open_regular(self._directory / scope / ORIGINS) as file:
                return _ORIGINS.decode(file.read(MAX_ORIGINS_BYTES))
        except (OSError, ValueError):  # msgspec's errors are ValueErrors
            return {}

    def samples(self, scope: str) -> tuple[Sample, ...]:
        """The scope's samples; none where they cannot be read."""
        try:
            with open_regular(self._directory / scope / SAMPLES) as file:
                raw = _all(file.read(MAX_SAMPLES_BYTES + 1), MAX_SAMPLES_BYTES)
        except OSError:
            return ()
        return () if raw is None else decode_samples(raw)

    def change_samples(
        self, scope: str, change: Callable[[tuple[Sample, ...]], tuple[Sample, ...]]
    ) -> tuple[Sample, ...]:
        """Keeps what `change` makes of the samples there, and returns it; one process at a time. StoreUnavailable."""
        try:
            make_private(self._directory / scope)
            with exclusively(self._directory / scope / f"{SAMPLES}.lock"):
                before = self.samples(scope)
                if (after := change(before)) != before:
                    self._write(scope, SAMPLES, encode_samples(after))
                return after
        except OSError as error:
            raise unavailable(f"keep what [trust.{scope}] goes by", error) from error

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
    DISK.sync_directory(path.parent)


def _all(raw: bytes, limit: int) -> bytes | None:
    return raw if len(raw) <= limit else None

"""What has been fetched for a scope with `root = "auto"`: the root, where it came from, and the last try.

In the scope's directory stand `trusted_root.json`, `fetched.json` about that file, `attempt.json` about the last time
it was asked for, `lock`, and `tuf/`, the signed metadata by which TUF notices that a repository went back. All of it
may be deleted: it is fetched again. Everything here blocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final, Literal, TypeVar

import msgspec

from inbond.gateway.trust import read_root
from inbond.gateway.trust_files import write_durably
from inbond.model.errors import OperatorFault
from inbond.store.files import exclusively, make_private, unavailable

MAX_RECORD_BYTES: Final = 64 * 1024  # some hundred bytes are written

T = TypeVar("T", bound=msgspec.Struct)


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """How the kept root came here. `shipped_sha256`: what sigstore shipped then, which it has taken the place of."""

    sha256: str
    by: Literal["tuf", "file"]
    where: str  # the repository's address, or the file's path
    installed_at: datetime
    confirmed_at: datetime  # when TUF last said that there is none newer; for a file, when it was installed
    shipped_sha256: str | None


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """The last refresh. `problem`: None where it worked; `failing_since`: the first failure in a row."""

    at: datetime
    problem: str | None = None
    failing_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One scope's directory, made when something is first written."""

    directory: Path

    @property
    def root(self) -> Path:
        """The root's file."""
        return self.directory / "trusted_root.json"

    @property
    def metadata(self) -> Path:
        """TUF's own directory."""
        return self.directory / "tuf"

    def read(self) -> tuple[bytes, Fetched | None] | None:
        """The kept root, and where it came from if that is known; None where there is none that can be read."""
        with suppress(OperatorFault):
            raw = read_root(self.root)
            record = self._record("fetched.json", Fetched)
            return raw, record if record is not None and record.sha256 == sha256(raw).hexdigest() else None
        return None

    def attempt(self) -> Attempt | None:
        """The last refresh, None where there was none."""
        return self._record("attempt.json", Attempt)

    def install(self, raw: bytes, record: Fetched) -> None:
        """Puts a root into the place of the one there, at once or not at all. Raises StoreUnavailable."""
        try:
            write_durably(self.root, raw)
            # In between the record is about another root, and so does not count.
            write_durably(self.directory / "fetched.json", msgspec.json.encode(record))
        except OSError as error:
            raise unavailable("keep the trusted root", error) from error

    def note(self, attempt: Attempt) -> None:
        """Keeps how a refresh ended; a disk that refuses that has been told of already."""
        with suppress(OSError):
            make_private(self.directory)
            write_durably(self.directory / "attempt.json", msgspec.json.encode(attempt))

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One process at a time; waits for the others. Raises StoreUnavailable."""
        try:
            make_private(self.directory)
            with exclusively(self.directory / "lock"):
                yield
        except OSError as error:
            raise unavailable("keep the trusted root", error) from error

    def _record(self, name: str, kind: type[T]) -> T | None:
        try:
            with (self.directory / name).open("rb") as file:
                return msgspec.json.decode(file.read(MAX_RECORD_BYTES), type=kind)
        except (OSError, ValueError):  # msgspec's errors are ValueErrors
            return None

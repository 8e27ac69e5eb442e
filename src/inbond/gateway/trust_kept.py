"""What has been fetched for a scope with `root = "auto"`: the root, where it came from, and the last try.

In the scope's directory stand `trusted_root.json`, `fetched.json` about that file, `attempt.json` about the last time
it was asked for, `lock`, and `tuf/`, the signed metadata by which TUF notices that a repository went back. All of it
may be deleted: it is fetched again. A part of it may not: what was fetched and is lost is told, and nothing takes its
place until it is there again. Everything here blocks.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Final, Literal, TypeVar

import msgspec

from inbond.gateway.trust import read_root
from inbond.gateway.trust_files import write_durably
from inbond.model.errors import OperatorFault
from inbond.store.files import exclusively, make_private, unavailable

MAX_RECORD_BYTES: Final = 64 * 1024  # some hundred bytes are written

T = TypeVar("T", bound=msgspec.Struct)
Time = Annotated[datetime, msgspec.Meta(tz=True)]


class Fetched(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the kept root came here. `shipped_sha256`: what sigstore shipped then, which it has taken the place of."""

    sha256: str
    by: Literal["tuf", "file"]
    where: str  # the repository's address, or the file's path
    repository: str | None  # by TUF: whose it is, as `inbond.gateway.trust_update.Repository.identity`
    installed_at: Time
    confirmed_at: Time  # when TUF last said that there is none newer; for a file, when it was installed
    shipped_sha256: str | None
    before: Fetched | None = None  # about the root whose place it takes, which is there until it is written


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """The last refresh. `problem`: None where it worked; `failing_since`: the first failure in a row."""

    at: Time
    repository: str  # which was asked, as in `Fetched`
    problem: str | None = None
    failing_since: Time | None = None


class RootLost(OperatorFault):
    """A root was kept here, and is not there any more as it was."""

    def __init__(self, directory: Path) -> None:
        super().__init__(
            f"the trusted root that was kept in {directory} is damaged or gone",
            remedy="have it fetched with inbond trust update, or give it with --from FILE",
        )


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

    def read(self) -> tuple[bytes, Fetched] | None:
        """The kept root, and where it came from; None where none was ever kept. Raises RootLost."""
        record = self.record()
        if record is None and not any(map(os.path.lexists, (self.root, self._about))):
            return None
        with suppress(OperatorFault):
            raw = read_root(self.root)
            digest = sha256(raw).hexdigest()
            for known in (record, record.before if record is not None else None):
                if known is not None and known.sha256 == digest:
                    return raw, msgspec.structs.replace(known, before=None)
        raise RootLost(self.directory)

    def record(self) -> Fetched | None:
        """What is written about the kept root; None where that cannot be read."""
        return self._record(self._about.name, Fetched)

    @property
    def _about(self) -> Path:
        return self.directory / "fetched.json"

    def attempt(self) -> Attempt | None:
        """The last refresh, None where there was none."""
        return self._record("attempt.json", Attempt)

    def install(self, raw: bytes, record: Fetched) -> None:
        """Puts a root into the place of the one there, at once or not at all. Raises StoreUnavailable."""
        with suppress(RootLost):
            before = self.read()
            if before is not None and before[1].sha256 != record.sha256:
                record = msgspec.structs.replace(record, before=before[1])
        try:
            # In between the record is about both: the root that is there counts as it did.
            write_durably(self._about, msgspec.json.encode(record))
            write_durably(self.root, raw)
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

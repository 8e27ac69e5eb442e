"""What a sync brought: the record that `inbond bundle export` and static trees are made from.

One JSON file for each name, under `synced/` in the mirror's directory. Which files; their bytes lie in the cache.
"""

from __future__ import annotations

import os
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from inbond.model.errors import ConfigurationError, OperatorFault
from inbond.model.names import Filename, ProjectName
from inbond.model.text import printable
from inbond.store.disk import DISK
from inbond.store.files import make_private

DEFAULT_NAME: Final = "default"
_NAME: Final = re.compile(r"[a-z0-9-]{1,64}")
_VERSION: Final = 1


class SyncedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was fetched and let through. `size` in bytes."""

    upstream: str
    project: str
    filename: str
    sha256: str
    size: int

    @property
    def key(self) -> tuple[str, ProjectName, Filename]:
        """Which file it is."""
        return self.upstream, ProjectName(self.project), Filename(self.filename)


class Synced(msgspec.Struct, frozen=True, kw_only=True):
    """A sync that ended. `at`: when, which is the creation time of bundles made from it.

    `files` by upstream, project and filename.
    """

    name: str
    index: str
    at: datetime
    files: tuple[SyncedFile, ...]
    version: int = _VERSION


@dataclass(frozen=True, slots=True)
class SyncedBook:
    """The records in a directory."""

    directory: Path

    def write(self, synced: Synced) -> None:
        """Puts a record in the place of the one of its name, whole or not at all. Blocks. Raises OSError."""
        make_private(self.directory)
        path = self.directory / f"{parse_synced_name(synced.name)}.json"
        growing = self.directory / f".{path.name}.{secrets.token_hex(8)}"
        try:
            with growing.open("xb") as file:
                file.write(msgspec.json.encode(synced))
                file.flush()
                os.fsync(file.fileno())
            growing.replace(path)
        finally:
            growing.unlink(missing_ok=True)
        DISK.sync_directory(self.directory)

    def read(self, name: str) -> Synced:
        """The record of a name. Blocks. Raises `ConfigurationError` where there is none, or none that can be read."""
        path = self.directory / f"{parse_synced_name(name)}.json"
        try:
            found = msgspec.json.decode(path.read_bytes(), type=Synced)
        except FileNotFoundError:
            known = ", ".join(self.names()) or "none"
            raise ConfigurationError(
                f"nothing was synced under the name {name!a}",
                remedy=f"run inbond sync --name {name} first; synced here: {known}",
            ) from None
        except (OSError, msgspec.MsgspecError) as error:
            raise OperatorFault(
                f"{path} cannot be read: {printable(str(error))}", remedy=f"run inbond sync --name {name} again"
            ) from error
        return found

    def names(self) -> tuple[str, ...]:
        """The names that were synced. Blocks."""
        return tuple(sorted(path.stem for path in self.directory.glob("*.json")))


def parse_synced_name(text: str) -> str:
    """The name of what is synced. Raises ValueError."""
    if not _NAME.fullmatch(text):
        raise ValueError(f"{text!a} is no name: use up to 64 small letters, digits and '-'")
    return text

"""A static tree on disk, while it is served: every file appears whole, under its name or not at all.

Each file is written beside the tree's own (`.inbond-incoming/`), and renamed to its place when its digest is right.
Files come before the pages that name them, and go after. A link is never followed. All of it blocks.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import secrets
import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import BinaryIO, Final

from inbond.mirror.static_manifest import MANIFEST_NAME, TreeFile
from inbond.model.errors import ConfigurationError, OperatorFault
from inbond.store.disk import DISK, PRIVATE_FILE
from inbond.store.files import open_regular, remove_tree

INCOMING: Final = ".inbond-incoming"
LOCK: Final = ".inbond-lock"
OURS: Final = ("simple", "packages")  # all below these is the tree's; pages go before the files that they name
# A web server is another user than the one that writes.
DIRECTORY_MODE: Final = 0o755
FILE_MODE: Final = 0o644
LINKED_MODE: Final = 0o444  # what lies in the cache too is changed by nobody
READ_BYTES: Final = 2**20


class Placed(Enum):
    """What was done about a file."""

    KEPT = "kept"  # it was there, with these bytes
    WRITTEN = "written"
    DAMAGED = "damaged"  # the source has other bytes than its digest says


@dataclass(slots=True, kw_only=True)
class TreeWriter:
    """A tree that is being written; from `writing`. `written`, `kept`: files so far."""

    root: Path
    written: int = 0
    kept: int = 0

    def place_bytes(self, path: str, content: bytes) -> TreeFile:
        """Puts bytes in a file's place, unless they are there. Raises OSError."""
        placed = TreeFile(path=path, sha256=hashlib.sha256(content).hexdigest(), size=len(content))
        if self._is_there(path, placed.sha256, placed.size):
            return placed
        growing = self._incoming()
        with growing.open("xb") as out:
            out.write(content)
            _sync(out)
        self._move(growing, path)
        return placed

    def place_file(self, path: str, source: Path, sha256: str, size: int, *, link: bool) -> Placed:
        """Puts a file in its place, unless it is there; nothing where the source is not what its digest says.

        `link`: a hard link instead of a copy. Raises OSError; `FileNotFoundError` where the source is gone.
        """
        if self._is_there(path, sha256, size):
            return Placed.KEPT
        growing = self._incoming()
        try:
            digest = _linked(source, growing) if link else _copied(source, growing)
            if digest != sha256:
                return Placed.DAMAGED
            self._move(growing, path)
        finally:
            growing.unlink(missing_ok=True)
        return Placed.WRITTEN

    def remove_others(self, named: Collection[str]) -> int:
        """Removes what is below the tree's directories and not named; how many files and links that was."""
        return sum(_removed_below(self.root / top, f"{top}/", frozenset(named)) for top in OURS)

    def remove(self, name: str) -> None:
        """Removes a file at the top of the tree; a missing one is fine."""
        (self.root / name).unlink(missing_ok=True)

    def _is_there(self, path: str, sha256: str, size: int) -> bool:
        if digest_of(self.root, path, size) != sha256:
            return False
        self.kept += 1
        return True

    def _incoming(self) -> Path:
        return self.root / INCOMING / secrets.token_hex(16)

    def _move(self, growing: Path, path: str) -> None:
        place = _made_directory(self.root, path)
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        growing.rename(place)
        DISK.sync_directory(place.parent)
        self.written += 1


@contextlib.contextmanager
def writing(root: Path) -> Iterator[TreeWriter]:
    """The tree in a directory, for this process alone; an empty directory, or none, becomes one.

    Raises `ConfigurationError` for a directory that holds something else, OSError.
    """
    _check_is_tree(root)
    if not root.exists():
        root.mkdir(parents=True)
        root.chmod(DIRECTORY_MODE)
    with _alone(root):
        remove_tree(root / INCOMING)
        (root / INCOMING).mkdir(mode=0o700)
        try:
            yield TreeWriter(root=root)
        finally:
            remove_tree(root / INCOMING)


@contextlib.contextmanager
def _alone(root: Path) -> Iterator[None]:
    """One process at a time; a dead one's lock does not count. Raises `OperatorFault` where another writes."""
    handle = os.open(root / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise OperatorFault(f"another inbond is writing {root}", remedy="wait until it has ended") from error
    finally:
        os.close(handle)


def _check_is_tree(root: Path) -> None:
    if root.is_symlink() or (root.exists() and not root.is_dir()):
        raise ConfigurationError(f"{root} is a link, or no directory", remedy="name a directory")
    if not root.exists() or (root / MANIFEST_NAME).is_file():
        return
    found = sorted(entry.name for entry in root.iterdir() if entry.name not in {LOCK, INCOMING})
    if found:
        raise ConfigurationError(
            f"{root} is not a tree that inbond wrote: it holds {found[0]!a} and no {MANIFEST_NAME}",
            remedy="name an empty directory, or one that inbond wrote before",
        )


def digest_of(root: Path, path: str, size: int) -> str | None:
    """The sha256 of a file of a tree, where there is a plain file of that length; no link on the way is followed."""
    try:
        if any((root / parent).is_symlink() for parent in Path(path).parents):
            return None
        with open_regular(root / path) as file:
            return _hashed(file) if os.fstat(file.fileno()).st_size == size else None
    except OSError:
        return None


def _hashed(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(READ_BYTES):
        digest.update(chunk)
    return digest.hexdigest()


def _copied(source: Path, growing: Path) -> str:
    digest = hashlib.sha256()
    with open_regular(source) as file, growing.open("xb") as out:
        while chunk := file.read(READ_BYTES):
            digest.update(chunk)
            out.write(chunk)
        _sync(out)
    return digest.hexdigest()


def _linked(source: Path, growing: Path) -> str:
    try:
        os.link(source, growing, follow_symlinks=False)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        raise ConfigurationError(
            f"{source} lies on another file system than the tree", remedy="leave out --link"
        ) from error
    with open_regular(growing) as file:
        os.fchmod(file.fileno(), LINKED_MODE)
        return _hashed(file)


def _sync(out: BinaryIO) -> None:
    out.flush()
    os.fchmod(out.fileno(), FILE_MODE)
    os.fsync(out.fileno())


def _made_directory(root: Path, path: str) -> Path:
    """The place of a file, below directories that are ones: what stands in their way, a link for instance, goes."""
    directory = root
    for segment in path.split("/")[:-1]:
        directory /= segment
        if directory.is_symlink() or (directory.exists() and not directory.is_dir()):
            directory.unlink()
        if not directory.exists():
            directory.mkdir(exist_ok=True)  # another thread may be as quick
            directory.chmod(DIRECTORY_MODE)  # whatever the umask
            DISK.sync_directory(directory.parent)
    return root / path


def _removed_below(directory: Path, prefix: str, named: frozenset[str]) -> int:
    if directory.is_symlink():
        directory.unlink()
        return 1
    if not directory.is_dir():
        return 0
    removed = 0
    with os.scandir(directory) as entries:
        for entry in list(entries):
            path = prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                removed += _removed_below(Path(entry.path), f"{path}/", named)
            elif path not in named:
                Path(entry.path).unlink()
                removed += 1
    with contextlib.suppress(OSError):  # there is something in it
        directory.rmdir()
    return removed

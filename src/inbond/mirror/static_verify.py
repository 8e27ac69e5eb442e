"""Examining a static tree: every file of its manifest, whatever else lies there, and what its pages say.

Nothing in the tree is trusted but what a key signed. Without a key it is only told whether the tree fits itself, and
whoever changed a file may have changed its manifest with it.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256 as sha256_of
from pathlib import Path
from typing import Final

from inbond.bundles.keys import PublicKey
from inbond.mirror.static_disk import INCOMING, LOCK, READ_BYTES
from inbond.mirror.static_manifest import (
    MANIFEST_NAME,
    MAX_MANIFEST_BYTES,
    SIGNATURE_BYTES,
    SIGNATURE_NAME,
    TreeFile,
    TreeManifest,
    decode_tree,
    signed_tree,
)
from inbond.mirror.static_said import page_problems
from inbond.model.errors import InvalidBundle
from inbond.model.units import about
from inbond.store.files import open_regular

_OWN: Final = frozenset({MANIFEST_NAME, SIGNATURE_NAME, LOCK})


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong with a tree. `path`: where, below it; empty for the whole."""

    path: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeExamined:
    """What came of it. `signed_by`: the id of the key that vouches for all of it; None: nobody does."""

    root: Path
    manifest: TreeManifest | None
    signed_by: str | None
    problems: tuple[Problem, ...]

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def verify_tree(
    root: Path, keys: Sequence[PublicKey] = (), *, now: datetime, max_age: timedelta | None = None
) -> TreeExamined:
    """Examines a tree. `keys`: one of them must have signed it, where any are named. Blocks."""
    try:
        raw = _read(root / MANIFEST_NAME, MAX_MANIFEST_BYTES)
        manifest = decode_tree(raw)
    except OSError as error:
        return _refused(root, f"it cannot be read: {error.strerror or error}; this is no tree that inbond wrote")
    except InvalidBundle as error:
        return _refused(root, error.message)
    signed_by = _signer(root, raw, keys)
    problems = [
        *_signature_problems(root, signed_by, keys),
        *_age_problems(manifest, now, max_age),
        *_file_problems(root, manifest),
    ]
    return TreeExamined(root=root, manifest=manifest, signed_by=signed_by, problems=tuple(problems))


def _refused(root: Path, message: str) -> TreeExamined:
    problem = Problem(path=MANIFEST_NAME, message=message)
    return TreeExamined(root=root, manifest=None, signed_by=None, problems=(problem,))


def _signer(root: Path, manifest: bytes, keys: Sequence[PublicKey]) -> str | None:
    try:
        signature = _read(root / SIGNATURE_NAME, SIGNATURE_BYTES)
    except OSError:
        return None
    digest = sha256_of(signed_tree(manifest)).hexdigest()
    return next((key.id for key in keys if key.verify(digest, signature)), None)


def _signature_problems(root: Path, signed_by: str | None, keys: Sequence[PublicKey]) -> Iterator[Problem]:
    if signed_by is not None or not keys:
        return
    named = ", ".join(key.id for key in keys)
    if os.path.lexists(root / SIGNATURE_NAME):
        yield Problem(
            path=SIGNATURE_NAME, message=f"the manifest was not signed with {named}: it is not to be believed"
        )
    else:
        yield Problem(path=SIGNATURE_NAME, message=f"there is no signature, and {named} should have signed the tree")


def _age_problems(manifest: TreeManifest, now: datetime, max_age: timedelta | None) -> Iterator[Problem]:
    if max_age is not None and now - manifest.at > max_age:
        message = f"it was synced {about(now - manifest.at)} ago, which is longer than {about(max_age)}: an older tree?"
        yield Problem(path="", message=message)
    if manifest.at > now:
        yield Problem(
            path="", message=f"it was synced at {manifest.at.isoformat()}, which is still to come: whose clock?"
        )


def _file_problems(root: Path, manifest: TreeManifest) -> Iterator[Problem]:
    named = {file.path: file for file in manifest.files}
    found: set[str] = set()
    for path, entry in _walked(root, ""):
        problem = _entry_problem(path, entry, named)
        if problem is None:
            found.add(path)
        else:
            yield Problem(path=path, message=problem)
    wrong: set[str] = set()
    for path in sorted(found):
        content_problem = _content_problem(root, named[path])
        if content_problem is not None:
            wrong.add(path)
            yield Problem(path=path, message=content_problem)
    for path in sorted(named.keys() - found):
        if not os.path.lexists(root / path):
            yield Problem(path=path, message="it is missing")
    for path in sorted(found - wrong):
        if path.startswith("simple/"):
            for message in page_problems(path, (root / path).read_bytes(), named):
                yield Problem(path=path, message=message)


def _walked(root: Path, prefix: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Everything that is no directory, links among it; none is followed."""
    with os.scandir(root / prefix) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            path = prefix + entry.name
            if path in _OWN or path == INCOMING:
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _walked(root, f"{path}/")
            else:
                yield path, entry


def _entry_problem(path: str, entry: os.DirEntry[str], named: Mapping[str, TreeFile]) -> str | None:
    if entry.is_symlink():
        return f"it is a link, to {os.readlink(entry.path)!a}: a server may send what lies there"  # noqa: PTH115
    if not entry.is_file(follow_symlinks=False):
        return "it is no plain file"
    return None if path in named else "the manifest does not name it"


def _content_problem(root: Path, named: TreeFile) -> str | None:
    digest = sha256_of()
    try:
        with open_regular(root / named.path) as file:
            while chunk := file.read(READ_BYTES):
                digest.update(chunk)
    except OSError as error:
        return f"it cannot be read: {error.strerror or error}"
    if digest.hexdigest() != named.sha256:
        return f"its bytes have sha256 {digest.hexdigest()[:12]}..., the manifest says {named.sha256[:12]}..."
    return None


def _read(path: Path, limit: int) -> bytes:
    """The bytes of a plain file. Raises OSError, also for one that is larger than anything it can be."""
    with open_regular(path) as file:
        if os.fstat(file.fileno()).st_size > limit:
            raise OSError(errno.EFBIG, "it is too large", str(path))
        return b"".join(iter(lambda: file.read(READ_BYTES), b""))

"""Paths in locks: what is an archive, and which directories are reviewed together with the lock."""

from __future__ import annotations

import pytest

from inbond.locks.lock import FromDirectory, FromFile, LockedFile, Place
from inbond.locks.paths import directory, is_archive, settled


@pytest.mark.parametrize(
    ("path", "own"),
    [
        (".", True), ("./", True), ("", True), ("tools", True), ("./tools/a", True), ("a..b", True), (r".\tools", True),
        ("..", False), ("../x", False), ("a/../../x", False), ("a/../b", False), (r"..\x", False), ("%2e%2E/x", False),
        ("/x", False), (r"\x", False), (r"\\host\x", False), ("C:/x", False), ("C:x", False), ("//host/x", False),
        ("./${HOME}/x", False), ("$HOME/x", False), ("file:///x", False), ("~/x", False),
    ],
)  # fmt: skip
def test_a_directory_below_the_lock_is_its_own(path: str, own: bool) -> None:
    assert directory(path) == FromDirectory(path, own=own)


@pytest.mark.parametrize(
    ("path", "archive"),
    [
        ("x-1.tar.gz", True), ("d/x-1.TAR.GZ", True), ("x-1.tar.xz", True), ("x-1.tar.zst", True), ("x.whl?y#z", True),
        ("x.whl/", True), ("x.egg", True), ("x%2Ewhl", True), ("x.whl#egg=x", True), ("x.tbz2", True),
        ("x", False), ("x.whl/y", False), ("x-1.tar.gz.asc", False), ("", False), ("x?y.whl", False),
    ],
)  # fmt: skip
def test_archives(path: str, archive: bool) -> None:
    assert is_archive(path) is archive


def test_an_entry_with_files_is_never_the_locks_own() -> None:
    files = (LockedFile(place=Place("a.lock")),)
    assert settled(directory("."), ()) == FromDirectory(".", own=True)
    assert settled(directory("."), files) == FromDirectory(".", own=False)
    assert settled(FromFile("x"), files) == FromFile("x")

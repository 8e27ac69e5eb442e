"""Blobs that arrive one after the other: there and whole once settled, or not at all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from inbond.model.errors import StoreUnavailable
from inbond.store.arrivals import MAX_WAITING, Arrivals


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def take(arrivals: Arrivals, content: bytes, *, pieces: int = 3) -> Path:
    cut = [content[part * len(content) // pieces : (part + 1) * len(content) // pieces] for part in range(pieces)]
    arrivals.take(sha256(content), len(content), iter(cut))
    return arrivals.path(sha256(content))


def taken_and_settled(arrivals: Arrivals) -> None:
    take(arrivals, b"content")
    arrivals.settle()


def whole(directory: Path) -> list[Path]:
    return [path for path in (directory / "sha256").rglob("*") if path.is_file()]


def test_what_was_taken_is_there_once_settled(tmp_path: Path) -> None:
    contents = [str(number).encode() * 100 for number in range(2 * MAX_WAITING)]
    with Arrivals(tmp_path / "blobs") as arrivals:
        paths = [take(arrivals, content) for content in contents]
        arrivals.settle()
        assert [path.read_bytes() for path in paths] == contents
        assert arrivals.new == [sha256(content) for content in contents]
    assert not list((tmp_path / "blobs" / "incoming").iterdir())


def test_a_blob_that_is_there_is_compared_and_not_written(tmp_path: Path) -> None:
    with Arrivals(tmp_path) as arrivals:
        path = take(arrivals, b"content")
        arrivals.settle()
        before = path.stat().st_ino
        take(arrivals, b"content")
        arrivals.settle()
        assert path.stat().st_ino == before
        assert len(arrivals.new) == 1


@pytest.mark.parametrize("damaged", [b"cont3nt", b"Content", b"conten", b"contents"])
def test_a_blob_that_is_no_longer_what_it_was_is_replaced(tmp_path: Path, damaged: bytes) -> None:
    with Arrivals(tmp_path) as arrivals:
        path = take(arrivals, b"content")
        arrivals.settle()
        path.write_bytes(damaged)
        take(arrivals, b"content")
        arrivals.settle()
        assert path.read_bytes() == b"content"


def test_what_fails_on_the_way_leaves_nothing(tmp_path: Path) -> None:
    def cut() -> Iterator[bytes]:
        yield b"con"
        raise EOFError

    with Arrivals(tmp_path) as arrivals:
        with pytest.raises(EOFError):
            arrivals.take(sha256(b"content"), 7, cut())
        arrivals.settle()
        assert arrivals.new == []
    assert whole(tmp_path) == []


def test_what_was_new_can_be_undone(tmp_path: Path) -> None:
    with Arrivals(tmp_path) as arrivals:
        old = take(arrivals, b"old")
        arrivals.settle()
    with Arrivals(tmp_path) as arrivals:
        kept, gone = take(arrivals, b"kept"), take(arrivals, b"gone")
        take(arrivals, b"old")
        arrivals.undo(but={sha256(b"kept")})
        assert sorted(whole(tmp_path)) == sorted([old, kept])
        assert not gone.exists()


def test_what_is_no_digest_has_no_place(tmp_path: Path) -> None:
    with Arrivals(tmp_path) as arrivals, pytest.raises(ValueError, match="is no sha256 digest"):
        arrivals.take("../../etc/passwd", 1, iter([b"x"]))


def test_a_disk_that_refuses_is_named(tmp_path: Path) -> None:
    (tmp_path / "blobs").write_text("in the way")
    with pytest.raises(StoreUnavailable, match="take in files"):
        Arrivals(tmp_path / "blobs")
    with Arrivals(tmp_path / "other") as arrivals:
        digest = sha256(b"content")
        (tmp_path / "other" / "sha256" / digest[:2]).symlink_to(os.devnull)
        with pytest.raises(StoreUnavailable, match="store a file"):
            taken_and_settled(arrivals)

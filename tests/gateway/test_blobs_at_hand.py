"""Stored files in memory are given as long as those on the disk would be, and no others."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from gateway.shelves import CONTENT, Bench, bench, flip, kept
from inbond.gateway import blobs_at_hand, stored_bytes
from inbond.gateway.blobs_at_hand import SMALL_BYTES, BlobsAtHand
from inbond.gateway.stored_bytes import StoredBytes
from inbond.store.protocols import Blob

__all__ = ["bench"]

NAME = "demo-1.0-py3-none-any.whl"


async def whole(process: StoredBytes, blob: Blob) -> Blob:
    assert await process.whole(NAME, blob, until=asyncio.get_running_loop().time() + 60)
    return blob


async def test_a_small_file_is_kept_with_its_bytes_and_a_large_one_without(bench: Bench) -> None:
    process = bench.process()
    at_hand = BlobsAtHand(process)
    large = await whole(process, await kept(bench.cache, os.urandom(SMALL_BYTES + 1)))
    small = await whole(process, await kept(bench.mirror))
    assert at_hand.get(small.sha256) is None
    assert (await at_hand.take(small)).body == CONTENT
    assert (await at_hand.take(large)).body is None
    for blob in (small, large):
        found = at_hand.get(blob.sha256)
        assert found is not None
        assert found.blob == blob
    await at_hand.aclose()
    await process.aclose()


@pytest.mark.parametrize("happens", ["changed", "gone", "doubted", "not looked at", "another generation"])
async def test_it_is_given_no_longer_than_the_file_on_the_disk_is_whole(
    bench: Bench, happens: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = bench.process()
    at_hand = BlobsAtHand(process)
    blob = await whole(process, await kept(bench.cache))
    await at_hand.take(blob)
    assert at_hand.get(blob.sha256) is not None
    match happens:
        case "changed":
            flip(blob.path)
        case "gone":
            blob.path.unlink()
        case "doubted":
            process.doubt(blob.path)
        case "not looked at":
            monkeypatch.setattr(stored_bytes, "LOOK_EVERY", 0.0)
        case _:
            monkeypatch.setattr(bench.cache._incoming, "generation", "another")
    assert at_hand.get(blob.sha256) is None
    await process.aclose()


async def test_other_bytes_than_its_name_says_are_neither_kept_nor_sent(bench: Bench) -> None:
    process = bench.process()
    at_hand = BlobsAtHand(process)
    blob = await whole(process, await kept(bench.cache))
    flip(blob.path)
    with pytest.raises(FileNotFoundError):
        await at_hand.take(blob)
    assert at_hand.get(blob.sha256) is None
    assert not await process.whole(NAME, blob, until=asyncio.get_running_loop().time() + 60)
    await process.aclose()


async def test_what_went_or_cannot_be_read_is_left_to_who_sends_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = bench.process()
    at_hand = BlobsAtHand(process)
    blob = await kept(bench.cache)

    def refused(path: Path) -> None:
        raise OSError(5, "Input/output error", str(path))

    with monkeypatch.context() as broken:
        broken.setattr(blobs_at_hand, "open_shared", refused)
        assert (await at_hand.take(blob)).body is None
    blob.path.unlink()
    with pytest.raises(FileNotFoundError):
        await at_hand.take(blob)
    await process.aclose()


async def test_what_lies_on_no_disk_is_not_kept(bench: Bench, tmp_path: Path) -> None:
    process = bench.process()
    at_hand = BlobsAtHand(process)
    blob = Blob(sha256="a" * 64, size=7, path=tmp_path / "elsewhere")
    assert process.is_whole_now(blob)
    assert (await at_hand.take(blob)).body is None
    assert at_hand.get(blob.sha256) is None
    await process.aclose()

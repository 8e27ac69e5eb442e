"""Documents that are written behind are given at once, and are written by the end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from inbond.store import behind
from inbond.store.behind import DocumentsBehind
from inbond.store.documents import open_documents
from inbond.store.protocols import MAX_DOCUMENT_BYTES
from store.heard import Heard


class Held:
    """Documents whose writing waits until it is let go on, and that notes what was written together."""

    def __init__(self) -> None:
        self.stored: dict[str, bytes] = {}
        self.batches: list[list[str]] = []
        self.alone: list[str] = []
        self.go = asyncio.Event()

    async def get(self, key: str) -> bytes | None:
        return self.stored.get(key)

    async def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        return {key: self.stored[key] for key in keys if key in self.stored}

    async def put(self, key: str, value: bytes) -> None:
        self.alone.append(key)
        self.stored[key] = value

    async def put_many(self, values: Mapping[str, bytes]) -> None:
        await self.go.wait()
        self.batches.append(list(values))
        self.stored.update(values)

    async def delete(self, key: str) -> None:
        self.stored.pop(key, None)


async def test_what_waits_is_given_and_then_written_together() -> None:
    held = Held()
    documents = DocumentsBehind(held)
    held.stored["old"] = b"old"
    for key in ("one", "two", "three"):
        await documents.put(key, key.encode())
    assert held.batches == []
    assert await documents.get("two") == b"two"
    assert await documents.get("old") == b"old"
    assert await documents.get_many(["one", "old", "missing"]) == {"one": b"one", "old": b"old"}
    held.go.set()
    await documents.written()
    assert held.batches == [["one", "two", "three"]]
    assert await documents.get("two") == b"two"


async def test_what_is_put_again_while_it_is_written_is_written_again() -> None:
    held = Held()
    documents = DocumentsBehind(held)
    await documents.put("key", b"one")
    await asyncio.sleep(0)
    await documents.put("key", b"two")
    held.go.set()
    await documents.written()
    assert held.stored == {"key": b"two"}


async def test_a_delete_comes_after_what_was_put_before() -> None:
    held = Held()
    documents = DocumentsBehind(held)
    await documents.put("key", b"one")
    deleting = asyncio.create_task(documents.delete("key"))
    await asyncio.sleep(0)
    held.go.set()
    await deleting
    assert held.batches == [["key"]]
    assert await documents.get("key") is None


async def test_who_puts_more_than_there_is_room_for_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(behind, "MAX_WAITING_BYTES", 10)
    held = Held()
    documents = DocumentsBehind(held)
    await documents.put("one", bytes(10))
    putting = asyncio.create_task(documents.put("two", bytes(10)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not putting.done()
    held.go.set()
    await putting
    assert set(held.stored) == {"one", "two"}


async def test_large_ones_and_what_comes_after_the_end_go_by_themselves() -> None:
    held = Held()
    held.go.set()
    documents = DocumentsBehind(held)
    await documents.put("small", b"small")
    await documents.put("large", bytes(MAX_DOCUMENT_BYTES + 1))
    await documents.aclose()
    await documents.put("late", b"late")
    assert held.batches == [["small"]]
    assert held.alone == ["large", "late"]


async def test_on_disk_all_of_it_is_there_afterwards(tmp_path: Path) -> None:
    on_disk = open_documents(tmp_path / "documents", size_limit=2**25, observer=Heard())
    documents = DocumentsBehind(on_disk)
    for number in range(200):
        await documents.put(f"key/{number}", b"%d" % number)
    await documents.aclose()
    await on_disk.aclose()
    again = open_documents(tmp_path / "documents", size_limit=2**25, observer=Heard())
    try:
        assert len(await again.get_many([f"key/{number}" for number in range(200)])) == 200
        with pytest.raises(ValueError, match="key"):
            await DocumentsBehind(again).put("", b"")
    finally:
        await again.aclose()

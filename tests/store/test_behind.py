"""Documents that are written together: whoever puts one waits until it is written, and it is given meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import pytest

from inbond.store import behind, documents
from inbond.store.behind import DocumentsBehind
from inbond.store.documents import open_documents
from inbond.store.protocols import MAX_DOCUMENT_BYTES
from inbond.store.turns import Turns
from store.heard import Heard


class Held:
    """Documents whose writing waits until it is let go on, and that notes what was written together."""

    def __init__(self) -> None:
        self.stored: dict[str, bytes] = {}
        self.batches: list[list[str]] = []
        self.go = asyncio.Event()

    async def get(self, key: str) -> bytes | None:
        return self.stored.get(key)

    async def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        return {key: self.stored[key] for key in keys if key in self.stored}

    async def put(self, key: str, value: bytes) -> None:
        await self.put_many({key: value})

    put_soon = put

    async def delete(self, key: str) -> None:
        await self.put_many({key: None})

    async def put_many(self, values: Mapping[str, bytes | None]) -> None:
        await self.go.wait()
        self.batches.append(list(values))
        self.stored |= {key: value for key, value in values.items() if value is not None}
        for key in [key for key, value in values.items() if value is None]:
            self.stored.pop(key, None)


@pytest.fixture
def held() -> Held:
    return Held()


async def turns_pass() -> None:
    """Whatever can go on without anything being written has gone on."""
    for _ in range(10):
        await asyncio.sleep(0)


async def begun(*work: Awaitable[None]) -> list[asyncio.Task[None]]:
    tasks = [asyncio.ensure_future(one) for one in work]
    await turns_pass()
    return tasks  # type: ignore[return-value, unused-ignore]  # by mypy's version


async def test_who_puts_waits_until_it_is_written_together_with_what_came_meanwhile(held: Held) -> None:
    together = DocumentsBehind(held)
    first = await begun(together.put("one", b"one"))
    others = await begun(*(together.put(key, key.encode()) for key in ("two", "three")))
    await together.put_soon("four", b"four")
    assert not any(task.done() for task in first + others)
    held.stored["old"] = b"old"
    assert await together.get("two") == b"two"
    assert await together.get("old") == b"old"
    assert await together.get_many(["one", "old", "missing", "four"]) == {"one": b"one", "old": b"old", "four": b"four"}
    held.go.set()
    await asyncio.gather(*first, *others)
    assert held.batches == [["one"], ["two", "three", "four"]]
    assert await together.get("two") == b"two"


async def test_what_is_put_again_while_it_is_written_is_written_again(held: Held) -> None:
    together = DocumentsBehind(held)
    tasks = await begun(together.put("key", b"one"))
    tasks += await begun(together.put("key", b"two"), together.put("key", b"three"))
    assert await together.get("key") == b"three"
    held.go.set()
    await asyncio.gather(*tasks)
    assert held.batches == [["key"], ["key"]]
    assert held.stored == {"key": b"three"}


async def test_a_delete_is_written_in_its_place(held: Held) -> None:
    together = DocumentsBehind(held)
    held.stored = {"one": b"before", "two": b"before"}
    tasks = await begun(together.put("one", b"now"))
    tasks += await begun(together.delete("one"), together.delete("two"))
    assert await together.get("one") is None
    assert await together.get_many(["one", "two"]) == {}
    tasks += await begun(together.put("two", b"again"))
    assert await together.get("two") == b"again"
    held.go.set()
    await asyncio.gather(*tasks)
    assert held.stored == {"two": b"again"}


async def test_a_delete_is_done_while_others_go_on_putting(held: Held) -> None:
    together = DocumentsBehind(held)
    held.go.set()

    async def on_and_on(name: str) -> None:
        while True:
            await together.put_soon(name, b"value")
            await asyncio.sleep(0)

    feeders = await begun(*(on_and_on(f"key/{number}") for number in range(5)))
    while not held.batches:
        await asyncio.sleep(0)
    before = len(held.batches)
    await together.delete("gone")
    assert len(held.batches) <= before + 3
    for task in feeders:
        task.cancel()
    await together.aclose()


async def test_what_nobody_waits_for_lingers_for_what_else_comes(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    held.go.set()
    together = DocumentsBehind(held)
    await together.put_soon("one", b"one")
    await turns_pass()
    await together.put_soon("two", b"two")
    await turns_pass()
    assert held.batches == []
    assert await together.get("one") == b"one"
    await together.put("three", b"three")  # who waits takes them along
    assert held.batches == [["one", "two", "three"]]
    monkeypatch.setattr(behind, "LINGER", 0.001)
    await together.put_soon("four", b"four")
    while len(held.batches) < 2:
        await asyncio.sleep(0)
    assert held.batches[1:] == [["four"]]


async def test_who_puts_more_than_there_is_room_for_waits_for_room(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(behind, "MAX_WAITING_BYTES", 30)
    together = DocumentsBehind(held)
    await together.put_soon("a", bytes(19))
    tasks = await begun(together.put_soon("b", bytes(19)))  # which finds none
    tasks += await begun(together.put_soon("c", b""), together.put("d", b"d"), together.delete("a"))  # behind it
    assert not any(task.done() for task in tasks)
    assert [await together.get(key) for key in "abcd"] == [bytes(19), None, None, None]
    held.go.set()
    await asyncio.gather(*tasks)
    assert held.batches[0] == ["a"]
    assert held.stored == {"b": bytes(19), "c": b"", "d": b"d"}
    await together.put("large", bytes(31))  # there is room for any one when nothing waits
    assert held.stored["large"] == bytes(31)


async def test_a_document_that_takes_the_place_of_one_that_waits_takes_its_room(
    held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(behind, "MAX_WAITING_BYTES", 30)
    together = DocumentsBehind(held)
    for _ in range(9):
        await together.put_soon("key", bytes(10))
    held.go.set()
    await together.put("key", b"")
    assert held.batches == [["key"]]


async def test_a_transaction_takes_so_many_bytes_and_documents(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(behind, "BATCH_BYTES", 10)
    monkeypatch.setattr(behind, "BATCH", 3)
    together = DocumentsBehind(held)
    for key, size in zip("abcdefghij", [4, 4, 4, 20, 0, 0, 0, 0, 9, 9], strict=True):
        await together.put_soon(key, bytes(size))
    held.go.set()
    await together.aclose()
    assert held.batches == [["a", "b"], ["c"], ["d"], ["e", "f", "g"], ["h"], ["i"], ["j"]]


async def test_who_waits_no_longer_ends_nobodys_writing(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(behind, "MAX_WAITING_BYTES", 10)
    together = DocumentsBehind(held)
    gone, stays, never, next_one = await begun(
        together.put("a", b"a"), together.put("b", b"b"), together.put("c", bytes(10)), together.put("d", bytes(9))
    )
    gone.cancel()
    never.cancel()  # which still waited for room
    await turns_pass()
    held.go.set()
    await asyncio.gather(stays, next_one)
    assert gone.cancelled()
    assert never.cancelled()
    assert held.stored == {"a": b"a", "b": b"b", "d": bytes(9)}


async def test_a_defect_is_told_to_all_who_wait_and_leaves_nothing(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    together = DocumentsBehind(held)

    async def broken(values: Mapping[str, bytes | None]) -> None:
        raise RuntimeError(f"a defect: {list(values)}")

    with monkeypatch.context() as patch:
        patch.setattr(held, "put_many", broken)
        tasks = await begun(together.put("one", b"one"), together.delete("two"))
        for task in tasks:
            with pytest.raises(RuntimeError, match="one"):
                await task
    assert await together.get("one") is None
    held.go.set()
    await together.put("one", b"one")
    assert held.stored == {"one": b"one"}


async def test_all_is_written_at_the_end_and_what_comes_later_before_that_returns(
    held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(behind, "MAX_WAITING_BYTES", 10)
    together = DocumentsBehind(held)
    tasks = await begun(*(together.put_soon(key, bytes(9)) for key in "abc"))
    (closing,) = await begun(together.aclose())
    assert not closing.done()
    held.go.set()
    await closing
    assert set(held.stored) == set("abc")
    await asyncio.gather(*tasks)
    await together.put_soon("late", b"late")
    assert held.stored["late"] == b"late"
    await together.aclose()


def over_limit(together: DocumentsBehind) -> Awaitable[None]:
    return together.put("key", bytes(MAX_DOCUMENT_BYTES + 1))


@pytest.mark.parametrize("last", [over_limit, lambda together: together.delete("key")])
async def test_on_disk_a_key_is_left_empty(tmp_path: Path, last: Callable[[DocumentsBehind], Awaitable[None]]) -> None:
    heard = Heard()
    on_disk = open_documents(tmp_path / "documents", size_limit=2**25, observer=heard)
    together = DocumentsBehind(on_disk)
    await together.put("key", b"before")
    (emptied,) = await begun(last(together))
    assert await together.get("key") is None
    await emptied
    assert await on_disk.get("key") is None
    assert heard.alerts == (["document-too-large"] if last is over_limit else [])
    await together.aclose()
    await on_disk.aclose()


async def test_on_disk_what_cannot_be_written_is_told_and_not_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "LOCK_SECONDS", 0.01)
    heard = Heard()
    on_disk = open_documents(tmp_path / "documents", size_limit=2**25, observer=heard)
    together = DocumentsBehind(on_disk)
    await together.put("key", b"before")
    with Turns(tmp_path / "documents").taken(5):  # somebody else writes all the time
        await together.put("key", b"now")
        assert await together.get("key") == b"before"
    assert heard.alerts == ["document-store-failing"]
    await together.put("key", b"now")
    assert await on_disk.get("key") == b"now"
    await together.aclose()
    await on_disk.aclose()


async def test_on_disk_all_of_it_is_there_afterwards(tmp_path: Path) -> None:
    on_disk = open_documents(tmp_path / "documents", size_limit=2**25, observer=Heard())
    together = DocumentsBehind(on_disk)
    for number in range(200):
        await together.put_soon(f"key/{number}", b"%d" % number)
    with pytest.raises(ValueError, match="key"):
        await together.put_soon("", b"")
    await together.aclose()
    await on_disk.aclose()
    again = open_documents(tmp_path / "documents", size_limit=2**25, observer=Heard())
    assert len(await again.get_many([f"key/{number}" for number in range(200)])) == 200
    await again.aclose()

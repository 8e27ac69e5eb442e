"""What was looked up a moment ago and is not there is not looked up again; what is written counts at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from inbond.store import absent
from inbond.store.absent import BELIEVED_SECONDS, AbsentDocuments
from inbond.store.behind import DocumentsBehind
from store.test_behind import Held, turns_pass

KINDS = ("claim",)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_key_is_believed_to_be_absent_for_a_while() -> None:
    clock = Clock()
    documents = AbsentDocuments(KINDS, clock)
    documents.missed(documents.look(["claim/a", "page/a"]))
    assert "claim/a" in documents
    assert "page/a" not in documents
    clock.now += BELIEVED_SECONDS
    assert "claim/a" not in documents


def test_a_key_that_was_written_while_it_was_looked_up_is_not_believed_to_be_absent() -> None:
    documents = AbsentDocuments(KINDS, Clock())
    look = documents.look(["claim/a", "claim/b", "claim/c"])
    assert "claim/a" not in documents
    documents.written("claim/a")
    documents.missed(look, {"claim/c": b""})
    assert "claim/c" not in documents
    assert "claim/a" not in documents
    assert "claim/b" in documents
    documents.written("claim/b")
    assert "claim/b" not in documents


def test_a_look_up_says_nothing_of_one_that_began_later() -> None:
    documents = AbsentDocuments(KINDS, Clock())
    before = documents.look(["claim/a"])
    documents.written("claim/a")
    documents.look(["claim/a"])
    documents.missed(before)
    assert "claim/a" not in documents


def test_so_many_keys_are_remembered_and_none_of_a_large_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(absent, "MAX_ABSENT", 2)
    monkeypatch.setattr(absent, "MAX_AT_ONCE", 2)
    documents = AbsentDocuments(KINDS, Clock())
    documents.missed(documents.look(f"claim/{number}" for number in range(3)))
    assert "claim/0" not in documents
    for key in ("claim/a", "claim/b", "claim/c"):
        documents.missed(documents.look([key]))
    assert [key in documents for key in ("claim/a", "claim/b", "claim/c")] == [False, True, True]


class Counting(Held):
    def __init__(self) -> None:
        super().__init__()
        self.looked_up: list[str] = []

    async def get(self, key: str) -> bytes | None:
        self.looked_up.append(key)
        return await super().get(key)

    async def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        self.looked_up += keys
        return await super().get_many(keys)


async def test_documents_are_looked_up_once_where_there_are_none() -> None:
    held = Counting()
    held.stored = {"claim/there": b"1", "page/there": b"2"}
    documents = DocumentsBehind(held, renewable=KINDS)
    keys = ["claim/no", "claim/there", "page/no", "page/there"]
    for _ in range(2):
        assert await documents.get_many(keys) == {"claim/there": b"1", "page/there": b"2"}
        assert await documents.get("claim/no") is None
        assert await documents.get("claim/none") is None
    assert held.looked_up == [*keys, "claim/none", "claim/there", "page/no", "page/there"]


async def test_a_document_is_there_as_soon_as_it_is_put_and_after_it_is_written() -> None:
    held = Counting()
    documents = DocumentsBehind(held, renewable=KINDS)
    assert await documents.get("claim/a") is None
    putting = asyncio.create_task(documents.put("claim/a", b"1"))
    await turns_pass()
    assert await documents.get("claim/a") == b"1"
    held.go.set()
    await putting
    assert await documents.get("claim/a") == b"1"
    await documents.delete("claim/a")
    assert await documents.get("claim/a") is None

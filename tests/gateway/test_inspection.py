"""What was found in archives is kept, told once to whom it concerns, and never found twice."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from archive.building import METADATA, WHEEL, crowd, wheel
from inbond.archive.inspect import Inspected
from inbond.gateway import inspection_documents
from inbond.gateway.inspection import InspectionKeeper
from inbond.gateway.page_state import PageState, page_state
from inbond.model.errors import StoreUnavailable
from inbond.model.events import CacheLookup, Event
from inbond.model.inspection import FORMAT, Odd, Sane
from inbond.model.memory import PageMemory
from inbond.model.names import Filename, ProjectName
from inbond.model.page import File, Page
from inbond.store.documents import DiskDocuments, open_documents
from inbond.upstream.answers import FetchedPage, Validators

NOW = datetime(2026, 11, 21, tzinfo=UTC)
DIGEST = hashlib.sha256(METADATA).hexdigest()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


async def state_of(*files: File, upstream: str = "pypi") -> PageState:
    page = Page(name=ProjectName("demo"), files=files)
    fetched = FetchedPage(page=page, validators=Validators(), received=NOW)
    return await page_state(upstream, fetched, b"", PageMemory(project_first_seen=NOW), validated_at=NOW)


def file_of(content: bytes, **fields: Any) -> File:
    return File(filename=WHEEL, url="http://files.example/x", hashes={"sha256": sha256(content)}, **fields)


class Kept:
    """A keeper over a real store, and what it told."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.news: list[tuple[str, ProjectName]] = []
        self.keeper: InspectionKeeper

    @property
    def looks(self) -> int:
        return sum(isinstance(event, CacheLookup) and not event.hit for event in self.events)


@asynccontextmanager
async def keeping(data: Path) -> AsyncIterator[Kept]:
    kept = Kept()
    documents = open_documents(data / "documents", size_limit=2**30, observer=kept.events.append)
    news = lambda upstream, project: kept.news.append((upstream, project))  # noqa: E731 (two words of a test)
    kept.keeper = InspectionKeeper(documents, kept.events.append, news=news)
    try:
        yield kept
    finally:
        await kept.keeper.aclose()
        await documents.aclose()


def lying(data: Path, content: bytes) -> Path:
    path = data / sha256(content)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("offered", "news"),
    [({"sha256": DIGEST}, 0), ({"sha256": "0" * 64}, 1), (False, 1)],
    ids=["the same", "another", "none"],
)
async def test_a_page_is_told_where_it_changes_and_only_once(tmp_path: Path, offered: Any, news: int) -> None:
    content = wheel()
    file = file_of(content, core_metadata=offered)
    state = await state_of(file)
    async with keeping(tmp_path) as kept:
        path = lying(tmp_path, content)
        assert kept.keeper.known_of(state, file) is None
        assert not kept.keeper.may_stop(state, file)
        answers = [kept.keeper.look(state, file, sha256(content), path) for _ in range(5)]
        assert await asyncio.gather(*answers) == [True] * 5
        assert kept.keeper.known(state, [file]) == {WHEEL: Sane(metadata_sha256=DIGEST)}
        assert len(kept.news) == news
        assert kept.keeper.may_stop(state, file) is (offered == {"sha256": "0" * 64})
        assert kept.looks == 1


@pytest.mark.parametrize("promised", [True, False])
async def test_what_a_page_promises_outlasts_a_process_that_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, promised: bool
) -> None:
    """Of the rest nothing is missed: it is found out again before the file leaves."""

    async def lost(_documents: object, _key: str, _value: bytes) -> None:
        """Killed before it is written."""

    content = wheel()
    file = file_of(content, core_metadata=False if promised else {"sha256": DIGEST})
    state = await state_of(file)
    async with keeping(tmp_path) as kept:
        monkeypatch.setattr(DiskDocuments, "put_soon", lost)
        await kept.keeper.look(state, file, sha256(content), lying(tmp_path, content))
    async with keeping(tmp_path) as kept:
        await kept.keeper.load(state)
        assert (kept.keeper.known_of(state, file) is not None) is promised


async def test_what_was_found_is_found_again_without_a_look(tmp_path: Path) -> None:
    content = wheel() + b"\0"
    file = file_of(content)
    state = await state_of(file)
    async with keeping(tmp_path) as kept:
        await kept.keeper.look(state, file, sha256(content), lying(tmp_path, content))
    async with keeping(tmp_path) as kept:
        await kept.keeper.load(state)
        assert kept.keeper.known_of(state, file) == Odd(reasons=("bytes stand behind its end",))
        await kept.keeper.load(state)  # once for each version of a page
    async with keeping(tmp_path) as kept:  # not loaded: as where another page lists the same file
        await kept.keeper.look(state, file, sha256(content), tmp_path / "gone")
        assert isinstance(kept.keeper.known_of(state, file), Odd)
        assert kept.looks == 0
        assert kept.news == [("pypi", "demo")]


async def test_what_was_found_by_fewer_checks_is_looked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = wheel()
    file, path = file_of(content), lying(tmp_path, content)
    for looks, checks in ((1, FORMAT), (0, FORMAT), (1, FORMAT + 1), (0, FORMAT + 1)):
        monkeypatch.setattr(inspection_documents, "FORMAT", checks)
        async with keeping(tmp_path) as kept:
            assert await kept.keeper.look(await state_of(file), file, sha256(content), path)
            assert kept.looks == looks


async def test_a_look_that_takes_longer_goes_on_behind(tmp_path: Path) -> None:
    content = crowd(20_000)
    file = file_of(content)
    state = await state_of(file)
    async with keeping(tmp_path) as kept:
        path = lying(tmp_path, content)
        assert not await kept.keeper.look(state, file, sha256(content), path, within=0.001)
        assert await kept.keeper.look(state, file, sha256(content), path)
        assert isinstance(kept.keeper.known_of(state, file), Sane)
        assert kept.news == [("pypi", "demo")]


async def test_bytes_that_are_gone_are_told(tmp_path: Path) -> None:
    file = file_of(wheel())
    async with keeping(tmp_path) as kept:
        state = await state_of(file)
        with pytest.raises(FileNotFoundError):
            await kept.keeper.look(state, file, sha256(wheel()), tmp_path / "gone")
        assert kept.keeper.known_of(state, file) is None


async def test_other_files_are_known_to_be_of_no_interest(tmp_path: Path) -> None:
    file = File(filename=Filename("demo-1.0.tar.gz"), url="http://files.example/x", hashes={"sha256": "0" * 64})
    async with keeping(tmp_path) as kept:
        state = await state_of(file)
        assert await kept.keeper.look(state, file, "0" * 64, tmp_path / "gone")
        assert kept.keeper.known(state, [file]) == {}


async def test_a_first_download_is_news_whatever_it_holds(tmp_path: Path) -> None:
    content = wheel()
    file = File(filename=WHEEL, url="http://files.example/x", core_metadata={"sha256": DIGEST})
    async with keeping(tmp_path) as kept:
        state = await state_of(file)
        await kept.keeper.look(state, file, sha256(content), lying(tmp_path, content))
        assert kept.keeper.known_of(state, file) is None  # its page gives no digest yet
        assert kept.news == [("pypi", "demo")]


async def test_metadata_is_kept_and_taken_out_again_only_as_promised(tmp_path: Path) -> None:
    content = wheel()
    file = file_of(content, core_metadata=False)
    async with keeping(tmp_path) as kept:
        path = lying(tmp_path, content)
        state = await state_of(file)
        await kept.keeper.look(state, file, sha256(content), path)
        assert await kept.keeper.metadata(DIGEST) == METADATA
        assert await kept.keeper.metadata("0" * 64) is None
        assert await kept.keeper.extract(state, file, path, DIGEST, within=9) == METADATA
        assert await kept.keeper.extract(state, file, path, "0" * 64, within=9) is None
        assert await kept.keeper.extract(state, file, lying(tmp_path, b"no wheel"), DIGEST, within=9) is None


@pytest.mark.parametrize("wheel_first", [True, False])
async def test_core_metadata_without_a_digest_is_held_against_the_wheel(tmp_path: Path, *, wheel_first: bool) -> None:
    content = wheel()
    file = file_of(content, core_metadata=True)
    async with keeping(tmp_path) as kept:
        state = await state_of(file)
        path = lying(tmp_path, content)
        if wheel_first:
            await kept.keeper.look(state, file, sha256(content), path)
        assert await kept.keeper.served(state, file, METADATA)
        assert await kept.keeper.served(state, file, METADATA)
        assert await kept.keeper.served(state, file, b"other") is not wheel_first
        await kept.keeper.look(state, file, sha256(content), path)
        assert isinstance(kept.keeper.known_of(state, file), Odd)
        assert not await kept.keeper.served(state, file, b"other")
        assert kept.news


async def test_core_metadata_that_was_sent_is_remembered_after_a_restart(tmp_path: Path) -> None:
    content = wheel()
    file = file_of(content, core_metadata=True)
    state = await state_of(file)
    elsewhere = await state_of(file, upstream="mirror")
    async with keeping(tmp_path) as kept:
        await kept.keeper.look(state, file, sha256(content), lying(tmp_path, content))
        assert not await kept.keeper.served(state, file, b"other")
    for load_page in (True, False):
        async with keeping(tmp_path) as kept:
            for one in (state, elsewhere):
                await (kept.keeper.load(one) if load_page else kept.keeper.load_some(one, [file]))
            assert isinstance(kept.keeper.known_of(state, file), Odd)
            assert isinstance(kept.keeper.known_of(elsewhere, file), Sane)  # who sent the other one was not it
    async with keeping(tmp_path) as kept:  # what it sends now counts
        await kept.keeper.load(state)
        assert await kept.keeper.served(state, file, METADATA)
    async with keeping(tmp_path) as kept:
        await kept.keeper.load(state)
        assert isinstance(kept.keeper.known_of(state, file), Sane)


async def test_bytes_that_cannot_be_read_are_not_remembered(tmp_path: Path) -> None:
    content = wheel()
    file = file_of(content)
    async with keeping(tmp_path) as kept:
        state = await state_of(file)
        with pytest.raises(StoreUnavailable):
            await kept.keeper.look(state, file, sha256(content), tmp_path)  # a directory
        assert kept.keeper.known_of(state, file) is None
        assert await kept.keeper.look(state, file, sha256(content), lying(tmp_path, content))
        assert isinstance(kept.keeper.known_of(state, file), Sane)


@pytest.mark.parametrize(("content", "news"), [(wheel() + b"\0", 1), (wheel(), 0)], ids=["odd", "sane"])
async def test_a_page_made_before_its_file_was_known_elsewhere_is_made_anew(
    content: bytes, news: int, tmp_path: Path
) -> None:
    file = file_of(content, core_metadata={"sha256": DIGEST})
    here, there = await state_of(file), await state_of(file, upstream="mirror")
    async with keeping(tmp_path) as kept:
        kept.keeper.refresh("root", there, file)  # nothing is known, and nothing was shown
        assert kept.keeper.known_on_page("root", there) == {}
        await kept.keeper.look(here, file, sha256(content), lying(tmp_path, content))
        kept.news.clear()
        kept.keeper.refresh("other", there, file)  # an index that showed nothing
        assert kept.news == []
        for _ in range(3):
            kept.keeper.refresh("root", there, file)
        assert kept.news == [("mirror", "demo")] * news
        assert WHEEL in kept.keeper.known_on_page("root", there)
        kept.keeper.refresh("root", there, file)
        assert len(kept.news) == news


async def test_metadata_is_taken_out_once_for_all_who_ask_and_not_waited_for_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = wheel()
    file = file_of(content, core_metadata=False)
    async with keeping(tmp_path) as kept:
        looks, go_on = [], asyncio.Event()
        real = kept.keeper._looker.look

        async def slow(path: Path, filename: Filename, *, group: Hashable) -> Inspected:
            looks.append(path)
            await go_on.wait()
            return await real(path, filename, group=group)

        monkeypatch.setattr(kept.keeper._looker, "look", slow)
        state, path = await state_of(file), lying(tmp_path, content)
        assert await kept.keeper.extract(state, file, path, DIGEST, within=0.01) is None
        asked = asyncio.gather(*(kept.keeper.extract(state, file, path, DIGEST, within=60) for _ in range(5)))
        go_on.set()
        assert await asked == [METADATA] * 5
        assert len(looks) == 1

"""What a page's state says of files that were carried and of those that were not."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from inbond.gateway.page_state import PageState, page_state, with_memory
from inbond.model.memory import PageMemory
from inbond.model.names import Filename, ProjectName
from inbond.model.page import File, Page
from inbond.upstream.answers import FetchedPage, Validators

NOW = datetime(2026, 11, 21, tzinfo=UTC)
NAMES = tuple(map(Filename, ("demo-1.0.tar.gz", "demo-1.0-py3-none-any.whl", "demo-2.0.tar.gz")))
MEMORY = PageMemory(project_first_seen=NOW)


async def state_of(
    carried: Iterable[Filename] | None,
    *,
    bare: Iterable[Filename] = (),
    versions: tuple[str, ...] | None = ("1.0", "2", "no version"),
) -> PageState:
    files = tuple(File(filename=name, url=f"https://files.example/{name}") for name in NAMES)
    fetched = FetchedPage(
        page=Page(name=ProjectName("demo"), files=files, versions=versions),
        validators=Validators(),
        received=NOW,
        carried=None if carried is None else frozenset(carried),
        without_metadata=frozenset(bare),
    )
    return await page_state("pypi", fetched, b"the same document", MEMORY, validated_at=NOW)


async def test_a_state_differs_by_what_was_carried_with_the_same_page() -> None:
    states = [
        await state_of(None),
        await state_of(()),
        await state_of(NAMES[:1]),
        await state_of(NAMES),
        await state_of(NAMES, bare=NAMES[:1]),
    ]
    assert len({state.document_id for state in states}) == len(states)
    assert len({state.stored_id for state in states}) == 1
    assert (await state_of(reversed(NAMES))).document_id == states[3].document_id


async def test_what_memory_adds_does_not_hide_what_was_carried() -> None:
    memory = PageMemory(project_first_seen=NOW, first_digest={NAMES[0]: "a" * 64})
    told = {(await with_memory(await state_of(carried), memory)).document_id for carried in (None, NAMES[:1], NAMES)}
    assert len(told) == 3


async def test_what_is_offered_is_what_was_carried_with_its_releases() -> None:
    whole = await state_of(None)
    assert whole.offered is whole.page
    part = await state_of(NAMES[:2])
    assert [file.filename for file in part.offered.files] == list(NAMES[:2])
    assert part.offered.versions == ("1.0",)
    assert [file.filename for file in part.page.files if part.offers(file)] == list(NAMES[:2])
    assert (await state_of(NAMES[2:])).offered.versions == ("2",)
    assert (await state_of(NAMES[:1], versions=None)).offered.versions is None

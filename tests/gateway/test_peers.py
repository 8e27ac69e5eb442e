"""Questions to other processes, and those that do not answer as they should."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from inbond.gateway import peer_server
from inbond.gateway.leading import Leading, starting
from inbond.gateway.peer_server import PeerServer, asking
from inbond.gateway.peers import PeerGone, Peers, PeerSilent, address_of
from inbond.model.errors import OperatorFault, StoreUnavailable
from inbond.model.events import Alert, Event


async def echo(facts: bytes) -> AsyncIterator[bytes]:
    yield facts
    yield b"and more"


async def mute(_facts: bytes) -> AsyncIterator[bytes]:
    await asyncio.Event().wait()
    yield b""


async def broken(facts: bytes) -> AsyncIterator[bytes]:
    if facts:
        raise LookupError("no")
    yield facts


ANSWERS = {"echo": echo, "mute": mute, "broken": broken}


@asynccontextmanager
async def first_of_two(place: Path) -> AsyncIterator[tuple[Peers, list[Event]]]:
    """The first answers; the second is who asks."""
    events: list[Event] = []
    server = PeerServer(Peers(directory=place, number=1, count=2), ANSWERS, events.append)
    await server.start()
    try:
        yield Peers(directory=place, number=2, count=2), events
    finally:
        await server.aclose()


async def test_an_answer_is_lines_until_its_end(tmp_path: Path) -> None:
    async with first_of_two(tmp_path) as (peers, _), peers.asked(1, asking("echo")) as lines:
        assert [await lines.next(within=10) for _ in range(2)] == [b"null", b"and more"]
        with pytest.raises(PeerGone):
            await lines.next(within=10)


async def test_only_this_user_may_ask_and_the_socket_goes_with_the_process(tmp_path: Path) -> None:
    async with first_of_two(tmp_path):
        assert stat.S_IMODE((tmp_path / "1").stat().st_mode) == 0o600
    assert not (tmp_path / "1").exists()


async def test_who_takes_the_place_of_a_dead_process_is_asked_instead(tmp_path: Path) -> None:
    (tmp_path / "1").write_text("left by it")
    async with first_of_two(tmp_path) as (peers, _), peers.asked(1, asking("echo")) as lines:
        assert await lines.next(within=10) == b"null"


async def test_a_socket_lies_as_deep_as_the_cache_does(tmp_path: Path) -> None:
    deep = tmp_path / ("a" * 120)
    deep.mkdir()
    with address_of(deep, 1) as address:
        assert len(address) < 100
    async with first_of_two(deep) as (peers, _), peers.asked(1, asking("echo")) as lines:
        assert await lines.next(within=10) == b"null"


async def test_where_no_socket_can_be_made_the_start_says_so(tmp_path: Path) -> None:
    server = PeerServer(Peers(directory=tmp_path / "gone", number=1, count=2), ANSWERS, lambda _: None)
    with pytest.raises(OperatorFault, match="worker 1 cannot be reached by the others"):
        await server.start()
    await server.aclose()


async def test_one_that_has_ended_is_gone_and_one_that_hangs_is_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer_server, "LAST_WORDS", 0.05)
    with pytest.raises(PeerGone):
        async with Peers(directory=tmp_path, number=2, count=2).asked(1, asking("echo")):
            pass
    async with first_of_two(tmp_path) as (peers, _):
        with pytest.raises(PeerSilent):
            async with peers.asked(1, asking("mute")) as lines:
                await lines.next(within=0.05)


@pytest.mark.parametrize("question", [asking("broken"), asking("unknown"), b"{", b""])
async def test_what_cannot_be_answered_ends_and_is_told(question: bytes, tmp_path: Path) -> None:
    async with first_of_two(tmp_path) as (peers, events):
        async with peers.asked(1, question) as lines:
            with pytest.raises(PeerGone):
                await lines.next(within=10)
        assert [one.name for one in events if isinstance(one, Alert)] == ["worker-not-answered"]


async def test_who_connects_and_asks_nothing_is_hung_up_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer_server, "ASKED_WITHIN", 0.05)
    async with first_of_two(tmp_path) as (_, events):
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "1"))
        assert await reader.read() == b""
        writer.close()
        assert events == []


# --- who leads


async def test_who_leads_begins_at_once_and_tells_what_is_wrong() -> None:
    begun: list[str] = []
    await Leading().begin(starting(lambda: begun.append("now")))
    assert begun == ["now"]

    async def refused() -> None:
        raise StoreUnavailable("full")

    with pytest.raises(StoreUnavailable):
        await Leading().begin(refused)


async def test_who_takes_over_begins_then_and_tries_again_where_the_disk_refuses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("inbond.gateway.leading.AGAIN_AFTER", 0.01)
    leading, begun, attempts = Leading(leads=False), asyncio.Event(), []

    async def start() -> None:
        attempts.append(1)
        if len(attempts) == 1:
            raise StoreUnavailable("full")
        begun.set()

    await leading.begin(start)
    assert not leading()
    assert not begun.is_set()
    leading.take_over()
    await asyncio.wait_for(begun.wait(), 60)
    await asyncio.wait_for(leading.begun(), 60)
    assert leading()
    await leading.aclose()


async def test_who_never_leads_begins_nothing() -> None:
    leading, begun = Leading(leads=False), []
    await leading.begin(starting(lambda: begun.append(1)))
    await leading.aclose()
    leading.take_over()
    await asyncio.sleep(0)
    assert begun == []

"""How old a page may be, and who waits for its renewal: told by the header, and by what the index was asked."""

from __future__ import annotations

import asyncio
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from inbond.gateway import pages
from sim.index import Gate, HangUp, HtmlInsteadOfJson, SerialGoesBack, SimIndex, Status
from stack import Inbond, inbond

DEMO = "/simple/demo/"
A_LITTLE = timedelta(minutes=10, seconds=30)  # past fresh_for, within stale_while_revalidate
OLD = timedelta(hours=1)
ONE_LOOK = timedelta(seconds=11)  # past the time for which a failure is not asked about again


async def freshness(proxy: Inbond, path: str = DEMO, **headers: str) -> str:
    status, _, response = await proxy.get(path, **headers)
    return response.headers["Inbond-Freshness"] if status == 200 else str(status)


async def until_asked(index: SimIndex, times: int) -> None:
    async with asyncio.timeout(20):
        while index.count("page") < times:
            await asyncio.sleep(0.01)


async def test_a_page_a_little_too_old_is_given_at_once_and_renewed_behind(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        index.add_wheel("demo", "1.0")
        assert await freshness(proxy) == "fresh"
        index.add_wheel("demo", "2.0")
        gate: Gate = index.gate(DEMO)
        proxy.clock.advance(A_LITTLE)
        # Whoever asks is answered while the index has not answered yet, and it is asked once for all of them.
        assert [await freshness(proxy) for _ in range(3)] == ["revalidating"] * 3
        await gate.reached.wait()
        assert index.count("page") == 2
        gate.open()
        async with asyncio.timeout(20):
            while await freshness(proxy) != "fresh":
                await asyncio.sleep(0.01)
        assert len((await proxy.page("demo"))["files"]) == 2


async def test_a_client_that_insists_waits_for_the_index(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        index.add_wheel("demo", "1.0")
        await proxy.page("demo")
        proxy.clock.advance(A_LITTLE)
        assert await freshness(proxy, **{"Cache-Control": "no-cache"}) == "fresh"
        assert index.count("page") == 2


async def test_with_no_such_time_whoever_comes_first_waits(tmp_path: Path) -> None:
    more = 'stale_while_revalidate = "0"\n'
    async with SimIndex() as index, inbond(tmp_path, index, more=more) as proxy:
        index.add_wheel("demo", "1.0")
        await proxy.page("demo")
        proxy.clock.advance(A_LITTLE)
        assert await freshness(proxy) == "fresh"


async def test_an_index_that_is_slow_keeps_nobody_who_could_have_an_older_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "SLOW_AFTER", 0.05)
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        index.add_wheel("demo", "1.0")
        await proxy.page("demo")
        index.add_wheel("demo", "2.0")
        proxy.clock.advance(OLD)
        gate = index.gate(DEMO)
        assert await freshness(proxy) == "stale"
        assert await freshness(proxy) == "stale"
        assert index.count("page") == 2
        gate.open()
        async with asyncio.timeout(20):
            while await freshness(proxy) != "fresh":
                await asyncio.sleep(0.01)
        assert index.count("page") == 2


async def test_a_slow_index_is_waited_for_where_there_is_no_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "SLOW_AFTER", 0.05)
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        index.add_wheel("demo", "1.0")
        gate = index.gate(DEMO)
        asking = asyncio.create_task(freshness(proxy))
        await gate.reached.wait()
        await asyncio.sleep(0.2)
        assert not asking.done()
        gate.open()
        assert await asking == "fresh"


async def test_a_store_that_is_busy_keeps_nobody_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    idle = asyncio.Event()

    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        index.add_wheel("demo", "1.0")
        await proxy.page("demo")
        documents = proxy.up.parts.base.documents
        get = documents.get

        async def later(key: str) -> bytes | None:
            await idle.wait()
            return await get(key)

        with monkeypatch.context() as patched:
            patched.setattr(pages, "SLOW_AFTER", 0.05)
            patched.setattr(documents, "get", later)
            proxy.clock.advance(OLD)
            assert await freshness(proxy) == "stale"
        idle.set()
        async with asyncio.timeout(20):
            while await freshness(proxy) != "fresh":
                await asyncio.sleep(0.01)


async def test_the_age_is_told_with_the_page(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        wheel = index.add_wheel("demo", "1.0")
        await proxy.page("demo")
        proxy.clock.advance(timedelta(minutes=5))
        _, _, response = await proxy.get(DEMO)
        assert 300 <= int(response.headers["Age"]) < 330
        path = await proxy.path_of("demo", wheel.filename)
        index.fault(DEMO, HangUp())
        proxy.clock.advance(OLD)
        # A file is as fresh as the page that it stands on, and so is its metadata.
        assert [await freshness(proxy, path), await freshness(proxy, f"{path}.metadata")] == ["stale", "stale"]
        _, _, response = await proxy.get(path)
        assert "Age" not in response.headers


async def test_a_page_that_another_process_renewed_is_seen(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as one, inbond(tmp_path, index) as other:
        index.add_wheel("demo", "1.0")
        await one.page("demo")
        assert len((await other.page("demo"))["files"]) == 1
        assert index.count("page") == 1  # the second found what the first had stored
        one.clock.advance(OLD)
        other.clock.advance(OLD)
        await one.page("demo")
        await other.page("demo")
        assert index.count("page") == 2  # and so it did when it was not changed


async def test_no_process_gives_an_older_page_than_another_gave(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as one, inbond(tmp_path, index) as other:
        index.add_wheel("demo", "1.0")
        await one.page("demo")
        await other.page("demo")
        index.add_wheel("demo", "2.0")
        one.clock.advance(OLD)
        assert len((await one.page("demo"))["files"]) == 2
        # The other's own page is fresh, by its clock; it is not given.
        assert len((await other.page("demo"))["files"]) == 2
        assert index.count("page") == 2


async def test_an_older_page_is_not_given_either_while_upstream_is_down(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as one, inbond(tmp_path, index) as other:
        index.add_wheel("demo", "1.0")
        await one.page("demo")
        await other.page("demo")
        index.add_wheel("demo", "2.0")
        one.clock.advance(OLD)
        await one.page("demo")
        await one.up.parts.base.documents.delete("page/pypi/demo")  # as if it were not stored yet
        index.fault(DEMO, Status(503))
        assert await freshness(other) == "502"
        index.heal()
        other.clock.advance(ONE_LOOK)
        assert len((await other.page("demo"))["files"]) == 2


async def test_an_older_answer_than_another_process_has_had_meanwhile_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing_yet(*_: object) -> None:
        """What the ledger said before the other process wrote to it."""

    async with SimIndex() as index, inbond(tmp_path, index) as one, inbond(tmp_path, index) as other:
        index.add_wheel("demo", "1.0")
        await one.page("demo")
        await one.up.parts.base.documents.delete("page/pypi/demo")
        monkeypatch.setattr(other.up.parts.base.ledger, "highest_serial", nothing_yet)
        index.fault(DEMO, SerialGoesBack())
        assert await freshness(other) == "502"
        assert await one.up.parts.base.documents.get("page/pypi/demo") is None


async def test_a_project_that_was_not_there_is_found_soon_by_a_client_that_insists(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        assert await freshness(proxy) == "404"
        index.add_wheel("demo", "1.0")
        proxy.clock.advance(ONE_LOOK)
        assert await freshness(proxy) == "404"
        assert await freshness(proxy, **{"Cache-Control": "no-cache"}) == "fresh"
        assert await freshness(proxy) == "fresh"


async def test_an_empty_page_of_no_version_is_not_believed_where_others_are_of_one(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        index.add_wheel("demo", "1.0")
        await proxy.page("demo")
        index.fault("/simple/*", HtmlInsteadOfJson())
        proxy.clock.advance(OLD)
        assert await freshness(proxy) == "stale"
        assert await freshness(proxy, "/simple/other/") == "502"
        assert await proxy.metric("inbond_alerts_total", name="file-vanished") == 0


async def test_a_restored_ledger_that_knows_less_learns_it_again(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        index.add_wheel("demo", "1.0")
        index.add_wheel("demo", "1.1")
        await proxy.page("demo")
        ledger = proxy.up.parts.base.ledger
        serial = await ledger.highest_serial("pypi", "demo")  # type: ignore[arg-type]
        assert serial is not None
        await ledger._run(  # as a backup of yesterday would be
            lambda connection: connection.execute("UPDATE project SET highest_serial = ?", (serial - 1,)).fetchall()
        )
        assert await freshness(proxy) == "fresh"
        assert await ledger.highest_serial("pypi", "demo") == serial  # type: ignore[arg-type]
        assert index.count("page") == 2
        await proxy.page("demo")
        assert index.count("page") == 2


async def without_its_ledger(tmp_path: Path, index: SimIndex) -> None:
    """A page is known, and then somebody takes the ledger away and leaves the cache."""
    async with inbond(tmp_path, index) as proxy:
        index.add_wheel("demo", "1.0")
        await proxy.page("demo")
    shutil.rmtree(tmp_path / "data" / "ledger")


async def test_a_stored_page_that_no_ledger_knows_is_given_where_the_index_does_not_answer(tmp_path: Path) -> None:
    async with SimIndex() as index:
        await without_its_ledger(tmp_path, index)
        index.fault(DEMO, Status(503))
        async with inbond(tmp_path, index) as proxy:
            proxy.clock.advance(OLD)
            assert await freshness(proxy) == "stale"
            assert await proxy.up.parts.base.ledger.highest_serial("pypi", "demo") is not None  # type: ignore[arg-type]


async def test_a_stored_page_that_no_ledger_knows_keeps_an_older_one_from_being_accepted(tmp_path: Path) -> None:
    async with SimIndex() as index:
        await without_its_ledger(tmp_path, index)
        index.fault(DEMO, SerialGoesBack())
        async with inbond(tmp_path, index) as proxy:
            proxy.clock.advance(OLD)
            assert await freshness(proxy) == "stale"
            assert await proxy.metric("inbond_alerts_total", name="serial-went-back") == 1


async def test_without_serials_too_what_one_process_has_had_is_what_the_others_give(tmp_path: Path) -> None:
    async with (
        SimIndex(serials=False) as index,
        inbond(tmp_path, index) as one,
        inbond(tmp_path, index) as other,
    ):
        gone = index.add_wheel("demo", "1.0")
        for proxy in (one, other):
            assert len((await proxy.page("demo"))["files"]) == 1
        assert index.count("page") == 1
        index.remove(gone)
        index.add_wheel("demo", "2.0")
        one.clock.advance(ONE_LOOK)
        assert await freshness(one, **{"Cache-Control": "no-cache"}) == "fresh"
        for proxy in (other, one, other):
            assert [file["filename"] for file in (await proxy.page("demo"))["files"]] == ["demo-2.0-py3-none-any.whl"]
        assert index.count("page") == 2  # the other found it in the cache


async def test_a_page_without_a_serial_that_another_process_has_replaced_is_not_given_for_want_of_the_newer(
    tmp_path: Path,
) -> None:
    async with (
        SimIndex(serials=False) as index,
        inbond(tmp_path, index) as one,
        inbond(tmp_path, index) as other,
    ):
        index.add_wheel("demo", "1.0")
        for proxy in (one, other):
            await proxy.page("demo")
        index.add_wheel("demo", "2.0")
        one.clock.advance(ONE_LOOK)
        await freshness(one, **{"Cache-Control": "no-cache"})
        await one.up.parts.base.documents.delete("page/pypi/demo")
        index.fault(DEMO, Status(503))
        assert await freshness(other) == "502"
        assert await freshness(one) == "fresh"
        index.heal()
        other.clock.advance(ONE_LOOK)
        assert len((await other.page("demo"))["files"]) == 2


async def test_a_project_that_is_gone_is_gone_for_all_processes(tmp_path: Path) -> None:
    async with (
        SimIndex(serials=False) as index,
        inbond(tmp_path, index) as one,
        inbond(tmp_path, index) as other,
    ):
        index.add_wheel("demo", "1.0")
        for proxy in (one, other):
            await proxy.page("demo")
        index.fault(DEMO, Status(404))
        one.clock.advance(ONE_LOOK)
        assert await freshness(one, **{"Cache-Control": "no-cache"}) == "404"
        assert await freshness(other) == "404"
        index.heal()
        for proxy in (one, other):
            proxy.clock.advance(OLD)
            assert await freshness(proxy) == "fresh"


async def test_a_restored_ledger_that_knows_an_older_page_learns_the_newer_one(tmp_path: Path) -> None:
    async with SimIndex(serials=False) as index, inbond(tmp_path, index) as proxy:
        index.add_wheel("demo", "1.0")
        await proxy.page("demo")
        ledger = proxy.up.parts.base.ledger
        before = ledger.newest_page_now("pypi", "demo")  # type: ignore[arg-type]
        await ledger._run(  # as a backup of yesterday would be
            lambda connection: connection.execute(
                "UPDATE project SET page_sha256 = zeroblob(32), page_at = 1"
            ).fetchall()
        )
        index.fault(DEMO, Status(503))
        assert await freshness(proxy) in {"fresh", "stale"}
        index.heal()
        proxy.clock.advance(ONE_LOOK)
        assert await freshness(proxy) == "fresh"
        after = ledger.newest_page_now("pypi", "demo")  # type: ignore[arg-type]
        assert before is not None
        assert after is not None
        assert before.sha256 == after.sha256

"""A release that comes another way than those before it, through the whole of inbond: real signatures, first asker."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from inbond.cli.config import LEDGER_FILE
from inbond.gateway import settling
from inbond.model.decisions import Pin
from inbond.model.events import unobserved
from inbond.model.names import ProjectName
from inbond.model.occurrence import OccurrenceKind
from inbond.model.publisher import PublisherPattern
from inbond.store.ledger import Ledger, open_ledger
from sim.attested import attested_files
from sim.index import SimFile, SimIndex, Slow, Status
from sim.sigstore import GitHub
from stack import Inbond, SetClock, inbond, sigstore

# Nothing is held for its age alone.
CONFIG = '[policies.default]\nmin_age = "0"\n'
LONG_AGO = datetime(2025, 7, 1, tzinfo=UTC)
ANEW = GitHub(repository_id="6666", owner_id="6667")
FROM_BRANCH = GitHub(workflow="ci-test.yml", ref="refs/heads/main")
AGES_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def past(index: SimIndex, count: int = 5) -> list[SimFile]:
    times = [LONG_AGO + timedelta(days=30 * number) for number in range(count)]
    return attested_files(index, sigstore(), "demo", [f"1.{number}" for number in range(count)], uploaded=times)


def released(index: SimIndex, version: str, by: GitHub | None, *, age: timedelta = timedelta(hours=1)) -> SimFile:
    uploaded = datetime.now(UTC) - age
    if by is None:
        return index.add_wheel("demo", version, upload_time=uploaded)
    return attested_files(index, sigstore(), "demo", [version], by, uploaded=uploaded)[0]


def ledger_of(data: Path) -> Ledger:
    return open_ledger(data / "data" / "ledger" / LEDGER_FILE, observer=unobserved)


async def marked(proxy: Inbond) -> dict[str, str]:
    return {file["filename"]: file["yanked"] for file in (await proxy.page("demo"))["files"] if file.get("yanked")}


def asked(index: SimIndex) -> list[str]:
    return sorted(seen.path for seen in index.seen("provenance"))


@pytest.mark.parametrize(
    ("by", "decision", "finding", "said"),
    [
        (
            None, "hold", "continuity/lost",
            "not attested, unlike 5 of the 5 releases before it",
        ),
        (FROM_BRANCH, "hold", "continuity/changed", "workflow is now ci-test.yml, was release.yml"),
        (
            ANEW, "deny", "continuity/recreated",
            "github:acme/widgets was deleted and made anew: its id is 6666, was 1001",
        ),
    ],
    ids=["stolen token", "malicious commit", "made anew"],
)  # fmt: skip
async def test_the_first_person_to_ask_meets_it_marked_and_gets_the_release_before(
    by: GitHub | None, decision: str, finding: str, said: str, tmp_path: Path
) -> None:
    async with SimIndex() as index:
        old = past(index, 7)
        bad = released(index, "1.7", by)
        async with inbond(tmp_path, index, more=CONFIG) as proxy:
            found = await marked(proxy)
            assert list(found) == [bad.filename]
            assert said in found[bad.filename]
            # its own where it has one, and those of the five releases before; nothing of what is older
            own = [bad] if by is not None else []
            assert asked(index) == sorted(file.provenance_path for file in (*own, *old[2:]))
            status, _, answer = await proxy.get(bad.path)
            assert (status, said[:40] in (answer.reason or "")) == (403, True)
            assert (await proxy.get(f"{bad.path}.metadata"))[0] == 403
            assert (await proxy.get(old[6].path))[0] == 200
            verdict = await proxy.verdict("demo", bad.filename)
            assert (verdict["decision"], verdict["findings"][0]["message"]) == (decision, said)
    ledger = ledger_of(tmp_path)
    try:
        kinds = {one.detail.get("finding"): one.kind for one in await ledger.occurrences(since=AGES_AGO)}
    finally:
        await ledger.aclose()
    assert kinds[finding] in (
        OccurrenceKind.ATTESTATION_LOST, OccurrenceKind.PUBLISHER_CHANGED, OccurrenceKind.REPOSITORY_RECREATED,
    )  # fmt: skip


async def test_a_release_that_comes_as_always_is_let_through(tmp_path: Path) -> None:
    async with SimIndex() as index:
        past(index)
        good = released(index, "1.5", GitHub(ref="refs/tags/v1.5", environment="pypi", trigger="push"))
        async with inbond(tmp_path, index, more=CONFIG) as proxy:
            assert await marked(proxy) == {}
            assert (await proxy.get(good.path))[0] == 200


async def test_a_hold_ends_by_itself_and_what_is_made_anew_stays_denied(tmp_path: Path) -> None:
    clock = SetClock()
    async with SimIndex() as index:
        past(index)
        changed, anew = released(index, "1.5", FROM_BRANCH), released(index, "1.6", ANEW)
        async with inbond(tmp_path, index, more=CONFIG, clock=clock) as proxy:
            assert set(await marked(proxy)) == {changed.filename, anew.filename}
            clock.advance(timedelta(days=8))
            assert set(await marked(proxy)) == {anew.filename}
            assert (await proxy.get(changed.path))[0] == 200
            assert (await proxy.get(anew.path))[0] == 403


async def test_memory_tells_a_repository_made_anew_when_all_that_came_before_is_gone(tmp_path: Path) -> None:
    clock = SetClock()
    async with SimIndex() as index:
        old = past(index)
        released(index, "1.5", GitHub())
        async with inbond(tmp_path, index, more=CONFIG, clock=clock) as proxy:
            assert await marked(proxy) == {}
            for file in old:
                index.remove(file)
            anew = released(index, "1.6", ANEW, age=-timedelta(hours=1))
            clock.advance(timedelta(hours=2))
            assert set(await marked(proxy)) == {anew.filename}
        # so does the next process, also when the file is older than any hold
        clock.advance(timedelta(days=30))
        async with inbond(tmp_path, index, more=CONFIG, clock=clock) as proxy:
            assert (await proxy.get(anew.path))[0] == 403


async def test_what_is_made_anew_in_an_old_line_stays_denied_although_only_the_finding_knew_its_repository(
    tmp_path: Path,
) -> None:
    clock = SetClock()
    old_home, squatter = GitHub(owner="oldhome"), GitHub(owner="oldhome", repository_id="6666", owner_id="6667")
    times = [LONG_AGO + timedelta(days=number) for number in range(10)]
    async with SimIndex() as index:
        old = [f"1.{number}" for number in range(5)]
        attested_files(index, sigstore(), "demo", old, old_home, uploaded=times[:5])
        attested_files(index, sigstore(), "demo", [f"2.{number}" for number in range(5)], uploaded=times[5:])
        anew = released(index, "1.5", squatter)
        async with inbond(tmp_path, index, more=CONFIG, clock=clock) as proxy:
            assert set(await marked(proxy)) == {anew.filename}
            clock.advance(timedelta(days=8))
            assert set(await marked(proxy)) == {anew.filename}
            assert (await proxy.get(anew.path))[0] == 403
        clock.advance(timedelta(days=300))
        async with inbond(tmp_path, index, more=CONFIG, clock=clock) as proxy:
            assert (await proxy.get(anew.path))[0] == 403
            assert set(await marked(proxy)) == {anew.filename}


async def test_an_sdist_waits_for_the_wheel_that_speaks_for_it(tmp_path: Path) -> None:
    async with SimIndex() as index:
        old = past(index)
        for number in range(5):
            index.add_sdist("demo", f"1.{number}", upload_time=LONG_AGO + timedelta(days=30 * number))
        alone = index.add_sdist("demo", "1.5", upload_time=datetime.now(UTC) - timedelta(hours=2))
        beside = index.add_sdist("demo", "1.6", upload_time=datetime.now(UTC) - timedelta(hours=2))
        wheel = released(index, "1.6", GitHub())
        async with inbond(tmp_path, index, more=CONFIG) as proxy:
            assert list(await marked(proxy)) == [alone.filename]
            assert asked(index) == sorted(file.provenance_path for file in (*old, wheel))
            assert (await proxy.get(alone.path))[0] == 403
            assert (await proxy.get(beside.path))[0] == 200


async def test_a_pin_accepts_a_repository_made_anew_at_the_next_request(tmp_path: Path) -> None:
    async with SimIndex() as index:
        past(index)
        anew = released(index, "1.5", ANEW)
        async with inbond(tmp_path, index, more=CONFIG) as proxy:
            status, body, _ = await proxy.get(anew.path)
            assert status == 403
            assert b"inbond pins accept demo github:acme/widgets@release.yml --repository-id 6666" in body
            ledger = ledger_of(tmp_path)
            pin = Pin(
                project=ProjectName("demo"),
                publisher=PublisherPattern.parse("github:acme/widgets@release.yml"),
                repository_id="6666",
                reason="asked them",
                by="ops",
            )
            await ledger.decide(pin, now=datetime.now(UTC))
            await ledger.aclose()
            assert (await proxy.get(anew.path))[0] == 200
            assert await marked(proxy) == {}


async def test_history_that_cannot_be_had_is_a_hold_until_it_can(tmp_path: Path) -> None:
    clock = SetClock()
    async with SimIndex() as index:
        old = past(index)
        new = released(index, "1.5", GitHub())
        index.fault(old[3].provenance_path, Status(500))
        async with inbond(tmp_path, index, more=CONFIG, clock=clock) as proxy:
            found = await marked(proxy)
            assert set(found) == {new.filename, old[3].filename}
            assert "the provenance of 1.3, which it is compared with, is unavailable" in found[new.filename]
            assert (await proxy.get(new.path))[0] == 403
            assert (await proxy.get(old[4].path))[0] == 200
            index.heal()
            clock.advance(timedelta(seconds=90))
            assert (await proxy.get(new.path))[0] == 200
            assert await marked(proxy) == {}


async def test_history_that_is_slow_holds_and_is_finished_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "PAGE_WAITS", 0.3)
    async with SimIndex() as index:
        old = past(index)
        new, bad = released(index, "1.5", GitHub()), released(index, "1.6", FROM_BRANCH)
        for file in old:
            index.fault(file.provenance_path, Slow(delay=0.8))
        async with inbond(tmp_path, index, more=CONFIG) as proxy:
            found = await marked(proxy)
            assert set(found) == {new.filename, bad.filename}
            assert all("its history is still being verified" in reason for reason in found.values())
            async with asyncio.timeout(60):
                while set(await marked(proxy)) != {bad.filename}:
                    await asyncio.sleep(0.05)
            assert "workflow is now ci-test.yml" in (await marked(proxy))[bad.filename]
            assert asked(index) == sorted(file.provenance_path for file in (*old, new, bad))  # each once


async def test_lazy_pages_wait_for_no_history_and_the_file_does(tmp_path: Path) -> None:
    async with SimIndex() as index:
        old = past(index)
        bad = released(index, "1.5", FROM_BRANCH)
        async with inbond(tmp_path, index, more=f'{CONFIG}listing = "lazy"\n') as proxy:
            assert await marked(proxy) == {}
            assert asked(index) == []
            assert (await proxy.get(bad.path))[0] == 403
            assert asked(index) == sorted(file.provenance_path for file in (*old, bad))
            assert set(await marked(proxy)) == {bad.filename}


async def test_a_file_that_was_signed_late_is_compared_although_its_index_dates_it_back(tmp_path: Path) -> None:
    signed = datetime.now(UTC) - timedelta(days=1)
    clock = SetClock()
    async with SimIndex() as index:
        past(index)
        dated = LONG_AGO + timedelta(days=200)
        (bad,) = attested_files(index, sigstore(), "demo", ["1.5"], FROM_BRANCH, uploaded=dated, signed=signed)
        async with inbond(tmp_path, index, more=f'{CONFIG}listing = "verified"\n', clock=clock) as proxy:
            assert "workflow is now" in (await marked(proxy))[bad.filename]
        async with inbond(tmp_path, index, more=CONFIG, clock=clock) as proxy:
            assert (await proxy.get(bad.path))[0] == 403


@pytest.mark.parametrize("action", ["deny", "warn"])
async def test_what_holds_nothing_looks_at_old_files_when_they_are_asked_for(action: str, tmp_path: Path) -> None:
    async with SimIndex() as index:
        old = past(index)
        bad = released(index, "1.5", FROM_BRANCH, age=timedelta(days=60))
        async with inbond(tmp_path, index, more=f'{CONFIG}continuity = "{action}"\n') as proxy:
            assert await marked(proxy) == {}
            assert asked(index) == []
            assert (await proxy.get(bad.path))[0] == (403 if action == "deny" else 200)
            assert asked(index) == sorted(file.provenance_path for file in (*old, bad))
            verdict = await proxy.verdict("demo", bad.filename)
            assert (verdict["findings"][0]["rule"], verdict["findings"][0]["outcome"]) == ("continuity", action)


async def test_what_is_only_recorded_is_told_and_stops_nobody(tmp_path: Path) -> None:
    async with SimIndex() as index:
        past(index)
        bad = released(index, "1.5", None)
        async with inbond(tmp_path, index, more=f'{CONFIG}audit = ["continuity"]\n') as proxy:
            assert await marked(proxy) == {}
            assert (await proxy.get(bad.path))[0] == 200
            verdict = await proxy.verdict("demo", bad.filename)
            assert (verdict["decision"], verdict["would"]) == ("allow", "hold")
    ledger = ledger_of(tmp_path)
    try:
        happened = await ledger.occurrences(since=AGES_AGO)
    finally:
        await ledger.aclose()
    lost = [one for one in happened if one.kind is OccurrenceKind.ATTESTATION_LOST]
    assert [(one.filename, one.detail["counts"]) for one in lost] == [(bad.filename, "no")]

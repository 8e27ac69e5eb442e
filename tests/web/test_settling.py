"""What a page waits for, what goes on behind it, for whom upstream is asked, and what a restart takes up again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from inbond.gateway import evidence_retries, settling
from inbond.model.evidence import Rejected, Unsupported, Verified
from inbond.model.names import Filename
from sim.attested import attested_files
from sim.index import Mute, SimFile, SimIndex, Slow, Status
from sim.sigstore import Sigstore
from stack import Inbond, LocalVerifier, SetClock, inbond, sigstore

JUNK = b"not json"
LONG_AGO = datetime(2025, 7, 1, tzinfo=UTC)
# Young is what a day has not passed over since, and nothing is held for its age alone.
SETTLED = '[policies.default]\nmin_age = "0"\nunsupported = "hold 1d"\n'
VERIFIED = f'{SETTLED}listing = "verified"\n'
LAZY = f'{SETTLED}listing = "lazy"\n'
OTHER_INDEX = """
[policies.other]
min_age = "3h"
listing = "verified"
[indexes.other]
policy = "other"
upstreams = ["pypi"]
"""
ROOT_INDEX = '[indexes.root]\npolicy = "default"\nupstreams = ["pypi"]\n'


def young() -> datetime:
    return datetime.now(UTC) - timedelta(hours=2)


def old_files(index: SimIndex, project: str, count: int) -> list[SimFile]:
    times = [LONG_AGO + timedelta(hours=number) for number in range(count)]
    return attested_files(index, sigstore(), project, [f"1.{number}" for number in range(count)], uploaded=times)


def young_files(index: SimIndex, project: str, count: int) -> list[SimFile]:
    return attested_files(index, sigstore(), project, [f"2.{number}" for number in range(count)], uploaded=young())


def asked(index: SimIndex) -> list[str]:
    return [seen.path for seen in index.seen("provenance")]


async def held(proxy: Inbond, project: str) -> set[str]:
    return {file["filename"] for file in (await proxy.page(project))["files"] if file.get("yanked")}


async def until(done: Callable[[], bool], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not done():
            await asyncio.sleep(0.02)


async def settled(proxy: Inbond, how: str, state: str = "verified") -> float:
    return await proxy.metric("inbond_settled_files_total", how=how, state=state)


async def in_queue(proxy: Inbond, state: str) -> float:
    return await proxy.metric("inbond_settling_files", upstream="pypi", state=state)


# --- who is asked, and for what


async def test_settled_asks_for_what_is_young_and_for_nothing_else(tmp_path: Path) -> None:
    async with SimIndex() as index:
        old = old_files(index, "demo", 30)
        new = young_files(index, "demo", 5)
        async with inbond(tmp_path, index, more=SETTLED) as proxy:
            assert await held(proxy, "demo") == set()
            assert sorted(asked(index)) == sorted(file.provenance_path for file in new)
            assert await settled(proxy, "before-page") == 5
            assert await proxy.metric("inbond_page_settling_seconds_count") == 1
            await proxy.get(old[3].path)
            await asyncio.sleep(0.3)
            assert asked(index)[5:] == [old[3].provenance_path]
            assert await settled(proxy, "for-file") == 1


async def test_lazy_asks_for_files_that_are_asked_for(tmp_path: Path) -> None:
    async with SimIndex() as index:
        old_files(index, "demo", 3)
        new = young_files(index, "demo", 3)
        async with inbond(tmp_path, index, more=LAZY) as proxy:
            assert await held(proxy, "demo") == set()
            assert (await proxy.get(new[0].path))[0] == 200
            await asyncio.sleep(0.3)
            assert asked(index) == [new[0].provenance_path]


async def test_verified_has_all_of_a_page_checked_newest_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "PAGE_WAITS", 1.5)
    async with SimIndex() as index:
        old = old_files(index, "demo", 100)
        new = young_files(index, "demo", 4)
        index.fault("/integrity/*", Slow(delay=0.4))
        async with inbond(tmp_path, index, more=VERIFIED) as proxy:
            first = await held(proxy, "demo")
            assert {file.filename for file in old[:40]} <= first  # the oldest, which come last
            assert not {file.filename for file in new} & first
            await until(lambda: len(asked(index)) == 104)
            async with asyncio.timeout(30):
                while await held(proxy, "demo"):
                    await asyncio.sleep(0.05)
            # so many are asked for at once that their order may differ by that
            assert {file.provenance_path for file in new} <= set(asked(index)[:24])
            newest_first = [file.provenance_path for file in (*new, *reversed(old))]
            assert all(abs(newest_first.index(path) - at) < 24 for at, path in enumerate(asked(index)))
            assert len(asked(index)) == 104
            assert await settled(proxy, "behind") == 100


async def test_two_hundred_clients_and_two_policies_cost_each_provenance_once(tmp_path: Path) -> None:
    async with SimIndex() as index:
        new = young_files(index, "demo", 20)
        index.fault("/integrity/*", Slow(delay=0.1))
        async with inbond(tmp_path, index, more=SETTLED + ROOT_INDEX + OTHER_INDEX) as proxy:
            pages = [proxy.page("demo", "/other" if number % 2 else "") for number in range(200)]
            for page in await asyncio.gather(*pages):
                assert all("still being verified" not in str(file.get("yanked")) for file in page["files"])
            assert index.count("page") == 1
            assert sorted(asked(index)) == sorted(file.provenance_path for file in new)
            assert await proxy.metric("inbond_page_settling_seconds_count") == 2  # once for each policy


# --- what hangs


async def test_projects_that_hang_delay_nobody_elses_young_files_nor_a_files_own_evidence(tmp_path: Path) -> None:
    hanging = [f"big{number}" for number in range(4)]
    async with SimIndex() as index:
        for project in hanging:
            old_files(index, project, 40)
        forged = index.add_wheel("small", "1.0", provenance=JUNK, upload_time=young())
        (third,) = old_files(index, "third", 1)
        index.fault("/integrity/big*", Mute())
        async with inbond(tmp_path, index, more=VERIFIED) as proxy:
            pages = await asyncio.gather(*(held(proxy, project) for project in hanging))
            assert [len(page) for page in pages] == [40] * 4
            assert await in_queue(proxy, "under-way") == 23
            assert await in_queue(proxy, "waiting") == 160 - 23
            started = time.monotonic()
            assert await held(proxy, "small") == {forged.filename}
            assert (await proxy.get(third.path))[0] == 200
            assert time.monotonic() - started < 1.5
            assert "rejected" in str(await proxy.verdict("small", forged.filename))


async def test_a_file_that_is_asked_for_overtakes_the_page_it_waits_on(tmp_path: Path) -> None:
    async with SimIndex() as index:
        old = old_files(index, "demo", 60)
        for file in old[10:]:
            index.fault(file.provenance_path, Mute())
        async with inbond(tmp_path, index, more=VERIFIED) as proxy:
            assert len(await held(proxy, "demo")) == 60
            assert (await proxy.get(old[0].path))[0] == 200  # the last of those that wait


async def test_young_files_with_slow_provenance_are_held_and_seen_settled_by_who_asks_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "PAGE_WAITS", 0.2)
    async with SimIndex() as index:
        (old,) = old_files(index, "demo", 1)
        (new,) = young_files(index, "demo", 1)
        index.fault("/integrity/*", Slow(delay=1.0))
        async with inbond(tmp_path, index, more=SETTLED) as proxy:
            assert await held(proxy, "demo") == {new.filename}
            await until(lambda: proxy.up.metrics.registry.get_sample_value(
                "inbond_settled_files_total", {"how": "before-page", "state": "verified"}
            ) == 1)  # fmt: skip
            assert await held(proxy, "demo") == set()
            assert asked(index) == [new.provenance_path]
            assert (await proxy.get(old.path))[0] == 200


async def test_ending_amid_the_work_leaves_nothing_behind(tmp_path: Path) -> None:
    async with SimIndex() as index:
        old_files(index, "demo", 200)
        index.fault("/integrity/*", Mute())
        async with inbond(tmp_path, index, more=VERIFIED) as proxy:
            page = asyncio.create_task(proxy.get("/simple/demo/"))
            await until(lambda: len(asked(index)) >= 12)
            page.cancel()
        started = len(asked(index))
        await asyncio.sleep(0.2)
        assert len(asked(index)) == started


async def test_a_hold_for_what_could_not_be_had_ends_without_anybody_asking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence_retries, "RETRY_EVERY", 0.2)
    async with SimIndex() as index:
        (file,) = old_files(index, "demo", 1)
        index.fault(file.provenance_path, Status(500), times=6)
        async with inbond(tmp_path, index, more=SETTLED) as proxy:
            assert (await proxy.get(file.path))[0] == 403
            async with asyncio.timeout(20):
                while await settled(proxy, "behind") < 1:
                    await asyncio.sleep(0.05)
            asked_for = len(asked(index))
            assert (await proxy.get(file.path))[0] == 200
            await asyncio.sleep(0.5)
            assert len(asked(index)) == asked_for == 7  # three tries each, the third time the first


# --- restarts


async def test_what_was_unfinished_is_taken_up_after_a_restart_without_being_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "PAGE_WAITS", 0.2)
    async with SimIndex() as index:
        files = old_files(index, "demo", 30)
        index.fault("/integrity/*", Mute())
        async with inbond(tmp_path, index, more=VERIFIED) as proxy:
            assert len(await held(proxy, "demo")) == 30
        index.heal()
        index.forget_requests()
        async with inbond(tmp_path, index, more=VERIFIED) as proxy:
            await until(lambda: len(asked(index)) == 30)
            assert sorted(asked(index)) == sorted(file.provenance_path for file in files)
            async with asyncio.timeout(10):
                while await settled(proxy, "behind") < 30:
                    await asyncio.sleep(0.02)
            assert await held(proxy, "demo") == set()
        async with inbond(tmp_path, index, more=VERIFIED):
            await asyncio.sleep(0.2)
            assert len(asked(index)) == 30


@pytest.mark.parametrize(("index_name", "policy"), [("", LAZY), ("", SETTLED), ("/other", VERIFIED)])
async def test_what_nobody_wants_any_more_is_not_taken_up(
    index_name: str, policy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The policy asks for less now, or the index is no longer there."""
    monkeypatch.setattr(settling, "PAGE_WAITS", 0.2)
    async with SimIndex() as index:
        old_files(index, "demo", 3)
        index.fault("/integrity/*", Mute())
        async with inbond(tmp_path, index, more=VERIFIED + ROOT_INDEX + OTHER_INDEX) as proxy:
            await proxy.page("demo", index_name)
        index.forget_requests()
        async with inbond(tmp_path, index, more=policy):
            await asyncio.sleep(0.5)
            assert asked(index) == []


async def test_an_upstream_that_is_down_at_the_start_leaves_the_work_to_who_asks_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "PAGE_WAITS", 0.2)
    policy = f'max_stale = "1h"\n{VERIFIED}'
    clock = SetClock()
    async with SimIndex() as index:
        old_files(index, "demo", 3)
        index.fault("/integrity/*", Mute())
        async with inbond(tmp_path, index, more=policy, clock=clock) as proxy:
            await held(proxy, "demo")
        clock.advance(timedelta(hours=2))
        index.heal()
        index.fault("/simple/*", Status(500), times=3)
        index.forget_requests()
        async with inbond(tmp_path, index, more=policy, clock=clock) as proxy:
            await until(lambda: index.count("page") == 3)
            await asyncio.sleep(0.2)
            assert asked(index) == []
            monkeypatch.setattr(settling, "PAGE_WAITS", 10)
            clock.advance(timedelta(minutes=1))
            assert await held(proxy, "demo") == set()


async def test_stale_work_and_pages_that_cannot_be_had_are_not_taken_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "PAGE_WAITS", 0.2)
    clock = SetClock()
    async with SimIndex() as index:
        old_files(index, "demo", 3)
        old_files(index, "gone", 3)
        index.fault("/integrity/*", Mute())
        async with inbond(tmp_path, index, more=VERIFIED, clock=clock) as proxy:
            await held(proxy, "demo")
            clock.advance(timedelta(hours=23))
            await held(proxy, "gone")
        clock.advance(timedelta(hours=2))
        index.remove("gone")
        index.forget_requests()
        async with inbond(tmp_path, index, more=VERIFIED, clock=clock):
            await until(lambda: index.count("page") > 0)
            await asyncio.sleep(0.3)
            assert asked(index) == []
            assert {seen.path for seen in index.seen("page")} == {"/simple/gone/"}


# --- another trust


class SwappingVerifier(LocalVerifier):
    """Trusts another root once a file has been judged, before anybody has heard how."""

    def __init__(self, roots: Sequence[bytes]) -> None:
        super().__init__()
        self.roots = list(roots)

    async def verify(
        self, provenance: bytes, *, upstream: str, filename: Filename, sha256: str, now: datetime
    ) -> Verified | Rejected | Unsupported:
        found = await super().verify(provenance, upstream=upstream, filename=filename, sha256=sha256, now=now)
        if self.roots:
            self.trust(self.roots.pop(0))
        return found


async def test_evidence_made_while_trust_changes_is_kept_under_the_trust_that_made_it(tmp_path: Path) -> None:
    other = Sigstore("other.example")
    async with SimIndex() as index:
        (file,) = old_files(index, "demo", 1)
        verifier = SwappingVerifier([other.trusted_root()])
        async with inbond(tmp_path, index, verifier=verifier) as proxy:
            verdict = await proxy.verdict("demo", file.filename)
            assert (verdict["evidence"]["state"], verdict["decision"]) == ("unsupported", "deny")
            assert verdict["evidence"]["trusted_root_sha256"] == verifier.trust_of("pypi")
            assert verifier.calls == 2
        for root, state in ((sigstore().trusted_root(), "verified"), (other.trusted_root(), "unsupported")):
            again = LocalVerifier(root=root)
            async with inbond(tmp_path, index, verifier=again) as proxy:
                verdict = await proxy.verdict("demo", file.filename)
                assert verdict["evidence"]["state"] == state
                assert verdict["evidence"]["trusted_root_sha256"] == again.trust_of("pypi")
                assert again.calls == 0  # what is kept under each was made under it
        assert len(asked(index)) == 1


async def test_trust_that_changes_all_the_time_verifies_nothing_in_its_name(tmp_path: Path) -> None:
    roots = [Sigstore(f"s{number}.example").trusted_root() for number in range(3)]
    async with SimIndex() as index:
        (file,) = old_files(index, "demo", 1)
        verifier = SwappingVerifier(roots)
        async with inbond(tmp_path, index, verifier=verifier) as proxy:
            verdict = await proxy.verdict("demo", file.filename)
            assert (verdict["evidence"]["state"], verdict["decision"]) == ("unavailable", "hold")
            assert verifier.calls == 3
            assert (await proxy.verdict("demo", file.filename))["evidence"]["state"] == "unsupported"


async def test_another_root_judges_a_settled_page_anew_from_what_is_kept(tmp_path: Path) -> None:
    """Young files, and what was judged before; upstream is asked for nothing."""
    other = Sigstore("other.example")
    async with SimIndex() as index:
        old = old_files(index, "demo", 20)
        new = young_files(index, "demo", 2)
        verifier = LocalVerifier()
        async with inbond(tmp_path, index, more=SETTLED, verifier=verifier) as proxy:
            assert await held(proxy, "demo") == set()
            assert (await proxy.get(old[7].path))[0] == 200
            before = len(index.requests)
            verifier.trust(other.trusted_root())
            assert await held(proxy, "demo") == {old[7].filename, *(file.filename for file in new)}
            verifier.trust(sigstore().trusted_root())
            assert await held(proxy, "demo") == set()
            assert verifier.calls == 6
            assert len(index.requests) == before


async def test_another_root_has_a_verified_page_checked_again_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with SimIndex() as index:
        old_files(index, "demo", 40)
        verifier = LocalVerifier()
        async with inbond(tmp_path, index, more=VERIFIED, verifier=verifier) as proxy:
            assert await held(proxy, "demo") == set()
            before = len(index.requests)
            monkeypatch.setattr(settling, "PAGE_WAITS", 0.05)
            verifier.before = lambda: asyncio.sleep(0.02)
            verifier.trust(Sigstore("other.example").trusted_root(sigstore()))
            first = await held(proxy, "demo")
            assert "demo-1.0-py3-none-any.whl" in first
            assert len(first) > 20
            async with asyncio.timeout(10):
                while await held(proxy, "demo"):
                    await asyncio.sleep(0.02)
            assert verifier.calls == 80
            assert len(index.requests) == before

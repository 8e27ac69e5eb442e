"""What a page waits for, what goes on behind it, for whom upstream is asked, and what a restart takes up again."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from inbond.gateway import (
    bare_provenance,
    evidence_retries,
    judging,
    known_evidence,
    page_service,
    settling,
    settling_queue,
)
from inbond.gateway.settling_queue import Lane
from inbond.model.evidence import Rejected, Unsupported, Verified
from inbond.model.names import Filename
from sim.attested import attested_files
from sim.index import Mute, NotJson, SimFile, SimIndex, Slow, Status
from sim.sigstore import Sigstore
from stack import Inbond, LocalVerifier, SetClock, inbond, sigstore

JUNK = b"not json"
LONG_AGO = datetime(2025, 7, 1, tzinfo=UTC)
# Nothing is held for its age alone; young is what a week has not passed over since. What history adds to what is asked
# for is in test_continuity.py.
SETTLED = '[policies.default]\nmin_age = "0"\ncontinuity = "off"\n'
VERIFIED = f'{SETTLED}listing = "verified"\n'
LAZY = f'{SETTLED}listing = "lazy"\n'
OTHER_INDEX = """
[policies.other]
min_age = "3h"
continuity = "off"
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


async def gave_up(waiting: Sequence[asyncio.Task[object]]) -> None:
    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


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
        async with inbond(tmp_path, index, more=LAZY, ahead=False) as proxy:  # which asks for the newest release
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


async def test_files_of_one_project_that_hang_delay_no_other_file(tmp_path: Path) -> None:
    async with SimIndex() as index:
        hanging = old_files(index, "hang", 40)
        (file,) = old_files(index, "demo", 1)
        index.fault("/integrity/hang/*", Mute())
        async with inbond(tmp_path, index, more=LAZY) as proxy:
            waiting = [asyncio.create_task(proxy.get(one.path)) for one in hanging]
            await until(lambda: index.count("provenance") >= 16)
            started = time.monotonic()
            assert (await proxy.get(file.path))[0] == 200
            assert time.monotonic() - started < 1.5
            assert await in_queue(proxy, "under-way") == 16
            await gave_up(waiting)


async def test_bare_provenance_that_hangs_takes_few_places_and_delays_nobody_else(tmp_path: Path) -> None:
    async with SimIndex() as index:
        hanging = old_files(index, "hang", 40)
        (old,) = old_files(index, "demo", 1)
        (other,) = old_files(index, "other", 1)
        (new,) = young_files(index, "new", 1)
        index.fault("/integrity/hang/*", Mute())
        async with inbond(tmp_path, index, more=SETTLED, ahead=False) as proxy:  # whose questions count as under way
            await held(proxy, "hang")
            waiting = [asyncio.create_task(proxy.get(one.provenance_path)) for one in (*hanging, *hanging)]
            await until(lambda: index.count("provenance") >= 2)
            started = time.monotonic()
            assert await held(proxy, "new") == set()
            assert (await proxy.get(old.path))[0] == 200
            assert (await proxy.get(other.provenance_path))[1] == other.provenance
            assert (await proxy.get(new.provenance_path))[1] == new.provenance
            assert time.monotonic() - started < 1.5
            assert await in_queue(proxy, "under-way") == 2
            await gave_up(waiting)


async def test_bare_provenance_is_not_waited_for_for_ever_and_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bare_provenance, "ANSWER_BARE_WITHIN", 0.5)
    async with SimIndex() as index:
        hanging = old_files(index, "hang", 6)
        index.fault("/integrity/hang/*", Slow(delay=1.0))
        async with inbond(tmp_path, index, more=SETTLED) as proxy:
            answers = await asyncio.gather(*(proxy.get(one.provenance_path) for one in hanging))
            assert {status for status, _, _ in answers} == {503}
            assert all(b"try again in a few seconds" in body.lower() for _, body, _ in answers)
            async with asyncio.timeout(60):
                while await in_queue(proxy, "under-way") + await in_queue(proxy, "waiting") > 0:
                    await asyncio.sleep(0.02)
            assert len(asked(index)) == 2  # what nobody waited for any more when its turn came was not begun
            index.heal()
            for one in hanging:
                assert (await proxy.get(one.provenance_path))[1] == one.provenance
            assert len(asked(index)) == 6


async def test_bare_provenance_that_cannot_be_had_says_why_and_none_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with SimIndex() as index:
        (file,) = old_files(index, "demo", 1)
        silent = index.add_wheel("silent", "1.0", claim="silent", upload_time=LONG_AGO)
        index.fault(file.provenance_path, Status(403))
        async with inbond(tmp_path, index, more=LAZY) as proxy:
            assert (await proxy.get(file.provenance_path))[0] == 502
            for _ in range(2):
                assert (await proxy.get(silent.provenance_path))[0] == 404
            assert len(asked(index)) == 2
            index.heal()
            monkeypatch.setattr(settling_queue, "MAX_WAITING", dict.fromkeys(Lane, 0))
            status, body, _ = await proxy.get(file.provenance_path)
            assert (status, b"too many files wait" in body) == (503, True)


async def test_young_files_with_slow_provenance_are_held_and_seen_settled_by_who_asks_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "PAGE_WAITS", 0.2)
    async with SimIndex() as index:
        (old,) = old_files(index, "demo", 1)
        (new,) = young_files(index, "demo", 1)
        index.fault("/integrity/*", Slow(delay=1.0))
        # Without what is asked ahead, which is the same file once it is allowed, or the old one until then.
        async with inbond(tmp_path, index, more=SETTLED, ahead=False) as proxy:
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
            async with asyncio.timeout(60):
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
        # Without what is asked ahead: it would be counted, and has the newest old file judged where the young are held.
        async with inbond(tmp_path, index, more=SETTLED, verifier=verifier, ahead=False) as proxy:
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
        async with inbond(tmp_path, index, more=VERIFIED, verifier=verifier, ahead=False) as proxy:  # counted
            assert await held(proxy, "demo") == set()
            before = len(index.requests)
            monkeypatch.setattr(settling, "PAGE_WAITS", 0.05)
            verifier.before = lambda: asyncio.sleep(0.02)
            verifier.trust(Sigstore("other.example").trusted_root(sigstore()))
            first = await held(proxy, "demo")
            assert "demo-1.0-py3-none-any.whl" in first
            assert len(first) > 20
            async with asyncio.timeout(60):
                while await held(proxy, "demo"):
                    await asyncio.sleep(0.02)
            assert verifier.calls == 80
            assert len(index.requests) == before


@pytest.mark.parametrize("seconds", [0.0, 0.5])
async def test_trust_that_changes_while_a_page_settles_lets_no_young_file_pass_unchecked(
    seconds: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither where all can be judged again in time nor where it cannot, and nobody has to ask for the rest."""
    monkeypatch.setattr(settling, "PAGE_WAITS", 0.3 if seconds else 2.0)
    roots = [Sigstore("new.example").trusted_root()]
    verifier, clock = LocalVerifier(), SetClock()

    async def swap() -> None:
        if roots:
            verifier.trust(roots.pop())
        await asyncio.sleep(seconds)

    async with SimIndex() as index:
        names = {file.filename for file in young_files(index, "demo", 2)}
        async with inbond(tmp_path, index, more=SETTLED, verifier=verifier, clock=clock) as proxy:
            async with asyncio.timeout(60):
                while await held(proxy, "demo"):
                    await asyncio.sleep(0.05)
            (late,) = attested_files(index, sigstore(), "demo", ["2.2"], uploaded=young())
            clock.advance(timedelta(hours=1))
            verifier.before = swap
            assert await held(proxy, "demo") == {*names, late.filename}
            for name in (late.filename, *names):
                await until_shown(proxy, "demo", name, "trusted root")


async def until_shown(proxy: Inbond, project: str, filename: str, what: str) -> None:
    """Asks for the page until it says so of the file, which never stands there unmarked meanwhile."""
    async with asyncio.timeout(60):
        while what not in (shown := (await proxy.listed(project, filename))["yanked"]):
            assert shown, "it stands there unmarked"
            await asyncio.sleep(0.05)


async def test_what_was_denied_under_the_old_trust_is_held_until_it_is_judged_under_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "PAGE_WAITS", 0.2)
    verifier = LocalVerifier()
    async with SimIndex() as index:
        forged = index.add_wheel("demo", "2.0", provenance=b"{}", upload_time=LONG_AGO)
        async with inbond(tmp_path, index, more=SETTLED, verifier=verifier) as proxy:
            assert (await proxy.get(forged.path))[0] == 403
            assert await held(proxy, "demo") == {forged.filename}
            verifier.before = lambda: asyncio.sleep(0.6)
            verifier.trust(Sigstore("new.example").trusted_root())
            assert "still being verified" in (await proxy.listed("demo", forged.filename))["yanked"]
            await until_shown(proxy, "demo", forged.filename, "rejected")
            assert len(asked(index)) == 1


async def test_provenance_that_was_lost_is_had_again_where_another_trust_needs_it(tmp_path: Path) -> None:
    verifier = LocalVerifier()
    async with SimIndex() as index:
        (old,) = old_files(index, "demo", 1)
        async with inbond(tmp_path, index, more=SETTLED, verifier=verifier) as proxy:
            assert (await proxy.get(old.path))[0] == 200
            await proxy.up.gateway.files._evidence._checker._documents.delete(
                f"provenance/{hashlib.sha256(old.provenance or b'').hexdigest()}"
            )
            verifier.trust(Sigstore("new.example").trusted_root())
            assert await held(proxy, "demo") == {old.filename}
            assert "trusted root" in (await proxy.listed("demo", old.filename))["yanked"]
            assert len(asked(index)) == 2


# --- what is known, and what is forgotten


async def test_a_rejected_release_is_marked_for_the_first_reader_where_nothing_is_held_for_its_age(
    tmp_path: Path,
) -> None:
    async with SimIndex() as index:
        forged = index.add_wheel("demo", "2.0", provenance=b"{}", upload_time=datetime.now(UTC) - timedelta(minutes=5))
        older = index.add_wheel("demo", "1.9", provenance=b"{}", upload_time=datetime.now(UTC) - timedelta(days=6))
        async with inbond(tmp_path, index, more=SETTLED) as proxy:
            assert await held(proxy, "demo") == {forged.filename, older.filename}


async def test_what_memory_has_no_room_for_is_shown_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, name in (
        (page_service, "RENDERED_BYTES"),
        (page_service, "LISTED_FILES"),
        (judging, "MAX_JUDGED_FILES"),
    ):
        monkeypatch.setattr(module, name, 1)
    monkeypatch.setattr(known_evidence, "MAX_KNOWN", 2)
    async with SimIndex() as index:
        forged = index.add_wheel("demo", "1.0", provenance=JUNK, upload_time=LONG_AGO)
        others = old_files(index, "other", 3)
        async with inbond(tmp_path, index, more=SETTLED) as proxy:
            assert (await proxy.get(forged.path))[0] == 403
            assert await held(proxy, "demo") == {forged.filename}
            for file in others:
                assert (await proxy.get(file.path))[0] == 200
            assert await held(proxy, "demo") == {forged.filename}
            assert len(asked(index)) == 4


HEALED = timedelta(hours=1)


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("asks", ["file", "page"])
async def test_one_wrong_answer_denies_a_file_for_an_hour_and_not_for_ever(
    asks: str, restarts: bool, tmp_path: Path
) -> None:
    clock = SetClock()
    async with SimIndex() as index:
        (file,) = young_files(index, "demo", 1)
        index.fault(file.provenance_path, NotJson(), times=1)
        async with AsyncExitStack() as runs:
            proxy = await runs.enter_async_context(inbond(tmp_path, index, more=SETTLED, clock=clock))
            assert await held(proxy, "demo") == {file.filename}
            assert (await proxy.get(file.path))[0] == 403
            assert len(asked(index)) == 1
            clock.advance(HEALED)
            if restarts:
                await runs.aclose()
                proxy = await runs.enter_async_context(inbond(tmp_path, index, more=SETTLED, clock=clock))
            if asks == "file":
                assert (await proxy.get(file.path))[0] == 200
            async with asyncio.timeout(60):
                while await held(proxy, "demo"):
                    await asyncio.sleep(0.05)
            assert (await proxy.get(file.path))[0] == 200
            assert len(asked(index)) == 2


async def test_what_stays_rejected_is_asked_for_once_an_hour_and_denied_all_the_while(tmp_path: Path) -> None:
    clock, verifier = SetClock(), LocalVerifier()
    async with SimIndex() as index:
        forged = index.add_wheel("demo", "1.0", provenance=JUNK, upload_time=LONG_AGO)
        async with inbond(tmp_path, index, more=LAZY, clock=clock, verifier=verifier) as proxy:
            for hours in range(3):
                for _ in range(3):
                    assert (await proxy.get(forged.path))[0] == 403
                assert len(asked(index)) == hours + 1
                clock.advance(HEALED)
            index.fault("/integrity/*", Status(500))
            for _ in range(3):
                verdict = await proxy.verdict("demo", forged.filename)
                assert (verdict["evidence"]["state"], verdict["decision"]) == ("rejected", "deny")
            assert len(asked(index)) == 3 + 3  # three tries
            assert verifier.calls == 1


async def test_a_rejected_file_that_turns_out_to_have_no_provenance_is_one_that_has_none(tmp_path: Path) -> None:
    clock = SetClock()
    async with SimIndex() as index:
        file = index.add_wheel("demo", "1.0", provenance=JUNK, claim="silent", upload_time=LONG_AGO)
        async with inbond(tmp_path, index, more=LAZY, clock=clock) as proxy:
            assert (await proxy.get(file.path))[0] == 403
            index.change(file, provenance=None)
            clock.advance(HEALED)
            assert (await proxy.verdict("demo", file.filename))["evidence"]["state"] == "absent"
            assert (await proxy.get(file.path))[0] == 200

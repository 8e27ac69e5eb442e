"""Sources of advisories: read, kept fresh, and never silently empty."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from inbond.advisories.snapshot import AdvisorySet
from inbond.gateway import advisories, advisory_sources
from inbond.gateway.advisories import AdvisoryKeeper, NoAdvisories
from inbond.gateway.advisory_sources import AdvisorySource, Unreadable, look_at, read_place
from inbond.model.events import Alert, Event
from inbond.model.names import ProjectName
from inbond.upstream.feed import Feed, FeedSettings
from inbond.upstream.limits import Limits
from sim.feed import SimFeed
from sim.osv import affected, directory, malware, raw, tarred, vulnerability, zipped
from stack import SetClock

DEMO, OTHER = ProjectName("demo"), ProjectName("other")
FILES = {"a/MAL-1.json": malware("MAL-1", "demo"), "PYSEC-1.json": vulnerability("PYSEC-1", "other", fixed="2.0")}
LONG_AGO = datetime.min.replace(tzinfo=UTC)
QUICK = Limits(connect=2.0, idle=0.5, deadline=2.0, backoff_first=0.0, backoff_max=0.0, backoff_jitter=0.0, attempts=1)


class Alerts:
    def __init__(self) -> None:
        self.told: list[Alert] = []

    def __call__(self, event: Event) -> None:
        if isinstance(event, Alert):
            self.told.append(event)

    @property
    def messages(self) -> list[str]:
        return [one.message for one in self.told]


@asynccontextmanager
async def keeper(
    place: Path,
    *sources: AdvisorySource,
    alerts: Alerts | None = None,
    clock: Callable[[], datetime] | None = None,
    watch: bool = True,
) -> AsyncIterator[AdvisoryKeeper]:
    observer = alerts or Alerts()

    def open_feed(settings: FeedSettings) -> Feed:
        return Feed.open(settings, observer=observer, user_agent="inbond/test", limits=QUICK)

    made = AdvisoryKeeper(
        sources,
        directory=place / "kept",
        open_feed=open_feed,
        clock=clock or SetClock(),
        observer=observer,
        poll_every=0.02,
    )
    try:
        await (made.start() if watch else made.load())
        yield made
    finally:
        await made.aclose()


def at(url: str, name: str = "osv") -> AdvisorySource:
    return AdvisorySource(name=name, place=FeedSettings(name=name, url=url))


def here(place: Path, name: str = "own") -> AdvisorySource:
    return AdvisorySource(name=name, place=place)


def ids(known: AdvisoryKeeper, project: ProjectName = DEMO) -> list[str]:
    return [one.id for one in known.of(project)]


async def until(done: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not done():
            await asyncio.sleep(0.01)


# --- places


@pytest.mark.parametrize("kind", ["directory", "zip", "tar.gz"])
def test_a_directory_and_archives_hold_the_same(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "place"
    match kind:
        case "directory":
            directory(place, {**FILES, ".git/MAL-9.json": malware("MAL-9", "demo"), "README.md": b"no record"})
        case "zip":
            place.write_bytes(zipped({**FILES, "README.md": b"no record"}))
        case _:
            place.write_bytes(tarred({**FILES, "README.md": b"no record"}))

    assert set(read_place(place).records) == {"MAL-1", "PYSEC-1"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "neither a directory nor a .zip or .tar.gz archive"),
        (b"PK\x03\x04 cut", "cannot be read"),
        (b"\x1f\x8b cut", "cannot be read"),
        (zipped(FILES)[:-30], "cannot be read"),
        (tarred(FILES)[:-30], "cannot be read"),
        (zipped({"a.json": b"{"}), "holds no advisory on a project of PyPI; a.json is no OSV record"),
        (zipped({"a.txt": b"{}"}), "holds no advisory on a project of PyPI"),
        (zipped({"a.json": raw("X", affected("demo", versions=["1"], ecosystem="npm"))}), "holds no advisory"),
    ],
    ids=["empty", "no zip", "no gzip", "cut zip", "cut tar", "no record", "no json", "npm alone"],
)
def test_what_cannot_be_read_whole_is_not_read_at_all(tmp_path: Path, content: bytes, said: str) -> None:
    place = tmp_path / "archive"
    place.write_bytes(content)

    with pytest.raises(Unreadable, match=said):
        read_place(place)


def test_a_place_that_is_not_there_says_so(tmp_path: Path) -> None:
    for look in (read_place, look_at):
        with pytest.raises(Unreadable, match="cannot be read: No such file or directory"):
            look(tmp_path / "gone")


def test_limits_hold_for_what_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "bomb.zip"
    place.write_bytes(zipped({f"{n}.json": b" " * 10**6 for n in range(5)}))
    monkeypatch.setattr(advisory_sources, "MAX_SOURCE_BYTES", 3 * 10**6)

    with pytest.raises(Unreadable, match="MiB unpacked"):
        read_place(place)


def test_a_directory_of_too_many_files_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = directory(tmp_path / "place", FILES)
    monkeypatch.setattr(advisory_sources, "MAX_RECORDS", 1)

    with pytest.raises(Unreadable, match="more than 1 records"):
        look_at(place)


def test_the_mark_differs_with_every_change(tmp_path: Path) -> None:
    place = directory(tmp_path / "place", FILES)
    marks = [look_at(place).mark]
    (place / "a/MAL-2.json").write_bytes(malware("MAL-2", "demo"))
    marks.append(look_at(place).mark)
    (place / "a/MAL-2.json").rename(place / "a/MAL-3.json")
    marks.append(look_at(place).mark)
    (place / "a/MAL-3.json").write_bytes(malware("MAL-2", "demo") + b" ")
    marks.append(look_at(place).mark)
    (place / "a/MAL-3.json").unlink()
    marks.append(look_at(place).mark)

    assert len(set(marks)) == 4
    assert marks[0] == marks[-1]


# --- kept fresh


async def test_nothing_configured_is_nothing_known() -> None:
    none = NoAdvisories()

    assert (none.configured, none.usable, none.version, none.of(DEMO), none.digest_of(DEMO)) == (
        False,
        False,
        "",
        (),
        "",
    )
    assert not none.troubles()


async def test_a_changed_directory_is_taken_up_without_a_restart(tmp_path: Path) -> None:
    place, changes = directory(tmp_path / "place", FILES), 0

    def changed() -> None:
        nonlocal changes
        changes += 1

    async with keeper(tmp_path, here(place)) as known:
        known.listen(changed)
        version = known.version
        assert (ids(known), known.usable, known.configured) == (["MAL-1"], True, True)

        (place / "MAL-2.json").write_bytes(malware("MAL-2", "demo"))
        await until(lambda: known.version != version)
        assert ids(known) == ["MAL-1", "MAL-2"]

        (place / "MAL-2.json").unlink()
        await until(lambda: known.version == version)
        assert (ids(known), changes) == (["MAL-1"], 2)


async def test_a_place_that_breaks_leaves_what_was_read_in_force_and_is_told_once(tmp_path: Path) -> None:
    place, alerts = tmp_path / "archive.zip", Alerts()
    place.write_bytes(zipped(FILES))

    async with keeper(tmp_path, here(place), alerts=alerts) as known:
        place.write_bytes(zipped(FILES)[:-30])
        await until(lambda: alerts.told)
        await asyncio.sleep(0.1)
        assert (ids(known), known.usable, len(alerts.told)) == (["MAL-1"], True, 1)
        assert "[advisories.own] the advisories read before stay in force: " in alerts.messages[0]

        place.write_bytes(zipped({"MAL-3.json": malware("MAL-3", "demo")}))
        await until(lambda: ids(known) == ["MAL-3"])
        assert not known.troubles()


async def test_a_place_that_cannot_be_read_at_all_is_unusable_until_it_can(tmp_path: Path) -> None:
    place, alerts = tmp_path / "place", Alerts()

    async with keeper(tmp_path, here(place), alerts=alerts) as known:
        assert not known.usable
        assert known.troubles()["own"].startswith("[advisories.own] nothing is known from it: ")
        assert [one.name for one in alerts.told] == ["advisories-unavailable"]

        directory(place, FILES)
        await until(lambda: known.usable)
        assert ids(known) == ["MAL-1"]


async def test_a_directory_that_changes_while_it_is_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = directory(tmp_path / "place", FILES)
    read, times = advisory_sources.read_place, 0

    def while_synced(path: Path) -> object:
        nonlocal times
        times += 1
        found = read(path)
        if times == 1:
            (place / "MAL-2.json").write_bytes(malware("MAL-2", "demo"))
        return found

    monkeypatch.setattr("inbond.gateway.advisory_places.read_place", while_synced)
    async with keeper(tmp_path, here(place)) as known:
        await until(lambda: ids(known) == ["MAL-1", "MAL-2"])
        assert times == 2


async def test_records_that_cannot_be_read_are_told_and_the_others_count(tmp_path: Path) -> None:
    place, alerts = directory(tmp_path / "place", {**FILES, "bad.json": b"{"}), Alerts()

    async with keeper(tmp_path, here(place), alerts=alerts) as known:
        assert ids(known) == ["MAL-1"]
        assert [one.name for one in alerts.told] == ["advisories-unreadable"]
        assert alerts.messages[0].startswith("[advisories.own] 1 file count for nothing: bad.json is no OSV record")


async def test_old_advisories_are_told(tmp_path: Path) -> None:
    place, alerts, clock = tmp_path / "archive.zip", Alerts(), SetClock()
    place.write_bytes(zipped(FILES))
    source = replace(here(place), max_age=timedelta(days=7))

    async with keeper(tmp_path, source, here(place, "for-ever"), alerts=alerts, clock=clock) as known:
        assert not known.troubles()
        clock.advance(timedelta(days=8))
        await until(lambda: alerts.told)
        clock.advance(timedelta(days=1))
        await asyncio.sleep(0.1)
        assert "its advisories are 8 days old; is it still kept up to date?" in alerts.messages[0]
        assert len([one for one in alerts.told if "[advisories.own]" in one.message]) == 1
        (status, _) = known.statuses()
        assert status.too_old


async def test_a_required_source_that_is_missing_makes_the_whole_unusable(tmp_path: Path) -> None:
    place = directory(tmp_path / "place", FILES)
    gone = here(tmp_path / "gone", "gone")

    async with keeper(tmp_path, here(place), gone, watch=False) as known:
        assert known.usable
    async with keeper(tmp_path, here(place), replace(gone, required=True), watch=False) as known:
        assert not known.usable
        assert ids(known) == ["MAL-1"]


async def test_a_source_that_is_read_too_late_for_the_start_counts_from_then_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, other, go_on = directory(tmp_path / "place", FILES), tmp_path / "other", threading.Event()
    directory(other, {"MAL-2.json": malware("MAL-2", "demo")})

    def slow(path: Path) -> object:
        assert path == other or go_on.wait(10)
        return read_place(path)

    monkeypatch.setattr(advisories, "FIRST_WITHIN", 0.1)
    monkeypatch.setattr("inbond.gateway.advisory_places.read_place", slow)
    async with keeper(tmp_path, here(place), here(other, "other")) as known:
        assert ids(known) == ["MAL-2"]
        assert "nothing is known from it: it was not read after 0.1 seconds, and is still" in known.troubles()["own"]
        (other / "MAL-3.json").write_bytes(malware("MAL-3", "demo"))
        await until(lambda: ids(known) == ["MAL-2", "MAL-3"])  # the others do not wait for it
        go_on.set()
        await until(lambda: ids(known) == ["MAL-1", "MAL-2", "MAL-3"])
        assert not known.troubles()


async def test_a_directory_that_was_away_for_a_while_is_no_problem_when_it_is_back(tmp_path: Path) -> None:
    place = directory(tmp_path / "place", FILES)

    async with keeper(tmp_path, here(place), watch=False) as known:
        place.rename(tmp_path / "away")
        await known.look()
        assert "stay in force" in known.troubles()["own"]
        (tmp_path / "away").rename(place)
        await known.look()
        assert not known.troubles()


async def test_a_place_that_cannot_be_read_is_tried_again_after_five_minutes_at_the_latest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, clock, times = directory(tmp_path / "place", FILES), SetClock(), 0

    def failing(path: Path) -> object:
        nonlocal times
        times += 1
        if times == 1:
            raise Unreadable("the disk is tired")
        return read_place(path)

    monkeypatch.setattr("inbond.gateway.advisory_places.read_place", failing)
    async with keeper(tmp_path, here(place), clock=clock, watch=False) as known:
        await known.look()
        assert (times, "the disk is tired" in known.troubles()["own"]) == (1, True)
        clock.advance(timedelta(minutes=5))
        await known.look()
        assert (ids(known), known.troubles()) == (["MAL-1"], {})


async def test_whatever_one_source_raises_the_others_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, odd, alerts = directory(tmp_path / "place", FILES), tmp_path / "odd", Alerts()

    def raising(path: Path) -> object:
        if path == odd:
            raise ZeroDivisionError("nobody thought of this")
        return look_at(path)

    monkeypatch.setattr("inbond.gateway.advisory_places.look_at", raising)
    async with keeper(tmp_path, here(odd, "odd"), here(place), alerts=alerts) as known:
        assert ids(known) == ["MAL-1"]
        (place / "MAL-2.json").write_bytes(malware("MAL-2", "demo"))
        await until(lambda: ids(known) == ["MAL-1", "MAL-2"])
        (message,) = alerts.messages
        assert message.startswith("[advisories.odd] nothing is known from it: it cannot be read: ZeroDivisionError")


async def test_what_cannot_be_taken_up_is_told_and_taken_up_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, alerts, joined, broken = directory(tmp_path / "place", FILES), Alerts(), AdvisorySet.joined, True

    def failing(held: object) -> object:
        if broken:
            raise MemoryError
        return joined(held)  # type: ignore[arg-type]

    monkeypatch.setattr(AdvisorySet, "joined", failing)
    async with keeper(tmp_path, here(place), alerts=alerts) as known:
        await asyncio.sleep(0.1)
        assert alerts.messages == ["advisories: what was read cannot be taken up: MemoryError()"]
        broken = False
        await until(lambda: ids(known) == ["MAL-1"])


# --- from a URL


async def test_a_url_that_drips_does_not_hold_up_the_others(tmp_path: Path) -> None:
    clock, place = SetClock(), directory(tmp_path / "place", FILES)
    async with SimFeed(zipped(FILES)) as feed, keeper(tmp_path, at(feed.url), here(place), clock=clock) as known:
        feed.slow = True
        clock.advance(timedelta(hours=1))
        await until(lambda: len(feed.asked) == 2)
        (place / "MAL-2.json").write_bytes(malware("MAL-2", "demo"))
        started = time.monotonic()
        await until(lambda: ids(known) == ["MAL-1", "MAL-2"])
        assert time.monotonic() - started < QUICK.idle


async def test_an_etag_that_is_no_text_is_not_kept(tmp_path: Path) -> None:
    asked, archive = list[bytes](), zipped(FILES)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        head = b'HTTP/1.1 200 OK\r\nETag: "\xff"\r\nConnection: close\r\nContent-Length: %d\r\n\r\n'
        writer.write(head % len(archive) + archive)
        await writer.drain()
        writer.close()

    clock = SetClock()
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/all.zip"
        async with keeper(tmp_path, at(url), clock=clock) as known:
            assert (ids(known), known.troubles()) == (["MAL-1"], {})
            clock.advance(timedelta(hours=1))
            await until(lambda: len(asked) == 2)
            assert b"If-None-Match" not in asked[1]


async def test_an_archive_is_fetched_revalidated_and_changed(tmp_path: Path) -> None:
    clock = SetClock()
    async with SimFeed(zipped(FILES)) as feed, keeper(tmp_path, at(feed.url), clock=clock) as known:
        assert (ids(known), feed.answered) == (["MAL-1"], [200])
        assert feed.asked[0]["User-Agent"] == "inbond/test"

        clock.advance(timedelta(hours=1))
        await until(lambda: len(feed.answered) == 2)
        assert feed.answered[-1] == 304
        await until(lambda: (known.statuses()[0].as_of or LONG_AGO) > datetime.now(UTC))

        feed.body = zipped({"MAL-2.json": malware("MAL-2", "demo")})
        clock.advance(timedelta(hours=1))
        await until(lambda: ids(known) == ["MAL-2"])


@pytest.mark.parametrize("fault", ["status", "cut", "slow", "no archive"])
async def test_a_bad_answer_leaves_the_last_good_archive_in_force(tmp_path: Path, fault: str) -> None:
    clock, alerts = SetClock(), Alerts()
    async with SimFeed(zipped(FILES)) as feed:
        async with keeper(tmp_path, at(feed.url), clock=clock, alerts=alerts) as known:
            feed.body = zipped({"MAL-2.json": malware("MAL-2", "demo")})
            match fault:
                case "status":
                    feed.status = 503
                case "no archive":
                    feed.body = b"<html>sign in</html>"
                case _:
                    setattr(feed, fault, True)
            clock.advance(timedelta(hours=1))
            await until(lambda: alerts.told)
            assert (ids(known), known.usable) == (["MAL-1"], True)
            assert "stay in force" in known.troubles()["osv"]

        # also at the next start, while the URL is still as bad; its age is told
        clock.advance(timedelta(days=8))
        async with keeper(tmp_path, at(feed.url), clock=clock, alerts=alerts) as known:
            assert ids(known) == ["MAL-1"]
            assert "its advisories are 8 days old" in known.troubles()["osv"]


async def test_a_url_that_was_never_read_is_unusable_and_asked_again_in_five_minutes(tmp_path: Path) -> None:
    clock = SetClock()
    async with SimFeed(zipped(FILES)) as feed:
        feed.status = 404
        async with keeper(tmp_path, at(feed.url), clock=clock) as known:
            assert not known.usable
            await asyncio.sleep(0.1)
            assert len(feed.answered) == 1
            feed.status = 200
            clock.advance(timedelta(minutes=5))
            await until(lambda: known.usable)


async def test_an_archive_of_another_url_does_not_count(tmp_path: Path) -> None:
    async with SimFeed(zipped(FILES)) as one, SimFeed() as other:
        async with keeper(tmp_path, at(one.url), watch=False):
            pass
        other.status = 500
        async with keeper(tmp_path, at(other.url), watch=False) as known:
            assert not known.usable


async def test_what_another_process_fetched_is_taken_up_without_asking(tmp_path: Path) -> None:
    clock = SetClock()
    async with SimFeed(zipped(FILES)) as feed, keeper(tmp_path, at(feed.url), clock=clock) as known:
        feed.body = zipped({"MAL-2.json": malware("MAL-2", "demo")})
        clock_of_another = SetClock()
        clock_of_another.advance(timedelta(hours=2))
        async with keeper(tmp_path, at(feed.url), clock=clock_of_another) as another:
            await until(lambda: ids(another) == ["MAL-2"])
        await until(lambda: ids(known) == ["MAL-2"])
        assert len(feed.answered) == 2


async def test_a_kept_archive_that_was_damaged_is_fetched_anew(tmp_path: Path) -> None:
    async with SimFeed(zipped(FILES)) as feed:
        async with keeper(tmp_path, at(feed.url), watch=False):
            pass
        (tmp_path / "kept/osv.archive").write_bytes(b"PK\x03\x04")
        async with keeper(tmp_path, at(feed.url), watch=False) as known:
            assert ids(known) == ["MAL-1"]
        assert feed.answered == [200, 200]


async def test_a_disk_that_refuses_is_told(tmp_path: Path) -> None:
    (tmp_path / "kept").write_bytes(b"")  # a file where the directory should be: that refuses root too
    async with SimFeed(zipped(FILES)) as feed, keeper(tmp_path, at(feed.url), watch=False) as known:
        assert "the disk refused" in known.troubles()["osv"]


async def test_a_start_does_not_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advisories, "FIRST_WITHIN", 0.1)
    async with SimFeed(zipped(FILES)) as feed:
        feed.slow = True
        async with keeper(tmp_path, at(feed.url), watch=False) as known:
            assert "was not read after 0.1 seconds" in known.troubles()["osv"]


# --- cost


async def test_thousands_of_records_are_read_without_stopping_the_loop(tmp_path: Path) -> None:
    place = tmp_path / "all.zip"
    place.write_bytes(
        zipped({f"{n}.json": malware(f"MAL-{n}", f"demo-{n % 2000}", "1.0", "1.1") for n in range(6_000)})
    )
    late = 0.0
    stop = threading.Event()

    async def watch() -> None:
        nonlocal late
        while not stop.is_set():
            due = time.monotonic() + 0.01
            await asyncio.sleep(0.01)
            late = max(late, time.monotonic() - due)

    watching = asyncio.create_task(watch())
    started = time.monotonic()
    async with keeper(tmp_path, here(place), watch=False) as known:
        stop.set()
        await watching
        assert known.set.projects == 2000
    assert time.monotonic() - started < 20
    assert late < 1.0
    print(f"read in {time.monotonic() - started:.2f} s, loop late by at most {late * 1000:.0f} ms")

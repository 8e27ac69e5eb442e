"""A root that keeps itself fresh: fetched by TUF in a process of its own, kept whole or not at all, newest first."""

from __future__ import annotations

import asyncio
import fcntl
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest

from inbond.gateway import trust_kept
from inbond.gateway.trust import RootSource
from inbond.gateway.trust_files import TrustFiles, write_durably
from inbond.gateway.trust_kept import Attempt, Fetched, RootLost
from inbond.gateway.trust_update import (
    AFTER_FAILURE,
    DAILY,
    JITTER,
    AutoSource,
    Overtaken,
    Repository,
    RootNotFetched,
)
from inbond.gateway.trust_updater import GRACE_SECONDS, Got, NotGot, Wanted
from inbond.model.errors import ConfigurationError, OperatorFault, StoreUnavailable
from inbond.model.events import Alert, Event
from inbond.upstream.proxies import Proxies, Proxy
from sim.forward_proxy import ForwardProxy
from sim.sigstore import Sigstore
from sim.tls import Authority
from sim.tuf import Fault, TufRepository

pytestmark = pytest.mark.measured_children

FIRST, SECOND = Sigstore("first.example").trusted_root(), Sigstore("second.example").trusted_root()
EARLY, LATE = datetime(2025, 3, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


@dataclass
class Place:
    """A machine's directory, what was alerted there, and its clock."""

    path: Path
    alerts: list[str] = field(default_factory=list)
    now: datetime | None = None

    def clock(self) -> datetime:
        return self.now or datetime.now(UTC)

    def hear(self, event: Event) -> None:
        assert isinstance(event, Alert)
        assert event.name == "trusted-root-not-refreshed"
        self.alerts.append(event.message)

    def source(self, repository: TufRepository | Repository, **more: Any) -> AutoSource:
        if isinstance(repository, TufRepository):
            repository = Repository(url=repository.url, root=repository.write_root(self.path))
        return AutoSource(
            name="acme",
            directory=self.path / "trust" / "acme",
            repository=repository,
            clock=self.clock,
            observer=self.hear,
            **more,
        )

    def shipped(self, raw: bytes, repository: TufRepository) -> Path:
        """What sigstore ships, where it would lie."""
        store = self.path / "store" / repository.url.replace(":", "%3A").replace("/", "%2F")
        store.mkdir(parents=True, exist_ok=True)
        (store / "root.json").write_bytes(repository.root_json)
        (store / "trusted_root.json").write_bytes(raw)
        return store / "trusted_root.json"


def mine(repository: TufRepository, place: Place) -> str:
    return Repository(url=repository.url, root=repository.write_root(place.path)).identity


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def repository() -> Iterator[TufRepository]:
    with TufRepository(FIRST) as running:
        yield running


async def test_the_root_is_fetched_where_there_is_none_and_kept(place: Place, repository: TufRepository) -> None:
    source: RootSource = place.source(repository)
    assert await source.read() == FIRST
    repository.fetched.clear()
    assert await source.read() == FIRST
    assert await place.source(repository).read() == FIRST
    assert repository.fetched == []
    assert place.alerts == []


async def test_what_is_kept_is_for_this_user_alone_and_told_of(place: Place, repository: TufRepository) -> None:
    source = place.source(repository)
    await source.read()
    kept = source.kept.read()
    assert kept is not None
    assert kept[1] is not None
    record = kept[1]
    assert (record.sha256, record.by, record.where) == (sha256(FIRST).hexdigest(), "tuf", repository.url)
    assert record.installed_at == record.confirmed_at
    for path in [source.kept.directory, *source.kept.directory.rglob("*")]:
        assert path.is_symlink() or not path.stat().st_mode & 0o077, path
    assert source.kept.root.stat().st_mode & 0o777 == 0o600


async def test_a_refresh_says_whether_there_is_another_root_since(place: Place, repository: TufRepository) -> None:
    source = place.source(repository)
    assert await source.refresh()
    assert not await source.refresh()
    repository.publish(SECOND)
    assert await source.refresh()
    assert await source.read() == SECOND


async def test_a_refresh_that_finds_nothing_newer_confirms_what_is_there(
    place: Place, repository: TufRepository
) -> None:
    source = place.source(repository)
    await source.refresh()
    before = source.kept.read()
    repository.fetched.clear()
    await source.refresh()
    after = source.kept.read()
    assert before is not None
    assert after is not None
    assert before[1] is not None
    assert after[1] is not None
    assert after[1].installed_at == before[1].installed_at
    assert after[1].confirmed_at > before[1].confirmed_at
    assert not [path for path in repository.fetched if path.startswith("targets/")]


async def test_the_repositorys_own_keys_may_change(place: Place, repository: TufRepository) -> None:
    source = place.source(repository)
    await source.refresh()
    for _ in range(3):
        repository.rotate()
    repository.publish(SECOND)
    assert await source.refresh()
    assert (await source.read(), place.alerts) == (SECOND, [])


def misbehaving(repository: TufRepository, how: str) -> None:
    match how:
        case "expired":
            repository.publish(SECOND, expires=-timedelta(minutes=1))
        case "unsigned-timestamp" | "unsigned-snapshot" | "unsigned-targets":
            repository.publish(SECOND, unsigned=how.removeprefix("unsigned-"))
        case "no-target":
            repository.publish(None)
        case "too-long":
            repository.publish(SECOND, length=10**9)
        case "shorter-than-said":
            repository.publish(SECOND, length=len(SECOND) + 1)
        case "longer-than-said":
            repository.publish(SECOND, length=len(SECOND) - 1)
        case "not-json":
            repository.publish(b"<html>")
        case "newer-format":
            repository.publish(json.dumps(json.loads(SECOND) | {"newThing": []}).encode())
        case "no-ct-log":
            repository.publish(json.dumps(json.loads(SECOND) | {"ctlogs": []}).encode())
        case "foreign-root":
            repository.signers["root"] = repository.signers["targets"]
            repository.publish(SECOND)
            repository._publish_root(repository.signers["targets"])
        case _:
            raise AssertionError(how)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("expired", "timestamp.json is expired (ExpiredMetadataError)"),
        ("unsigned-timestamp", "timestamp was signed by 0/1 keys (UnsignedMetadataError)"),
        ("unsigned-snapshot", "snapshot was signed by 0/1 keys (UnsignedMetadataError)"),
        ("unsigned-targets", "targets was signed by 0/1 keys (UnsignedMetadataError)"),
        ("no-target", "it distributes no trusted_root.json"),
        ("too-long", "its trusted_root.json is larger than 256 KiB"),
        ("shorter-than-said", "Observed length "),
        ("longer-than-said", "exceeding the maximum allowed length of "),
        ("not-json", "the trusted root cannot be used: it is not JSON"),
        ("newer-format", "it holds 'newThing', which this version of sigstore does not know; a newer inbond may"),
        ("no-ct-log", "the trusted root names no certificate transparency log"),
        ("foreign-root", "root was signed by 0/1 keys (UnsignedMetadataError)"),
    ],
)
async def test_what_cannot_be_believed_is_not_taken_over(
    place: Place, repository: TufRepository, how: str, said: str
) -> None:
    source = place.source(repository)
    await source.refresh()
    misbehaving(repository, how)
    assert not await source.refresh()
    (alert,) = place.alerts
    assert alert.startswith(
        f"the trusted root of [trust.acme] was not refreshed: no trusted root from {repository.url}: "
    )
    assert said in alert
    assert await source.read() == FIRST
    kept = source.kept.read()
    assert kept is not None
    assert kept[1] is not None


async def test_a_repository_that_goes_back_is_not_followed(place: Place, repository: TufRepository) -> None:
    source = place.source(repository)
    with repository.as_of_now():
        repository.publish(SECOND)
        await source.refresh()
    assert not await source.refresh()
    assert "New timestamp version 1 must be >= 2 (BadVersionNumberError)" in place.alerts[0]
    assert await source.read() == SECOND


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("truncated", "broke off"),
        ("huge", "exceeding the maximum allowed length of "),
        ("redirect", "was answered 302"),
        ("broken", "was answered 500"),
    ],
)
async def test_a_failing_repository_changes_nothing(
    place: Place, repository: TufRepository, fault: Fault, said: str
) -> None:
    source = place.source(repository)
    await source.refresh()
    repository.publish(SECOND)
    repository.faults = {fault}
    assert not await source.refresh()
    assert said in place.alerts[0]
    assert await source.read() == FIRST
    repository.faults = set()
    assert await source.refresh()
    assert await source.read() == SECOND


@pytest.mark.parametrize("fault", ["mute", "slow"])
async def test_a_repository_that_takes_too_long_is_given_up(
    place: Place, repository: TufRepository, fault: Fault
) -> None:
    repository.faults = {fault}
    source = place.source(repository, seconds=1.5)
    began = time.monotonic()
    with pytest.raises(RootNotFetched) as raised:
        await source.fetch(install=True)
    assert time.monotonic() - began < 10
    assert raised.value.message == f"{repository.url} gave no trusted root within 1.5 s"
    assert source.kept.read() is None


async def test_a_repository_that_is_not_there_is_named(place: Place, repository: TufRepository) -> None:
    root = repository.write_root(place.path)
    source = place.source(Repository(url="http://127.0.0.1:9/", root=root))
    with pytest.raises(RootNotFetched) as raised:
        await source.fetch(install=True)
    assert raised.value.message.startswith("no trusted root from http://127.0.0.1:9/: ")
    assert raised.value.message.endswith(": no connection: Connection refused")
    assert raised.value.remedy is not None
    assert "HTTPS_PROXY" in raised.value.remedy


async def test_where_there_is_no_root_at_all_the_repository_is_asked_once(
    place: Place, repository: TufRepository
) -> None:
    repository.faults = {"broken"}
    source = place.source(repository)
    with pytest.raises(ConfigurationError):
        await source.read()
    with pytest.raises(ConfigurationError) as raised:
        await source.read()
    assert raised.value.message.startswith("there is no trusted root yet for [trust.acme]: no trusted root from http")
    assert raised.value.remedy is not None
    assert "inbond trust update --scope acme" in raised.value.remedy
    assert len(repository.fetched) == 1


async def test_a_beginning_that_cannot_be_read_is_named(place: Place, repository: TufRepository) -> None:
    source = place.source(Repository(url=repository.url, root=place.path / "none.json"))
    with pytest.raises(OperatorFault, match=r"none\.json cannot be read: No such file"):
        await source.fetch(install=True)
    (place.path / "none.json").write_text("{}")
    with pytest.raises(RootNotFetched, match=r"no trusted root from .*RepositoryError|DeserializationError"):
        await source.fetch(install=True)
    assert repository.fetched == []


async def test_through_a_proxy_that_asks_for_credentials_and_with_an_authority_of_ones_own(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(place.path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.bundle))
    async with ForwardProxy(credentials="user:s3cret") as proxy:
        with TufRepository(FIRST, tls=authority.server()) as repository:
            way = Proxies(https=Proxy.parse(proxy.signed_url, source="HTTPS_PROXY"))
            root = repository.write_root(place.path)
            source = place.source(Repository(url=repository.url, root=root, proxies=way))
            assert await source.refresh(), place.alerts
            assert {asked.method for asked in proxy.asked} == {"CONNECT"}
            away = place.source(Repository(url=repository.url, root=root, proxies=Proxies(https=way.https, exempt="*")))
            asked = len(proxy.asked)
            await away.refresh()
            assert len(proxy.asked) == asked


async def test_an_unknown_authority_is_not_believed(place: Place) -> None:
    with TufRepository(FIRST, tls=Authority(place.path).server()) as repository:
        source = place.source(repository)
        assert not await source.refresh()
        assert ": its certificate is not to be trusted: " in place.alerts[0]
        assert repository.fetched == []


async def test_one_updater_at_a_time(place: Place, repository: TufRepository) -> None:
    await place.source(repository).refresh()
    source = place.source(repository, seconds=2.0)
    repository.fetched.clear()
    with (source.kept.directory / "lock").open("rb+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert not await source.refresh()
        assert repository.fetched == []
    assert place.alerts
    place.alerts.clear()
    assert not await place.source(repository).refresh()
    assert place.alerts == []


async def test_many_at_once_all_get_it(place: Place, repository: TufRepository) -> None:
    found = await asyncio.gather(*(place.source(repository).fetch(install=True) for _ in range(4)))
    assert {got.root for got in found} == {FIRST}
    assert repository.fetched.count("1.targets.json") == 1  # the others found it there


async def test_one_source_asks_once_at_a_time(place: Place, repository: TufRepository) -> None:
    source = place.source(repository)
    await asyncio.gather(source.fetch(install=True), source.fetch(install=False))
    assert await source.read() == FIRST


async def test_what_was_fetched_to_be_looked_at_is_not_in_place(place: Place, repository: TufRepository) -> None:
    source = place.source(repository)
    got = await source.fetch(install=False)
    assert (got.root, source.kept.read()) == (FIRST, None)
    source.install(got.root, fetched=got.record)
    assert source.kept.read() == (FIRST, got.record)


async def test_an_updater_that_dies_leaves_what_was_there(place: Place, repository: TufRepository) -> None:
    await place.source(repository).refresh()
    source = place.source(repository, command=(sys.executable, "-c", "print('no answer')"))
    assert not await source.refresh()
    assert "the updater process ended without an answer (exit code 0)" in place.alerts[0]
    absent = place.source(repository, command=("/no/such/program",))
    assert not await absent.refresh()
    assert "the updater process cannot be started" in place.alerts[1]
    assert await source.read() == FIRST


async def test_a_directory_that_cannot_be_written_is_named(place: Place, repository: TufRepository) -> None:
    (place.path / "trust").write_text("a file")
    source = place.source(repository)
    with pytest.raises(OperatorFault, match="the disk refused to keep the trusted root"):
        await source.fetch(install=True)
    with pytest.raises(StoreUnavailable):
        source.install(FIRST, file=Path("/x"))


def test_a_root_that_cannot_be_replaced_is_named(place: Place, repository: TufRepository) -> None:
    source = place.source(repository)
    source.kept.root.mkdir(parents=True)
    (source.kept.root / "in-the-way").touch()
    with pytest.raises(StoreUnavailable, match="the disk refused to keep the trusted root"):
        source.install(FIRST, file=Path("/x"))
    names = sorted(path.name for path in source.kept.directory.iterdir())
    assert names == ["fetched.json", "lock", "trusted_root.json"]


async def test_what_one_refresh_reads_is_bounded_in_all(place: Place, repository: TufRepository) -> None:
    source = place.source(repository)
    repository._root.unrecognized_fields["padding"] = "x" * 450_000
    for _ in range(40):  # roots that are each within the limit
        repository.rotate()
    with pytest.raises(RootNotFetched, match="more than 16 MiB in all"):
        await source.fetch(install=True)


def test_what_no_library_foresaw_is_an_answer_too(repository: TufRepository) -> None:
    wanted = Wanted(
        directory="a\0b", url=repository.url, repository="x", bootstrap=repository.root_json,
        proxies=Proxies(), user_agent="x", shipped_sha256=None, seconds=20, install=True,
    )  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-P", "-m", "inbond.gateway.trust_updater"],
        input=msgspec.msgpack.encode(wanted), capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    answer = msgspec.msgpack.decode(done.stdout, type=Got | NotGot)
    assert isinstance(answer, NotGot)
    assert answer.message.startswith("ValueError: ")
    assert done.returncode == 1


# --- what was kept and is lost, or is another repository's


def accepted(source: AutoSource, raw: bytes) -> TrustFiles:
    """As a server leaves it that has taken this root into force."""
    files = TrustFiles(source.kept.directory.parent)
    files.keep_root(source.name, raw, origin=source.origin)
    return files


@pytest.mark.parametrize("lost", ["damaged", "gone", "record damaged", "record gone", "all gone"])
async def test_what_was_fetched_and_is_lost_does_not_bring_back_what_is_shipped(
    place: Place, repository: TufRepository, lost: str
) -> None:
    """A key that was withdrawn since stands in what sigstore ships."""
    path = place.shipped(OLDER, repository)
    source = place.source(Repository(), find_shipped=lambda: path)
    await source.refresh()
    accepted(source, FIRST)
    repository.faults = {"broken"}
    about = source.kept.directory / "fetched.json"
    match lost:
        case "damaged":
            source.kept.root.write_bytes(FIRST[:-30])
        case "gone":
            source.kept.root.unlink()
        case "record damaged":
            about.write_text("{}")
        case "record gone":
            about.unlink()
        case _:
            source.kept.root.unlink()
            about.unlink()
    place.now = datetime.now(UTC)
    for _ in range(3):
        with pytest.raises(RootLost, match="is damaged or gone"):
            await source.read()
    assert len(place.alerts) == 1  # it was asked for at once, and then once an hour
    repository.faults = set()
    place.now += AFTER_FAILURE
    assert await source.read() == FIRST


async def test_an_upgrade_where_nothing_was_ever_fetched_brings_what_is_shipped(
    place: Place, repository: TufRepository
) -> None:
    path = place.shipped(OLDER, repository)
    source = place.source(Repository(), find_shipped=lambda: path)
    accepted(source, OLDER)
    place.shipped(NEWER, repository)
    assert await source.read() == NEWER


@pytest.mark.parametrize("written", ["nothing", "the record", "both"])
def test_a_kill_between_two_writes_loses_nothing(
    place: Place, repository: TufRepository, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    source = place.source(repository)
    source.install(FIRST, file=Path("/first"))
    left = {"nothing": 0, "the record": 1, "both": 2}[written]

    def killed(path: Path, raw: bytes) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        write_durably(path, raw)

    with monkeypatch.context() as patched, suppress(KeyboardInterrupt):
        patched.setattr(trust_kept, "write_durably", killed)
        source.install(SECOND, file=Path("/second"))
    found = source.kept.read()
    assert found is not None
    assert (found[0], found[1].where) == ((SECOND, "/second") if written == "both" else (FIRST, "/first"))


async def test_another_repository_begins_anew(place: Place, repository: TufRepository) -> None:
    await place.source(repository).refresh()
    with TufRepository(SECOND) as other:
        other.faults = {"broken"}
        source = place.source(other)
        assert source.attempt() is None
        assert source.current() is None
        with pytest.raises(ConfigurationError, match="no trusted root yet"):
            await source.read()
        assert source.advice() is None
        other.faults = set()
        await source.refresh()
        assert await source.read() == SECOND
        given = place.source(other)
        given.install(FIRST, file=Path("/x"))
    assert await place.source(repository).read() == FIRST  # from a file it counts for whichever is asked


def test_a_beginning_that_cannot_be_read_is_no_repository_that_was_asked(place: Place) -> None:
    known, unknown = place.path / "root.json", place.path / "none.json"
    known.write_text("{}")
    assert Repository(url="u", root=known).identity != Repository(url="u", root=unknown).identity
    assert Repository(url="u").identity == Repository().identity  # a mirror of the public one


async def test_a_root_that_was_replaced_meanwhile_is_not_replaced_unseen(
    place: Place, repository: TufRepository
) -> None:
    source = place.source(repository)
    source.install(FIRST, file=Path("/x"))
    with pytest.raises(Overtaken, match="was replaced meanwhile"):
        source.install(SECOND, file=Path("/x"), over=sha256(SECOND).hexdigest())
    assert await source.read() == FIRST
    source.install(SECOND, file=Path("/x"), over=sha256(FIRST).hexdigest())
    assert await source.read() == SECOND


async def test_what_a_repository_says_is_cut_to_a_line(place: Place, repository: TufRepository) -> None:
    repository.publish(json.dumps(json.loads(SECOND) | {"x\n" * 50_000: []}).encode())
    assert not await place.source(repository).refresh()
    assert len(place.alerts[0]) < 500
    assert "\n" not in place.alerts[0]
    attempt = place.source(repository).attempt()
    assert attempt is not None
    assert attempt.problem is not None
    assert attempt.problem.endswith("…")


# --- which one is the newest


def dated(*changes: tuple[datetime, datetime | None]) -> bytes:
    """A root whose log keys begin and end so."""
    sigstore, others = Sigstore("s.example"), []
    root = json.loads(sigstore.trusted_root(log_window=changes[0], ca_window=(EARLY, None), ct_window=(EARLY, None)))
    for window in changes[1:]:
        others += json.loads(Sigstore("o.example").trusted_root(log_window=window))["tlogs"]
    return json.dumps(root | {"tlogs": root["tlogs"] + others}).encode()


OLDER, NEWER = dated((EARLY, None)), dated((EARLY, None), (LATE, None))
SAME_START_ENDED = dated((EARLY, LATE))


@pytest.mark.parametrize(
    ("roots", "expected"),
    [
        pytest.param((OLDER, NEWER, OLDER), NEWER, id="fetched-while-this-one-was-shipped"),
        pytest.param((NEWER, OLDER, NEWER), OLDER, id="tuf-says-so-whatever-stands-in-it"),
        pytest.param((OLDER, OLDER, NEWER), NEWER, id="an-upgrade-brings-a-newer-one"),
        pytest.param((OLDER, NEWER, dated((EARLY, None))), NEWER, id="an-upgrade-brings-an-older-one"),
        pytest.param((NEWER, OLDER, SAME_START_ENDED), SAME_START_ENDED, id="a-key-has-ended"),
        pytest.param((NEWER, OLDER, dated((EARLY, None))), OLDER, id="nothing-tells-them-apart"),
    ],
)
def test_the_newest_counts(
    place: Place, repository: TufRepository, roots: tuple[bytes, bytes, bytes], expected: bytes
) -> None:
    shipped_before, fetched, shipped_now = roots
    path = place.shipped(shipped_before, repository)
    source = place.source(Repository(), find_shipped=lambda: path)
    source.install(fetched, file=Path("/x"))
    place.shipped(shipped_now, repository)
    current = source.current()
    assert current is not None
    assert current[0] == expected


async def test_after_an_upgrade_tuf_is_asked_and_decides(place: Place, repository: TufRepository) -> None:
    path = place.shipped(OLDER, repository)
    source = place.source(Repository(), find_shipped=lambda: path)
    assert source.where == f"tuf {repository.url}"
    await source.refresh()
    assert await source.read() == FIRST
    place.shipped(NEWER, repository)
    assert await source.read() == NEWER
    assert await source.refresh()
    assert await source.read() == FIRST


async def test_what_sigstore_ships_counts_until_something_was_fetched(place: Place, repository: TufRepository) -> None:
    path = place.shipped(OLDER, repository)
    source = place.source(Repository(), find_shipped=lambda: path)
    assert source.current() == (OLDER, None)
    assert await source.read() == OLDER
    assert repository.fetched == []


def test_with_a_beginning_of_ones_own_nothing_is_shipped(place: Place, repository: TufRepository) -> None:
    path = place.shipped(OLDER, repository)
    root = repository.write_root(place.path)
    source = place.source(Repository(url=repository.url, root=root), find_shipped=lambda: path)
    assert source.current() is None


def test_without_sigstore_there_is_what_was_fetched(place: Place) -> None:
    def missing() -> Path:
        raise OperatorFault("sigstore is not installed")

    source = place.source(Repository(url="http://127.0.0.1:9/"), find_shipped=missing)
    assert source.current() is None
    source.install(FIRST, file=Path("/x"))
    current = source.current()
    assert current is not None
    assert current[0] == FIRST


def test_records_that_cannot_be_read_count_as_none(place: Place, repository: TufRepository) -> None:
    source = place.source(repository)
    for record in ('{"at": 1}', '{"at": "2026-11-01T12:00:00", "repository": "x"}'):  # the last is without a zone
        source.kept.directory.mkdir(parents=True, exist_ok=True)
        (source.kept.directory / "attempt.json").write_text(record)
        assert source.kept.attempt() is None
        assert source.advice() is None
        assert source.pause(0.5) == timedelta()


# --- when


async def test_it_is_refreshed_at_once_and_then_daily_or_an_hour_after_a_failure(
    place: Place, repository: TufRepository
) -> None:
    slept: list[float] = []
    source = place.source(repository)

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        repository.faults = {"broken"} if len(slept) == 2 else set()
        if len(slept) == 4:
            raise asyncio.CancelledError

    with suppress(asyncio.CancelledError):
        await source.keep_fresh(sleep=sleep, chance=lambda: 0.5)
    assert slept == [0, DAILY.total_seconds(), AFTER_FAILURE.total_seconds(), DAILY.total_seconds()]
    assert len(place.alerts) == 1


@pytest.mark.parametrize(
    ("ago", "problem", "pause"),
    [
        (None, None, timedelta()),
        (timedelta(minutes=5), None, DAILY),
        (timedelta(minutes=5), "x", AFTER_FAILURE),
        (timedelta(hours=2), None, timedelta()),
        (-timedelta(minutes=5), None, timedelta()),  # a clock that was set back
    ],
)
def test_a_start_just_after_a_refresh_makes_none(
    place: Place, repository: TufRepository, ago: timedelta | None, problem: str | None, pause: timedelta
) -> None:
    place.now = NOW
    source = place.source(repository)
    if ago is not None:
        source.kept.note(Attempt(at=NOW - ago, repository=mine(repository, place), problem=problem))
    assert source.pause(0.5) == pause
    assert abs(source.pause(0.0) - pause) <= JITTER * pause
    assert abs(source.pause(1.0) - pause) <= JITTER * pause


async def test_a_disk_that_refuses_even_the_note_does_not_make_it_ask_without_end(
    place: Place, repository: TufRepository
) -> None:
    (place.path / "trust").write_text("a file")
    source = place.source(repository)
    await source.refresh()
    assert source.kept.attempt() is None
    assert source.pause(0.5) == AFTER_FAILURE


def test_an_operator_is_told_when_nothing_worked_for_thirty_days(place: Place, repository: TufRepository) -> None:
    place.now = NOW
    source = place.source(repository)
    assert source.advice() is None
    source._note("no answer")
    assert source.advice() is None
    place.now = NOW + timedelta(days=31)
    source._note("no route")
    assert source.advice() == "the trusted root of [trust.acme] has not been refreshed for 31 days: no route"
    record = Fetched(
        sha256=sha256(FIRST).hexdigest(),
        by="tuf",
        where="x",
        repository=mine(repository, place),
        installed_at=NOW,
        confirmed_at=NOW + timedelta(days=10),
        shipped_sha256=None,
    )
    source.install(FIRST, fetched=record)
    assert source.advice() is None
    place.now = NOW + timedelta(days=50)
    assert source.advice() == "the trusted root of [trust.acme] has not been refreshed for 40 days: no route"
    source._note(None)
    assert source.advice() is None


def test_a_question_that_is_none_ends_the_updater() -> None:
    """As from a parent that died while it wrote."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "inbond.gateway.trust_updater"],
        input=b"", capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, b"")


def test_an_updater_whose_parent_has_gone_ends_by_itself(place: Place, repository: TufRepository) -> None:
    repository.faults = {"mute"}
    wanted = Wanted(
        directory=str(place.path / "acme"), url=repository.url, repository="x", bootstrap=repository.root_json,
        proxies=Proxies(), user_agent="x", shipped_sha256=None, seconds=1 - GRACE_SECONDS, install=True,
    )  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-P", "-m", "inbond.gateway.trust_updater"],
        input=msgspec.msgpack.encode(wanted), capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (-signal.SIGALRM, b"")

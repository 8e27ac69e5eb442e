"""`inbond cache stats` and `gc`: what is told, what goes, and what a server does meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sqlite3
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli.desk import Desk, configured
from inbond.cli import cache_gc_run, storing
from inbond.cli.config import StorageSettings, load_config
from inbond.cli.quota import Quota
from inbond.model.events import Observer
from inbond.store.documents import DiskDocuments
from inbond.store.eviction import evict
from inbond.store.files import open_shared
from inbond.store.space import Space
from sim.index import SimIndex
from stack import inbond

SIZE = 100_000


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return configured(tmp_path, '[storage]\nreserve = "0"\n')


def cache(desk: Desk) -> Path:
    return desk.place / "data" / "cache"


def storage_of(desk: Desk) -> StorageSettings:
    overrides = {"data": desk.place / "data"}
    return load_config(file=desk.place / "inbond.toml", overrides=overrides, environ={}).storage


def put(desk: Desk, number: int, *, age: float = 5000.0) -> Path:
    name = f"{number:064x}"
    path = cache(desk) / "blobs" / "sha256" / name[-2:] / name
    path.parent.mkdir(parents=True, exist_ok=True)
    (cache(desk) / "blobs" / "incoming").mkdir(exist_ok=True)
    path.write_bytes(bytes(SIZE))
    os.utime(path, (time.time() - age, time.time() - age))
    return path


def aside(desk: Desk) -> tuple[Path, Path]:
    """A broken database and a damaged file."""
    broken = cache(desk) / "documents.broken-1"
    broken.mkdir(parents=True)
    (broken / "cache.db").write_bytes(bytes(10))
    damaged = cache(desk) / "quarantine" / f"{'a' * 64}.1"
    damaged.parent.mkdir()
    damaged.write_bytes(bytes(20))
    return broken, damaged


def killed(desk: Desk) -> Path:
    """What a process left that is gone."""
    left = cache(desk) / "blobs" / "incoming" / "0123" / "growing"
    left.parent.mkdir(parents=True)
    left.write_bytes(bytes(30))
    return left


def test_a_cache_that_is_not_there_yet_is_empty(desk: Desk) -> None:
    assert desk.json("cache", "stats")["files"] == {"count": 0, "size": 0, "oldest_use": None}
    assert desk.json("cache", "gc") == {
        "directory": str(cache(desk)),
        "dry_run": False,
        "files": 0,
        "size": 0,
        "left": 0,
        "dead_processes": 0,
        "put_aside": 0,
    }


def test_stats_count_all_there_is(desk: Desk) -> None:
    put(desk, 1, age=90_000)
    put(desk, 2)
    aside(desk)
    killed(desk)
    said: dict[str, Any] = desk.json("cache", "stats")
    assert (said["files"]["count"], said["files"]["size"]) == (2, 2 * SIZE)
    assert said["files"]["oldest_use"] is not None
    assert [said[name]["size"] for name in ("growing", "documents", "quarantine", "aside")] == [30, 0, 20, 10]
    assert 0 < said["disk"]["free"] <= said["disk"]["size"]
    assert said["limits"]["files"] > said["limits"]["documents"] > 0
    text = desk.told("cache", "stats")
    assert "195.3 KiB of" in text
    assert "1 file damaged, in quarantine, 20 B" in text
    assert "nothing is stored" not in text


def test_stats_say_where_nothing_is_stored(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inbond.store.space.RESERVE_SHARE", 10)
    (desk.place / "inbond.toml").write_text('[storage]\nreserve = "999TB"\n')
    put(desk, 1)
    assert "nothing is stored: free some space" in desk.told("cache", "stats")


def test_what_somebody_has_removed_is_in_the_audit_trail(desk: Desk) -> None:
    assert asyncio.run(desk.did()) == []  # and the ledger is there
    put(desk, 1)
    desk.told("cache", "gc", "--to", "0", "--dry-run")
    desk.told("cache", "gc")
    desk.told("cache", "gc", "--to", "0")
    ((kind, _, target),) = asyncio.run(desk.did())
    assert (kind, target) == ("cache-changed", "gc")


def test_gc_leaves_what_may_be_left(desk: Desk) -> None:
    paths = [put(desk, number, age=5000 - number) for number in range(4)]
    left = killed(desk)
    broken, damaged = aside(desk)
    assert desk.json("cache", "gc", "--to", f"{2 * SIZE + 30}", "--dry-run")["files"] == 2
    assert "would go" in desk.told("cache", "gc", "--to", "0", "--older", "0", "--dry-run")
    assert all(path.exists() for path in (*paths, left, broken, damaged))

    said = desk.json("cache", "gc", "--to", f"{2 * SIZE}")
    assert (said["files"], said["left"], said["dead_processes"], said["put_aside"]) == (2, 2 * SIZE, 1, 0)
    assert [path.exists() for path in (*paths, left, broken, damaged)] == [False, False, True, True, False, True, True]
    assert "2 things put aside" in desk.told("cache", "gc", "--older", "0")
    assert not broken.exists()
    assert not damaged.exists()
    assert [path.exists() for path in paths] == [False, False, True, True]


@pytest.mark.parametrize(("free", "left"), [(0, 1), (16 * SIZE, 2), (100 * SIZE, 4)])
def test_the_limit_counts_what_the_cache_has_taken_as_free(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, free: int, left: int
) -> None:
    for number in range(4):
        put(desk, number, age=5000 - number)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    (cache(desk) / "documents").mkdir()
    (cache(desk) / "documents" / "cache.db").write_bytes(bytes(10 * SIZE))
    limits = desk.json("cache", "stats")["limits"]
    assert limits == {"files": (free + 14 * SIZE) * 8 // 100, "documents": (free + 14 * SIZE) * 2 // 100}
    quota = Quota(storage_of(desk))
    assert (quota.documents(), quota.files(4 * SIZE)) == (limits["documents"], limits["files"])
    assert desk.json("cache", "gc")["left"] == left * SIZE


def test_the_limit_of_documents_needs_no_walk_where_they_are_few(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    put(desk, 1)
    monkeypatch.setattr(Quota, "count", None)
    assert Quota(storage_of(desk)).documents() > 0


async def test_a_server_starts_on_a_full_disk_by_letting_files_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = configured(tmp_path, "")
    paths = [put(desk, number, age=5000 - number) for number in range(3)]
    monkeypatch.setattr(storing, "STARTING_BYTES", 2 * SIZE)
    really = storing.opened_documents

    def opened(storage: StorageSettings, quota: Quota, observer: Observer) -> DiskDocuments:
        assert [path.exists() for path in paths] == [False, False, True]
        patch.undo()
        return really(storage, quota, observer)

    monkeypatch.setattr("inbond.cli.foundation.opened_documents", opened)
    async with SimIndex() as index:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Space, "free", lambda _: 0)
            patch.setattr(Space, "to_remove", lambda _: 0)
            async with inbond(tmp_path, index):
                assert not paths[0].exists()


def test_gc_leaves_what_is_being_sent(desk: Desk) -> None:
    sent = put(desk, 1)
    put(desk, 2)
    with open_shared(sent):
        assert "the rest is being sent" in desk.told("cache", "gc", "--to", "0", code=1)
    assert sent.exists()
    assert desk.json("cache", "gc", "--to", "0")["left"] == 0


def test_gc_waits_for_a_server_that_evicts(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    put(desk, 1)
    monkeypatch.setattr(cache_gc_run, "TURN_SECONDS", 0.0)

    def busy(_total: int) -> int:
        assert "another process makes room" in desk.told("cache", "gc", code=2)
        return 0

    evict(cache(desk) / "blobs" / "sha256", busy, leased=lambda _: False)


@pytest.mark.parametrize(("option", "value"), [("--to", "much"), ("--older", "long")])
def test_what_cannot_be_understood_is_a_usage_error(desk: Desk, option: str, value: str) -> None:
    result = desk.run("cache", "gc", option, value)
    assert result.exit_code == 2
    assert value in result.stderr


def test_a_cache_that_cannot_be_read_is_told(desk: Desk) -> None:
    (cache(desk) / "blobs").mkdir(parents=True)
    (cache(desk) / "blobs" / "sha256").symlink_to("sha256")
    assert "refused to" in desk.told("cache", "stats", code=2)
    assert "refused to" in desk.told("cache", "gc", code=2)


async def test_readiness_tells_of_a_ledger_that_cannot_be_written(tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index) as proxy:
            with contextlib.closing(sqlite3.connect(tmp_path / "data" / "ledger" / "ledger.sqlite3")) as other:
                other.execute("CREATE TRIGGER full BEFORE INSERT ON file BEGIN SELECT RAISE(ABORT, 'it is full'); END")
            async with proxy.session.get(f"{proxy.origin}/simple/demo/") as answer:
                assert answer.status == 503
            async with proxy.session.get(f"{proxy.origin}/-/ready") as answer:
                said = await answer.json()
    assert (said["ready"], said["advice"]) == (True, {"ledger": "the ledger cannot be used: it is full"})


async def test_a_server_goes_on_beside(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index) as proxy:
            desk = Desk(tmp_path)
            await proxy.get(wheel.path)
            for path in (cache(desk) / "blobs" / "sha256").rglob(wheel.sha256):
                os.utime(path, (1, 1))
            assert ", 1; one was not used since 1970-01-01" in await desk.beside("cache", "stats")
            assert ": 1 file removed" in await desk.beside("cache", "gc", "--to", "0")
            assert (await proxy.get(wheel.path))[1] == wheel.content
            assert index.count("file") == 2
            growing = [path for path in (cache(desk) / "blobs" / "incoming").iterdir() if path.is_dir()]
            assert len(growing) == 1  # the server's own

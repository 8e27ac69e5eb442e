"""`inbond cache scrub`: what it prints and how it ends, beside a server and without one."""

from __future__ import annotations

import asyncio
import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from cli.desk import Desk, configured
from gateway.shelves import flip
from inbond.cli import transfer_progress
from inbond.gateway.scrub_rounds import ScrubRounds
from mirror.importing import Cargo, blob_path, fed, taken_over
from sim.index import SimIndex
from stack import ONE_INDEX, inbond


def cached_path(place: Path, sha256: str) -> Path:
    return place / "data" / "cache" / "blobs" / "sha256" / sha256[:2] / sha256


async def told_beside(desk: Desk, *arguments: str, code: int = 0) -> str:
    """What a command prints beside a server, whose log lines go the same way in this process."""
    lines = (await desk.beside("cache", "scrub", *arguments, code=code)).splitlines()
    return "\n".join(line for line in lines if not re.match(r"[0-9-]{10} [0-9:]{8} ", line))


async def test_rot_in_the_cache_is_named_put_aside_and_fetched_anew_by_the_server(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel, other = index.add_wheel("demo", "1.0"), index.add_wheel("demo", "2.0")
        async with inbond(tmp_path, index) as server:
            for one in (wheel, other):
                await server.get(await server.path_of("demo", one.filename))
            desk = Desk(tmp_path)
            size = len(wheel.content) + len(other.content)
            assert (await told_beside(desk)).startswith("2 files read, ")
            blob = cached_path(tmp_path, wheel.sha256)
            flip(blob)
            told = (await told_beside(desk, "--rate", "50MiB", code=1)).splitlines()
            aside = tmp_path / "data" / "cache" / "quarantine" / f"{wheel.sha256}.1"
            assert told[0].endswith(": 1 damaged")
            assert told[1].startswith(f"  {blob} has sha256 ")
            assert told[1].endswith(f": now {aside}")
            assert told[2] == "    it is fetched anew when it is asked for"
            path = await server.path_of("demo", wheel.filename)
            assert (await server.get(path))[:2] == (200, wheel.content)
            assert aside.read_bytes() != wheel.content
        said = json.loads(await told_beside(desk, "--format", "json"))
        assert (said["files"], said["size"], said["damaged"]) == (2, size, [])


async def test_of_an_imported_file_it_says_which_bundle_held_it(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0")
        place = tmp_path / "far"
        await taken_over(tmp_path / "here", index, place, Cargo(name="weekly"))
        async with fed(place, index) as far:
            assert (await far.get(await far.path_of("demo", wheel.filename)))[0] == 200
            blob = blob_path(place, wheel.sha256)
            flip(blob)
            told = await told_beside(Desk(place), code=1)
            assert "    import again what held it: weekly (demo)" in told.splitlines()
            assert (await far.get(await far.path_of("demo", wheel.filename)))[0] == 503
        aside = place / "data" / "mirror" / "quarantine" / f"{wheel.sha256}.1"
        aside.replace(blob)
        (found,) = json.loads(await told_beside(Desk(place), "--format", "json", code=1))["damaged"]
        assert (found["place"], found["path"], found["bundles"]) == ("mirror", str(blob), ["weekly (demo)"])
        assert found["quarantined"] == str(aside)


def test_what_does_not_belong_is_listed_and_no_damage(tmp_path: Path) -> None:
    desk = configured(tmp_path)
    assert desk.told("cache", "scrub") == "0 files read, 0 B: none damaged\n"
    content = tmp_path / "data" / "cache" / "blobs" / "sha256"
    for number in range(22):
        (content / f"notes-{number:02}").write_text("x")
    told = desk.told("cache", "scrub").splitlines()
    assert told[1] == f"  {content / 'notes-00'} was not put there by inbond"
    assert (len(told), told[-1]) == (22, "  and 2 more (--format json)")
    assert len(desk.json("cache", "scrub")["foreign"]) == 22


def test_what_cannot_be_read_or_put_aside_is_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = configured(tmp_path)
    desk.told("cache", "scrub")
    digest = "00" + "1" * 62
    blob = cached_path(tmp_path, digest)
    blob.parent.mkdir()
    blob.write_bytes(b"not these")
    (tmp_path / "data" / "cache" / "quarantine").write_text("in the way")
    assert desk.told("cache", "scrub", code=1).splitlines()[1].endswith(": it could not be put aside, and was removed")
    blob.write_bytes(b"nor these")

    def broken(*_: object) -> object:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("inbond.store.stamps.read", broken)
    (tmp_path / "data" / "cache" / "quarantine").unlink()
    aside = tmp_path / "data" / "cache" / "quarantine" / digest
    told = desk.told("cache", "scrub", code=1).splitlines()
    assert f"  {blob} cannot be read: Input/output error: now {aside}.1" in told
    blob.write_bytes(b"nor these")
    said = desk.json("cache", "scrub", code=1)["unread"]
    assert said == [{"path": str(blob), "reason": "Input/output error", "quarantined": f"{aside}.2"}]


def test_a_person_sees_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(transfer_progress, "Console", lambda **_: Console(file=shown, force_terminal=True, width=120))
    desk = configured(tmp_path)
    desk.told("cache", "scrub")
    assert "scrubbing" in shown.getvalue()


@pytest.mark.parametrize("rate", ["fast", "0"])
def test_a_rate_at_which_nothing_is_read_is_refused(tmp_path: Path, rate: str) -> None:
    assert "--rate" in configured(tmp_path).told("cache", "scrub", "--rate", rate, code=2)


def test_a_disk_that_refuses_is_an_error(tmp_path: Path) -> None:
    desk = configured(tmp_path)
    (tmp_path / "data").write_text("in the way")
    desk.told("cache", "scrub", code=2)


@pytest.mark.parametrize(("scrub", "goes_on"), [("30d", True), ("0", False)])
async def test_a_server_scrubs_behind_unless_it_is_told_not_to(tmp_path: Path, scrub: str, *, goes_on: bool) -> None:
    config = ONE_INDEX.replace("[upstreams", f'scrub = "{scrub}"\n[upstreams', 1)
    async with SimIndex() as index, inbond(tmp_path, index, config=config):
        names = [getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()]
        assert (f"{ScrubRounds.__name__}._run" in names) == goes_on

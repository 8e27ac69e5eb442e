"""Files of another mirror taken over by their digests: which, how, and what that does and does not mean."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from archive.building import WHEEL, files_of, member
from archive.building import wheel as built
from cli.desk import configured
from inbond.mirror.adopting import Adopter, Adoption, candidates_below
from inbond.model.errors import ConfigurationError
from inbond.store import taking_over
from inbond.store.taking_over import BlobTaker, Examined, FileChanged, How
from sim.index import SimFile, SimIndex
from stack import inbond

HOW = list(How)
NOW_REFUSED = datetime(2026, 2, 1, tzinfo=UTC)


def below(place: Path, *files: SimFile) -> Path:
    """As devpi lays files out: below a piece of their digest."""
    for file in files:
        path = place / "+f" / file.sha256[:3] / file.sha256[3:16] / file.filename
        path.parent.mkdir(parents=True)
        path.write_bytes(file.content)
    return place


def adopt(place: Path, cache: Path, how: How = How.COPY, *, room: int = 10**9) -> Adoption:
    with closing(BlobTaker(cache)) as taker:
        return Adopter(taker=taker, how=how, room=room).adopt(place, candidates_below(place), lambda _: None)


def stored(cache: Path) -> set[str]:
    return {path.name for path in (cache / "sha256").rglob("*") if path.is_file()}


@pytest.mark.parametrize("how", HOW)
async def test_a_request_for_an_adopted_file_costs_no_download(tmp_path: Path, how: How) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0")
        place = below(tmp_path / "devpi", wheel)
        adoption = adopt(place, tmp_path / "data" / "cache" / "blobs", how)
        assert (adoption.new, adoption.size, adoption.skipped) == (1, wheel.size, ())
        async with inbond(tmp_path, index) as proxy:
            assert (await proxy.get(wheel.path))[:2] == (200, wheel.content)
            assert index.count("file") == 0


async def test_nothing_is_trusted_by_being_adopted(tmp_path: Path) -> None:
    """Another file under the right name is not served; the right one is still judged."""
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0")
        bad = index.add_wheel("demo", "2.0")
        place = below(tmp_path / "devpi", bad)
        (place / wheel.filename).write_bytes(b"EVIL" * 50)
        adopt(place, tmp_path / "data" / "cache" / "blobs")
        more = '[policies.default]\ndeny = ["demo==2.0"]\n'
        async with inbond(tmp_path, index, more=more) as proxy:
            assert (await proxy.get(wheel.path))[:2] == (200, wheel.content)
            assert index.count("file") == 1
            status, body, _ = await proxy.get(bad.path)
            assert (status, b"rule deny" in body) == (403, True)


async def test_an_odd_archive_is_found_out_when_it_is_asked_for(tmp_path: Path) -> None:
    async with SimIndex() as index:
        odd = index.add_file("demo", WHEEL, built(files_of(), member("evil.py", b"import os")), upload_time=NOW_REFUSED)
        adopt(below(tmp_path / "devpi", odd), tmp_path / "data" / "cache" / "blobs")
        async with inbond(tmp_path, index, more='[policies.default]\nmin_age = "0"\n') as proxy:
            status, body, _ = await proxy.get(odd.path)
            assert (status, b"rule archive" in body) == (403, True)
            assert index.count("file") == 0


@pytest.mark.parametrize("how", HOW)
def test_where_the_files_are_afterwards(tmp_path: Path, how: How) -> None:
    place, cache = tmp_path / "wheels", tmp_path / "cache"
    place.mkdir()
    wheel = place / "demo-1.0-py3-none-any.whl"
    wheel.write_bytes(b"content")
    inode = wheel.stat().st_ino
    adopt(place, cache, how)
    (blob,) = (path for path in (cache / "sha256").rglob("*") if path.is_file())
    match how:
        case How.COPY:
            assert wheel.stat().st_ino == inode != blob.stat().st_ino
            assert stat.S_IMODE(blob.stat().st_mode) == 0o600
        case How.MOVE:
            assert not wheel.exists()
            assert blob.stat().st_ino == inode
            assert stat.S_IMODE(blob.stat().st_mode) == 0o600
        case How.LINK:
            assert wheel.stat().st_ino == inode == blob.stat().st_ino
            assert not stat.S_IMODE(blob.stat().st_mode) & 0o222
    assert list((cache / "incoming").iterdir()) == []


def test_only_distributions_are_taken_and_no_link_is_followed(tmp_path: Path) -> None:
    place = tmp_path / "web"
    (place / "deep" / "er").mkdir(parents=True)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "linked-1.0-py3-none-any.whl").write_bytes(b"outside")
    (place / "deep" / "er" / "demo-1.0.tar.gz").write_bytes(b"sdist")
    (place / "demo-1.0.zip").write_bytes(b"zip")
    (place / "demo-1.0-py3-none-any.whl").write_bytes(b"wheel")
    (place / "demo-1.0-py3-none-any.whl.metadata").write_bytes(b"metadata")
    (place / "demo-1.0.exe").write_bytes(b"legacy")
    (place / "index.html").write_bytes(b"page")
    (place / "not a name.whl").write_bytes(b"no")
    (place / "empty-1.0.tar.gz").write_bytes(b"")
    (place / "away").symlink_to(outside)
    (place / "alias-1.0.tar.gz").symlink_to(outside / "linked-1.0-py3-none-any.whl")
    adoption = adopt(place, tmp_path / "cache")
    assert adoption.new == len(stored(tmp_path / "cache")) == 3
    assert [(one.path.name, one.reason) for one in adoption.skipped] == [("empty-1.0.tar.gz", "it is empty")]


def test_the_same_bytes_are_taken_once_and_what_is_there_is_left_alone(tmp_path: Path) -> None:
    place = tmp_path / "wheels"
    for name in ("one", "two"):
        (place / name).mkdir(parents=True)
        (place / name / "demo-1.0-py3-none-any.whl").write_bytes(b"same")
    first = adopt(place, tmp_path / "cache", How.MOVE)
    assert (first.new, first.there) == (1, 1)
    again = adopt(place, tmp_path / "cache", How.MOVE)
    assert (again.new, again.there) == (0, 1)
    assert len(list(place.rglob("*.whl"))) == 1  # what was there already was not taken away


def test_it_stops_before_the_limit(tmp_path: Path) -> None:
    place = tmp_path / "wheels"
    place.mkdir()
    for number in range(5):
        (place / f"demo-{number}.0-py3-none-any.whl").write_bytes(bytes([number]) * 100)
    adoption = adopt(place, tmp_path / "cache", room=250)
    assert (adoption.new, adoption.no_room, adoption.size) == (2, 3, 200)


@pytest.mark.parametrize("how", HOW)
def test_a_file_that_changes_after_it_was_read_is_not_taken(tmp_path: Path, how: How) -> None:
    wheel = tmp_path / "demo-1.0-py3-none-any.whl"
    wheel.write_bytes(b"before")
    with closing(BlobTaker(tmp_path / "cache")) as taker:
        found = taker.examine(wheel)
        wheel.write_bytes(b"after!")
        os.utime(wheel, ns=(1, 1))
        with pytest.raises(FileChanged):
            taker.take(wheel, found, how)
    assert wheel.read_bytes() == b"after!"
    assert stored(tmp_path / "cache") == set()


class _Growing(BlobTaker):
    """As if somebody wrote the file while it is read."""

    def take(self, source: Path, found: Examined, how: How) -> None:
        source.write_bytes(b"more than there was")
        super().take(source, found, how)


def test_a_file_that_is_being_written_is_passed_over_and_its_room_is_free_again(tmp_path: Path) -> None:
    place = tmp_path / "wheels"
    place.mkdir()
    (place / "demo-1.0-py3-none-any.whl").write_bytes(b"first")
    with closing(_Growing(tmp_path / "cache")) as taker:
        adopter = Adopter(taker=taker, how=How.COPY, room=100)
        adoption = adopter.adopt(place, candidates_below(place), lambda _: None)
    assert [one.reason for one in adoption.skipped] == ["it changed while it was read: somebody still writes it"]
    assert adopter.room == 100


def test_a_damaged_blob_is_replaced(tmp_path: Path) -> None:
    place = tmp_path / "wheels"
    place.mkdir()
    (place / "demo-1.0-py3-none-any.whl").write_bytes(b"content")
    adopt(place, tmp_path / "cache")
    (blob,) = (path for path in (tmp_path / "cache" / "sha256").rglob("*") if path.is_file())
    blob.write_bytes(b"cut")
    assert adopt(place, tmp_path / "cache").new == 1
    assert blob.read_bytes() == b"content"


def _unlinkable(code: int) -> Callable[..., None]:
    def refused(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    return refused


def test_across_file_systems_a_move_is_a_copy_and_a_link_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "wheels"
    place.mkdir()
    wheel = place / "demo-1.0-py3-none-any.whl"
    wheel.write_bytes(b"content")
    monkeypatch.setattr(os, "link", _unlinkable(errno.EXDEV))
    with pytest.raises(ConfigurationError, match="another file system than the cache"):
        adopt(place, tmp_path / "cache", How.LINK)
    assert adopt(place, tmp_path / "cache", How.MOVE).new == 1
    assert not wheel.exists()
    assert len(stored(tmp_path / "cache")) == 1


@pytest.mark.parametrize("how", [How.MOVE, How.LINK])
def test_a_file_that_may_not_be_linked_is_passed_over(
    tmp_path: Path, how: How, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "wheels"
    place.mkdir()
    (place / "demo-1.0-py3-none-any.whl").write_bytes(b"content")
    monkeypatch.setattr(os, "link", _unlinkable(errno.EPERM))
    adoption = adopt(place, tmp_path / "cache", how)
    assert [one.reason for one in adoption.skipped] == ["it cannot be taken: Operation not permitted"]
    assert len(list(place.iterdir())) == 1


def test_a_file_that_grows_while_it_is_read_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "wheels"
    place.mkdir()
    wheel = place / "demo-1.0-py3-none-any.whl"
    wheel.write_bytes(b"content")
    original = taking_over._read

    def grows(*arguments: Any) -> tuple[str, int]:
        read = original(*arguments)
        wheel.write_bytes(b"content and more")
        return read

    monkeypatch.setattr(taking_over, "_read", grows)
    assert [one.reason for one in adopt(place, tmp_path / "cache").skipped] == [
        "it changed while it was read: somebody still writes it"
    ]


def test_a_directory_that_goes_away_while_it_is_walked_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "wheels"
    (place / "a").mkdir(parents=True)
    (place / "demo-1.0-py3-none-any.whl").write_bytes(b"content")
    original = os.scandir

    def gone(path: Path) -> Any:
        if path == place / "a":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return original(path)

    monkeypatch.setattr(os, "scandir", gone)
    found = candidates_below(place)
    assert [one.path.name for one in found.candidates] == ["demo-1.0-py3-none-any.whl"]
    assert [(one.path, one.reason) for one in found.skipped] == [(place / "a", "it cannot be read: Permission denied")]
    with pytest.raises(ConfigurationError, match="is no directory"):
        candidates_below(place / "none")


# --- the command


def test_the_command_tells_what_it_took(tmp_path: Path) -> None:
    place = tmp_path / "wheels"
    place.mkdir()
    (place / "demo-1.0-py3-none-any.whl").write_bytes(b"content")
    desk = configured(tmp_path)
    told = desk.told("cache", "adopt", str(place))
    assert "1 file taken over, 7 B; 0 were in the cache already" in told
    said = desk.json("cache", "adopt", str(place))
    assert (said["new"], said["there"], said["no_room"], said["skipped"]) == (0, 1, 0, [])


def test_the_command_says_what_it_left(tmp_path: Path) -> None:
    place = tmp_path / "wheels"
    place.mkdir()
    for number in range(25):
        (place / f"empty-{number}.tar.gz").write_bytes(b"")
    (place / "large-1.0.tar.gz").write_bytes(b"x" * 2**20)
    desk = configured(tmp_path, '[storage]\nmax_size = "1MiB"\n')
    told = desk.told("cache", "adopt", str(place), code=1)
    assert "1 file left: the cache's limit would have others removed" in told
    assert "passed over" in told
    assert "and 5 more" in told
    assert len(json.loads(desk.told("cache", "adopt", str(place), "--format", "json", code=1))["skipped"]) == 25


def test_the_command_refuses_what_makes_no_sense(tmp_path: Path) -> None:
    here = configured(tmp_path)
    assert "exclude each other" in here.run("cache", "adopt", str(tmp_path), "--move", "--link").stderr
    assert here.run("cache", "adopt", str(tmp_path / "none")).exit_code == 2
    (tmp_path / "data").write_text("in the way")
    result = here.run("cache", "adopt", str(tmp_path))
    assert (result.exit_code, "the disk refused to take over files" in result.stderr) == (2, True)

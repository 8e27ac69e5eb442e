"""What `inbond check` may be pointed at: files, typed requirements, and whatever else has a path."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from check.support import OLD
from cli.test_check import Here
from inbond.cli.check_targets import MAX_FILE_BYTES, Target, read_file, read_lock_file, read_targets
from inbond.locks.lock import FromDirectory, FromFile, FromUrl, InvalidLock, LockFormat
from sim.index import SimIndex

PYLOCK = 'lock-version = "1.0"\ncreated-by = "by hand"\n'


@pytest.fixture(autouse=True)
def in_its_own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def package(name: str, marker: str) -> str:
    wheel = f'{{ url = "https://files.example/{name}-1.0-py3-none-any.whl", hashes = {{ sha256 = "{"0" * 64}" }} }}'
    return f'[[packages]]\nname = "{name}"\nversion = "1.0"\nmarker = "{marker}"\nwheels = [{wheel}]\n'


def here(text: str, name: str) -> Target:
    Path(name).write_text(text, encoding="utf-8")
    return read_file(Path(name), here=True)


def kept(target: Target) -> list[str]:
    return [str(one.project) for one in target.lock.dependencies]


@pytest.mark.parametrize(
    "marker",
    [
        "'dev' in dependency_groups",
        "'net' in extras",
        "sys_platform == 'win32' and 'net' in extras",
        "python_version ~= 'x'",
    ],
)
def test_what_cannot_be_decided_here_is_kept(marker: str) -> None:
    target = here(PYLOCK + package("demo", marker) + package("other", "sys_platform == 'win32'"), "pylock.toml")
    assert kept(target) == ["demo"]
    assert target.left_out == 1


def test_a_marker_that_names_an_extra_is_kept() -> None:
    target = here("demo==1.0 ; extra == 'x'\nother==1.0 ; os_name == 'extra'\n", "requirements.txt")
    assert kept(target) == ["demo"]


def test_typed_requirements_have_markers_too() -> None:
    (target,) = read_targets(["demo==1.0 ; sys_platform == 'win32'", "other"], here=True)
    assert (kept(target), target.left_out) == (["other"], 1)


async def test_how_many_were_left_out_is_told(tmp_path: Path) -> None:
    async with SimIndex() as index:
        place = Here(tmp_path, index)
        index.add_wheel("demo", "1.0", upload_time=OLD)
        place.requirements(["demo==1.0", *(f"win{number}==1.0 ; sys_platform == 'win32'" for number in range(3))])
        words = await place.check("requirements.txt", "--here")
        found = await place.json("requirements.txt", "--here")
    assert "left out by --here: 3 dependencies for other machines\n" in words.stdout
    assert found["locks"][0]["totals"]["left_out"] == 3


@pytest.mark.parametrize("name", ["src", "setup", "docs.d"])
def test_a_directory_is_no_project(name: str) -> None:
    Path(name).mkdir()
    with pytest.raises(InvalidLock, match=f"^{name}: a directory, not a lock$") as told:
        read_targets([name], here=False)
    assert "NAME==VERSION" in str(told.value.remedy)
    (Path(name) / "uv.lock").write_text("")
    with pytest.raises(InvalidLock) as told:
        read_targets([name], here=False)
    assert told.value.remedy == f"name the lock in it: {Path(name) / 'uv.lock'}"


@pytest.mark.parametrize("name", ["Pipfile", "setup.py", "setup.cfg", "environment.yml", "Demo-1.0.TAR.GZ", "uv.lock"])
def test_a_missing_file_is_no_project(name: str) -> None:
    with pytest.raises(InvalidLock, match="cannot be read: No such file"):
        read_targets([name], here=False)


@pytest.mark.parametrize("spec", ["demo@{}", "demo @ {}", "demo[a,b]@{}"])
def test_a_direct_reference_is_a_requirement(spec: str) -> None:
    url = "https://files.example/demo-1.0-py3-none-any.whl"
    (target,) = read_targets([spec.format(url)], here=False)
    assert target.lock.format is LockFormat.REQUIREMENT
    assert target.lock.dependencies[0].source == FromUrl(url)


def test_a_requirement_longer_than_a_file_name_may_be() -> None:
    extras = ",".join(f"extra{number}" for number in range(200))
    (target,) = read_targets([f"demo[{extras}]"], here=False)
    assert kept(target) == ["demo"]


@pytest.mark.parametrize("name", ["requirements.txt", "uv.lock", "demo-1.0.tar.gz"])
def test_only_regular_files_are_read(name: str) -> None:
    os.mkfifo(name)  # nobody writes: to read it would wait for ever
    with pytest.raises(InvalidLock, match="cannot be read: not a regular file"):
        read_file(Path(name))


@pytest.mark.parametrize("included", ["pipe", "/dev/zero", "/proc/self/environ"])
def test_only_regular_files_are_included(included: str) -> None:
    os.mkfifo("pipe")
    Path("requirements.txt").write_text(f"-r {included}\n")
    with pytest.raises(InvalidLock, match=r"requirements\.txt:1: .*not a regular file"):
        read_lock_file(Path("requirements.txt"))


def test_no_more_is_read_than_a_lock_may_hold() -> None:
    with Path("requirements.txt").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(InvalidLock, match="cannot be read: larger than 50 MiB"):
        read_file(Path("requirements.txt"))


async def test_the_locks_own_entries_are_listed(tmp_path: Path) -> None:
    async with SimIndex() as index:
        place = Here(tmp_path, index)
        wheel = index.add_wheel("demo", "1.0", upload_time=OLD)
        own = "".join(
            f'[[package]]\nname = "own{number}"\nversion = "0.{number}"\nsource = {{ editable = "own/{number}" }}\n'
            for number in range(7)
        )
        (tmp_path / "uv.lock").write_text(
            f'version = 1\nrequires-python = ">=3.11"\n{own}[[package]]\nname = "demo"\nversion = "1.0"\n'
            f'source = {{ registry = "{index.url}" }}\n'
            f'wheels = [{{ url = "{index.origin}{wheel.path}", hash = "sha256:{wheel.sha256}" }}]\n'
        )
        words = await place.check("uv.lock")
        found = await place.json("uv.lock")
    assert "(7 of its own, not from an index: own0, own1, own2, own3, own4 and 2 more): " in words.stdout
    (lock,) = found["locks"]
    assert lock["totals"]["own"] == 7
    assert lock["own"][1] == {"project": "own1", "version": "0.1", "file": "uv.lock", "line": 7}


async def test_names_of_files_give_a_terminal_no_orders(tmp_path: Path) -> None:
    name = "x\x1b[31mRED\x9b\u202e:boom:\udcff.txt"
    async with SimIndex() as index:
        place = Here(tmp_path, index)
        index.add_wheel("demo", "1.0", upload_time=OLD)
        place.requirements(["demo", "gone==1.0"], name)
        words = await place.check(name)
        as_json = await place.check(name, "--format", "json")
        sarif = await place.check(name, "--format", "sarif")
        against = await place.check("demo==1.0", "--against", name)
        missing = await place.check(f"no{name}")
    for told in (words, against, missing):
        said = told.stdout + told.stderr
        assert all(char.isprintable() or char == "\n" for char in said), said
        assert ":boom:" in said
    assert words.returncode == as_json.returncode == sarif.returncode == 1
    assert as_json.stdout.isascii()
    assert sarif.stdout.isascii()
    log = json.loads(sarif.stdout)
    uri = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == "x%1B%5B31mRED%C2%9B%E2%80%AE%3Aboom%3A%FF.txt"


async def test_what_was_typed_stands_in_no_file(tmp_path: Path) -> None:
    async with SimIndex() as index:
        place = Here(tmp_path, index)
        index.add_wheel("demo", "1.0", upload_time=OLD)
        result = await place.check("gone==1.0", "--format", "sarif")
    (found,) = json.loads(result.stdout)["runs"][0]["results"]
    assert "locations" not in found
    assert "command" not in json.dumps(found)


def test_a_directory_that_is_a_file_is_not_the_projects_own(tmp_path: Path) -> None:
    """pip unpacks an archive whatever it is called."""
    (tmp_path / "vendor").mkdir()
    (tmp_path / "vendor" / "blob").write_bytes(b"x")
    (tmp_path / "vendor" / "sources").mkdir()
    lock = tmp_path / "requirements.txt"
    lock.write_text("demo @ file:vendor/blob\nother @ file:vendor/sources\n")
    demo, other = read_file(lock).lock.dependencies
    assert demo.source == FromFile("vendor/blob")
    assert other.source == FromDirectory("vendor/sources", own=True)

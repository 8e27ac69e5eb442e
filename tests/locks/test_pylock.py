"""pylock.toml (PEP 751): sources, files, what a newer minor version may bring, and what is refused."""

from __future__ import annotations

import pytest
from packaging.markers import Marker

from inbond.locks.lock import Dependency, FromDirectory, FromFile, FromIndex, FromUrl, FromVcs, InvalidLock, LockFormat
from inbond.locks.pylock import read_pylock
from locks.toml_locks import FILES, INDEX, PYLOCK, A, B


def dependencies(text: str = PYLOCK) -> dict[str, Dependency]:
    return {str(one.project): one for one in read_pylock("pylock.toml", text.encode()).dependencies}


def test_a_dependency_from_an_index() -> None:
    demo = dependencies()["demo"]
    assert demo.source == FromIndex(f"{INDEX}/")
    assert demo.marker == Marker("sys_platform == 'linux'")
    assert demo.hashed
    sdist, wheel = demo.files
    assert (sdist.filename, sdist.size, sdist.sha256) == ("demo-1.0.tar.gz", 12, A)
    assert sdist.url == f"{FILES}/aa/bb/cc/demo-1.0.tar.gz"
    assert wheel.digests == {"sha256": B, "md5": "0"}
    lines = PYLOCK.split("\n")
    assert all(str(file.filename) in lines[file.place.line - 1] for file in demo.files)


def test_an_entry_without_index_in_the_form_of_tables() -> None:
    plain = dependencies()["plain"]
    assert plain.source == FromIndex()
    assert [file.filename for file in plain.files] == ["plain-2.0-py3-none-any.whl"]
    assert PYLOCK.split("\n")[plain.place.line] == 'name = "plain"'


@pytest.mark.parametrize(
    ("project", "source", "files"),
    [
        ("fetched", FromUrl("https://else.example/archive/fetched-3.tar.gz"), ["fetched-3.tar.gz"]),
        ("kept", FromFile("kept/kept-3.tar.gz"), ["kept-3.tar.gz"]),
        ("cloned", FromVcs("git+https://forge.example/cloned@0123abcd"), []),
        ("app", FromDirectory(".", own=True), []),
    ],
)
def test_sources(project: str, source: object, files: list[str]) -> None:
    found = dependencies()[project]
    assert found.source == source
    assert found.version is None
    assert not found.specifier
    assert [file.filename for file in found.files] == files


def test_indexes() -> None:
    lock = read_pylock("pylock.toml", PYLOCK.encode())
    assert lock.format is LockFormat.PYLOCK
    assert [index.url for index in lock.indexes] == [f"{INDEX}/"]


HEAD = 'lock-version = "1.0"\ncreated-by = "a tool"\n'
PACKAGE = f'{HEAD}[[packages]]\nname = "x"\n'


@pytest.mark.parametrize("path", ["vendor/x-1.tar.zst", "vendor/X-1.TAR.GZ", "vendor/blob"])
def test_an_archive_on_disk_whatever_its_name(path: str) -> None:
    found = dependencies(f'{PACKAGE}archive = {{ path = "{path}", hashes = {{ sha256 = "{A}" }} }}')["x"]
    assert found.source == FromFile(path)
    assert [(str(file.filename), file.sha256) for file in found.files] == [(path.rpartition("/")[2], A)]


@pytest.mark.parametrize(("path", "own"), [("./x", True), ("x", True), ("../x", False), ("/tmp/elsewhere/x", False)])
def test_a_directory_is_the_projects_own_where_it_is_below_the_lock(path: str, own: bool) -> None:
    assert dependencies(f'{PACKAGE}directory = {{ path = "{path}" }}')["x"].source == FromDirectory(path, own=own)


def test_a_newer_minor_version_is_read() -> None:
    newer = HEAD.replace("1.0", "1.1") + 'packages = []\nnew-key = "?"'
    assert read_pylock("pylock.toml", newer.encode()).dependencies == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "pylock.toml: lock-version is missing"),
        (HEAD.replace("1.0", "2.0"), "pylock.toml: version '2.0' of pylock.toml is not supported, only 1.x"),
        (HEAD, "pylock.toml: packages: Missing required value"),
        (f"{HEAD}[[packages]]\nname = 'X'", "pylock.toml:3: package X: name: Name 'X' is not normalized"),
        (PACKAGE, "pylock.toml:3: package x: Exactly one of vcs, directory, archive must be set"),
        (
            f"{PACKAGE}wheels = [{{ url = 'https://f.example/y-1-py3-none-any.whl', hashes = {{ sha256 = '00' }} }}]",
            "pylock.toml:3: package x: wheels[0]: Name in 'y-1-py3-none-any.whl' is not consistent",
        ),
        (
            f"{PACKAGE}sdist = {{ url = 'https://f.example/x-1.tar.gz', hashes = {{ sha256 = 'zz' }} }}",
            "pylock.toml:3: package x: hash 'sha256:zz' is not a hash function's name",
        ),
        (
            f"{PACKAGE}sdist = {{ url = 'https://f.example/x-1.tar.gz', size = -1, hashes = {{ sha256 = '00' }} }}",
            "pylock.toml:3: package x: size is not a whole number from 0 on",
        ),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidLock) as caught:
        read_pylock("pylock.toml", text.encode())
    assert str(caught.value).startswith(message)

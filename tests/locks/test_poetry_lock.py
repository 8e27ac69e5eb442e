"""poetry.lock: sources, markers by group, the older forms, and what is refused."""

from __future__ import annotations

import pytest
from packaging.markers import Marker

from inbond.locks.lock import Dependency, FromDirectory, FromFile, FromIndex, FromUrl, FromVcs, InvalidLock, LockFormat
from inbond.locks.poetry_lock import read_poetry_lock
from locks.toml_locks import POETRY, A, B


def dependencies(text: str = POETRY) -> dict[str, Dependency]:
    return {str(one.project): one for one in read_poetry_lock("poetry.lock", text.encode()).dependencies}


def test_a_dependency_from_an_index() -> None:
    demo = dependencies()["demo-app"]
    assert str(demo.specifier) == "==1.0"
    assert demo.source == FromIndex()
    assert demo.hashed
    assert [(file.filename, file.sha256, file.url) for file in demo.files] == [
        ("demo_app-1.0-py3-none-any.whl", A, None),
        ("demo_app-1.0.tar.gz", B, None),
    ]
    lines = POETRY.split("\n")
    assert all(str(file.filename) in lines[file.place.line - 1] for file in demo.files)


def test_markers_are_given_for_all_or_by_group() -> None:
    found = dependencies()
    assert found["windowed"].marker == Marker("sys_platform == 'win32'")
    assert found["demo-app"].marker == Marker("sys_platform == 'linux' or sys_platform == 'win32'")
    assert found["everywhere"].marker is None  # its group main has none
    assert not found["windowed"].hashed


@pytest.mark.parametrize(
    ("project", "source"),
    [
        ("private", FromIndex("https://index.example/simple")),
        ("cloned", FromVcs("git+https://forge.example/cloned.git@0123abcd")),
        ("fetched", FromUrl("https://else.example/fetched-4.0.tar.gz")),
        ("beside", FromDirectory("../beside")),
    ],
)
def test_sources(project: str, source: object) -> None:
    assert dependencies()[project].source == source


@pytest.mark.parametrize(
    ("kind", "path", "files", "source"),
    [
        ("directory", "tools/x", "", FromDirectory("tools/x", own=True)),
        ("directory", "/tmp/x", "", FromDirectory("/tmp/x")),
        ("directory", "tools/x", '{file = "x-1.tar.gz"}', FromDirectory("tools/x")),
        ("file", "vendor/x-1.tar.xz", '{file = "x-1.tar.xz"}', FromFile("vendor/x-1.tar.xz")),
        ("file", "vendor/blob", "", FromFile("vendor/blob")),
    ],
)
def test_what_is_on_disk(kind: str, path: str, files: str, source: object) -> None:
    text = f'[[package]]\nname = "x"\nfiles = [{files}]\nsource = {{ type = "{kind}", url = "{path}" }}\n[metadata]\n'
    assert dependencies(text)["x"].source == source


def test_a_private_index_is_named_without_its_password() -> None:
    lock = read_poetry_lock("poetry.lock", POETRY.encode())
    assert lock.format is LockFormat.POETRY
    assert [index.url for index in lock.indexes] == ["https://***@index.example/simple"]
    assert lock.indexes[0].place.line == POETRY.split("\n").index('url = "https://me:secret@index.example/simple"') + 1


PACKAGES = '[[package]]\nname = "Demo_App"\nversion = "1.0"\n[[package]]\nname = "other"\nversion = "1.0"\n'


def test_the_form_before_1_3_keeps_files_below_metadata() -> None:
    metadata = '[metadata]\nlock-version = "1.1"\n[metadata.files]\n'
    files = f'{metadata}demo-app = [{{file = "demo-1.tar.gz", hash = "sha256:{A}"}}]'
    found = dependencies(PACKAGES + files)
    assert [(file.filename, file.sha256) for file in found["demo-app"].files] == [("demo-1.tar.gz", A)]
    assert found["other"].files == ()


def test_the_first_form_has_digests_alone() -> None:
    found = dependencies(f'{PACKAGES}[metadata]\n[metadata.hashes]\n"Demo.App" = ["{A}", "{B}"]')
    assert [(file.filename, file.sha256) for file in found["demo-app"].files] == [(None, A), (None, B)]
    assert found["demo-app"].hashed


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        (PACKAGES, "poetry.lock: [metadata] is missing", "poetry lock"),
        (
            '[metadata]\nlock-version = "3.0"',
            "poetry.lock: metadata: version '3.0' of poetry.lock is not supported, only 1.x and 2.x",
            "made by a newer poetry than this inbond knows; update inbond",
        ),
        ('[metadata]\nlock-version = "0.1"', "poetry.lock: metadata: version '0.1' of", "made by an old poetry"),
        (
            '[metadata]\nlock-version = "new"',
            "poetry.lock: metadata: 'new' is not a version of the format",
            "lock again",
        ),
        (
            '[[package]]\nname = "x"\n[package.source]\ntype = "cvs"\nurl = "y"\n[metadata]',
            "poetry.lock:1: package x: source: type 'cvs' is not known",
            "update inbond",
        ),
        (
            '[[package]]\nname = "x"\nfiles = [{hash = "sha256:00"}]\n[metadata]',
            "poetry.lock:1: package x: files: file is missing",
            "",
        ),
        (
            '[[package]]\nname = "x"\nfiles = [{file = 1}]\n[metadata]',
            "poetry.lock:1: package x: files: file is not a text",
            "",
        ),
    ],
)
def test_what_is_refused(text: str, message: str, remedy: str) -> None:
    with pytest.raises(InvalidLock) as caught:
        read_poetry_lock("poetry.lock", text.encode())
    assert str(caught.value).startswith(message)
    assert remedy in (caught.value.remedy or "")


def test_one_marker_for_all_groups() -> None:
    markers = "markers = {main = \"os_name == 'nt'\", dev = \"os_name == 'nt'\"}"
    text = f'[[package]]\nname = "x"\ngroups = ["main", "dev"]\n{markers}\n[metadata]\n'
    assert dependencies(text)["x"].marker == Marker("os_name == 'nt'")


def test_markers_in_the_older_key_and_a_source_without_type() -> None:
    text = (
        '[[package]]\nname = "x"\nmarker = "os_name == \'nt\'"\n[package.source]\nurl = "https://i.example"\n[metadata]'
    )
    found = dependencies(text)["x"]
    assert found.marker == Marker("os_name == 'nt'")
    assert found.source == FromIndex("https://i.example")

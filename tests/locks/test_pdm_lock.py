"""pdm.lock: sources, extras, static URLs, the older form, and what is refused."""

from __future__ import annotations

import pytest
from packaging.markers import Marker

from inbond.locks.lock import Dependency, FromDirectory, FromFile, FromIndex, FromUrl, FromVcs, InvalidLock, LockFormat
from inbond.locks.pdm_lock import read_pdm_lock
from locks.toml_locks import FILES, PDM, A


def dependencies(text: str = PDM) -> tuple[Dependency, ...]:
    return read_pdm_lock("pdm.lock", text.encode()).dependencies


def test_a_dependency_and_once_more_with_its_extras() -> None:
    plain, with_extras, *_ = dependencies()
    assert plain.project == with_extras.project == "demo"
    assert plain.marker == Marker("sys_platform == 'win32'")
    assert [sorted(one.extras) for one in (plain, with_extras)] == [[], ["fast", "wide"]]
    assert [(file.filename, file.url, file.sha256) for file in plain.files] == [("demo-1.0-py3-none-any.whl", None, A)]
    assert plain.hashed


def test_static_urls() -> None:
    [file] = dependencies()[1].files
    assert file.filename == "demo-1.0-py3-none-any.whl"
    assert file.url == f"{FILES}/aa/bb/cc/demo-1.0-py3-none-any.whl"
    assert file.url in PDM.split("\n")[file.place.line - 1]


def test_sources() -> None:
    assert [one.source for one in dependencies()] == [
        FromIndex(),
        FromIndex(),
        FromVcs("git+ssh://git@forge.example/cloned.git@0123abcd"),
        FromUrl("https://else.example/fetched-3.0.tar.gz"),
        FromDirectory(".", own=True),
    ]
    assert read_pdm_lock("pdm.lock", PDM.encode()).format is LockFormat.PDM


@pytest.mark.parametrize(
    ("path", "files", "source"),
    [
        ("./tools/x", "", FromDirectory("./tools/x", own=True)),
        ("../x", "", FromDirectory("../x")),
        ("./vendor/x-1.tar.zst", "", FromFile("./vendor/x-1.tar.zst")),
        ("./vendor/X-1.TAR.GZ", "", FromFile("./vendor/X-1.TAR.GZ")),
        ("./vendor/blob", '{file = "blob"}', FromFile("./vendor/blob")),
    ],
)
def test_what_is_on_disk(path: str, files: str, source: object) -> None:
    head = '[metadata]\nlock_version = "4.5"\n[[package]]\nname = "x"\n'
    assert dependencies(f'{head}path = "{path}"\nfiles = [{files}]\n')[0].source == source


def test_the_form_before_4_2_keeps_files_below_metadata() -> None:
    [found] = dependencies(
        '[[package]]\nname = "Demo"\nversion = "1.0"\n[metadata]\nlock_version = "4.0"\n'
        f'[metadata.files]\n"Demo 1.0" = [{{file = "demo-1.0.tar.gz", hash = "sha256:{A}"}}]'
    )
    assert [file.filename for file in found.files] == ["demo-1.0.tar.gz"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "pdm.lock: [metadata] is missing"),
        ("[metadata]", "pdm.lock: metadata: lock_version is missing"),
        (
            '[metadata]\nlock_version = "5.0"',
            "pdm.lock: metadata: version '5.0' of pdm.lock is not supported, only 4.x",
        ),
        (
            '[metadata]\nlock_version = "4.5"\n[[package]]\nname = "x"\nfiles = [{hash = "sha256:00"}]',
            "pdm.lock:3: package x: files: names no file: url and file are missing",
        ),
        (
            '[metadata]\nlock_version = "4.5"\n[[package]]\nname = "x"\nextras = [1]',
            "pdm.lock:3: package x: an item of extras is not a text",
        ),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidLock) as caught:
        read_pdm_lock("pdm.lock", text.encode())
    assert str(caught.value).startswith(message)

"""uv.lock: every kind of source, files, forks, extras, and what is refused."""

from __future__ import annotations

import pytest
from packaging.version import Version

from inbond.locks.lock import Dependency, FromDirectory, FromFile, FromIndex, FromUrl, FromVcs, InvalidLock, LockFormat
from inbond.locks.uv_lock import read_uv_lock
from locks.toml_locks import FILES, INDEX, UV, A, B


def dependencies() -> dict[str, list[Dependency]]:
    found: dict[str, list[Dependency]] = {}
    for dependency in read_uv_lock("uv.lock", UV.encode()).dependencies:
        found.setdefault(str(dependency.project), []).append(dependency)
    return found


def test_a_dependency_from_an_index() -> None:
    [demo] = dependencies()["demo"]
    assert demo.version == Version("1.0+cpu")
    assert str(demo.specifier) == "==1.0+cpu"
    assert demo.source == FromIndex(INDEX)
    assert demo.hashed
    assert demo.marker is None
    sdist, wheel = demo.files
    assert (sdist.filename, sdist.size, sdist.digests) == ("demo-1.0+cpu.tar.gz", 12, {"sha256": A})
    assert wheel.filename == "demo-1.0+cpu-py3-none-any.whl"
    assert wheel.sha256 == B
    assert wheel.url == f"{FILES}/aa/bb/dd/demo-1.0%2Bcpu-py3-none-any.whl"


def test_places_are_the_lines_of_the_file() -> None:
    lines = UV.split("\n")
    [demo] = dependencies()["demo"]
    assert lines[demo.place.line - 1] == "[[package]]"
    assert lines[demo.place.line] == 'name = "demo"'
    for file in demo.files:
        assert file.url is not None
        assert file.url in lines[file.place.line - 1]


def test_a_fork_has_an_entry_for_each_version() -> None:
    older, newer = dependencies()["numbers"]
    assert [str(one.version) for one in (older, newer)] == ["2.4.6", "2.5.5"]


def test_what_it_was_resolved_for_is_no_marker() -> None:
    assert all(one.marker is None for entries in dependencies().values() for one in entries)
    never = "resolution-markers = [\"sys_platform == 'never'\"]"
    assert one(f'name = "x"\nsource = {{ registry = "{INDEX}" }}\n{never}').marker is None


def test_extras_are_those_that_others_ask_for() -> None:
    found = dependencies()
    assert found["demo"][0].extras == {"fast", "test"}
    assert [entry.extras for entry in found["numbers"]] == [frozenset(), frozenset({"wide"})]


def test_without_digests_nothing_is_refused_by_the_installer() -> None:
    newer = dependencies()["numbers"][1]
    assert newer.files[0].digests == {}
    assert not newer.hashed


@pytest.mark.parametrize(
    ("project", "source"),
    [
        ("app", FromDirectory(".", own=True)),
        ("tools", FromDirectory("tools", own=True)),
        ("lib", FromDirectory("../lib")),
        ("fetched", FromUrl("https://else.example/fetched-3.tar.gz")),
        ("cloned", FromVcs("git+https://forge.example/cloned@0123abcd")),
        ("beside", FromFile("wheels/beside-5-py3-none-any.whl")),
        ("linked", FromFile("links")),
    ],
)
def test_sources(project: str, source: object) -> None:
    [found] = dependencies()[project]
    assert found.source == source


def test_names_of_files_without_a_url_of_their_own() -> None:
    found = dependencies()
    assert found["fetched"][0].files[0].filename == "fetched-3.tar.gz"
    assert found["beside"][0].files[0].filename == "beside-5-py3-none-any.whl"
    assert found["linked"][0].files[0].filename == "linked-6-py3-none-any.whl"
    path = one('name = "x"\nsource = { path = "d\\\\x-1.tar.gz" }\nsdist = { hash = "sha256:00" }')
    assert path.files[0].filename == "x-1.tar.gz"
    git = one('name = "x"\nsource = { git = "https://forge.example/x" }\nsdist = { hash = "sha256:00" }')
    assert git.files[0].filename is None
    assert git.source == FromVcs("git+https://forge.example/x")


def test_indexes_are_named_once_and_masked() -> None:
    lock = read_uv_lock("uv.lock", UV.encode())
    assert lock.format is LockFormat.UV
    assert [(index.url, index.place.line > 0) for index in lock.indexes] == [(INDEX, True)]
    secret = one('name = "x"\nsource = { registry = "https://me:secret@index.example/simple" }')
    assert secret.source == FromIndex("https://index.example/simple")


@pytest.mark.parametrize("kind", ["directory", "editable", "virtual"])
def test_a_directory_is_the_projects_own_where_it_is_below_the_lock(kind: str) -> None:
    for path, own in [(".", True), ("x/y", True), ("../x", False), ("/tmp/x", False)]:
        assert one(f'name = "x"\nsource = {{ {kind} = "{path}" }}').source == FromDirectory(path, own=own)
    with_files = one(f'name = "x"\nsource = {{ {kind} = "." }}\nwheels = [{{ filename = "x-1-py3-none-any.whl" }}]')
    assert with_files.source == FromDirectory(".", own=False)


@pytest.mark.parametrize("path", ["vendor/x-1.0.tar.xz", "x-1.0.tar.zst", "X-1.0.TAR.GZ", "vendor/blob", ".", "/x"])
def test_a_path_is_an_archive_by_the_locks_own_word(path: str) -> None:
    assert one(f'name = "x"\nsource = {{ path = "{path}" }}').source == FromFile(path)


@pytest.mark.parametrize("registry", ["vendor", "../v", "/v", "C:/v", "file:///v", "FILE:///v"])
def test_a_directory_of_archives_keeps_its_files_and_their_urls(registry: str) -> None:
    url = f"{FILES}/x-1-py3-none-any.whl"
    source = f'source = {{ registry = "{registry}" }}'
    found = one(f'name = "x"\n{source}\nwheels = [{{ url = "{url}" }}, {{ path = "x-2-py3-none-any.whl" }}]')
    assert found.source == FromFile(registry)
    assert [(file.filename, file.url) for file in found.files] == [
        ("x-1-py3-none-any.whl", url),
        ("x-2-py3-none-any.whl", None),
    ]


def test_an_empty_lock_and_one_with_keys_of_later_revisions() -> None:
    head = 'version = 1\nrevision = 9\nrequires-python = ">=3.11"\nconflicts = []\n'
    assert read_uv_lock("uv.lock", head.encode()).dependencies == ()
    later = f'{head}later = 1\n[[package]]\nname = "x"\nsource = {{ virtual = "." }}\n'
    assert len(read_uv_lock("uv.lock", later.encode()).dependencies) == 1


def one(entry: str) -> Dependency:
    [found] = read_uv_lock("uv.lock", f"version = 1\n[[package]]\n{entry}\n".encode()).dependencies
    return found


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        ("", "uv.lock: version is missing: this is not a uv.lock", "uv lock"),
        ("version = 2", "uv.lock: version 2 of uv.lock is not supported, only 1", "made by a newer uv"),
        ("version = 0", "uv.lock: version 0 of uv.lock is not supported, only 1", "make it anew"),
        ("version = true", "uv.lock: version is not a whole number", ""),
        ("version = '1'", "uv.lock: version is not a whole number", ""),
        ("version = 1\n[[package]]\n", "uv.lock:2: a package: name is missing", ""),
        ("version = 1\n[[package]]\nname = '-'", "uv.lock:2: package -: name: '-' is not a project name", "names hold"),
        (
            "version = 1\n[[package]]\nname = 'x'\nversion = 'one'",
            "uv.lock:2: package x one: version 'one' is none",
            "",
        ),
        ("version = 1\n[[package]]\nname = 'x'", "uv.lock:2: package x: source is missing", ""),
        (
            "version = 1\n[[package]]\nname = 'x'\nsource = { cvs = 'y' }",
            "uv.lock:2: package x: source: none of registry, url, git, path, directory, editable, virtual",
            "update inbond",
        ),
        (
            "version = 1\n[[package]]\nname = 'x'\nsource = { registry = 'https://i.example' }\nwheels = [{}]",
            "uv.lock:2: package x: wheels: names no file",
            "",
        ),
        (
            "version = 1\n[[package]]\nname = 'x'\nsource = { path = '.' }\nwheels = [\n{ filename = '.x' }]",
            "uv.lock:2: package x: wheels: '.x' is not the name of a distribution file",
            "",
        ),
        (
            "version = 1\n[[package]]\nname = 'x'\nsource = { path = 'x' }\nsdist = { hash = 'sha256-zz' }",
            "uv.lock:2: package x: sdist: hash 'sha256-zz' is not a hash function's name",
            "",
        ),
        (
            "version = 1\n[[packages]]\nname = 'x'",
            "uv.lock: it holds 'packages' and no [[package]]: this is not a uv.lock",
            "uv lock",
        ),
        ("version = 1\n[tool.x]\n[manifest]", "uv.lock: it holds 'tool' and no [[package]]", "uv lock"),
        (
            "version = 1\n[[package]]\nname = 'x'\nsource = { path = 'x' }\nsdist = { size = -1 }",
            "uv.lock:2: package x: sdist: size is not a whole number from 0 on",
            "",
        ),
        (
            "version = 1\n[[package]]\nname = 'x'\nsource = { path = 'x' }\ndependencies = 'y'",
            "uv.lock:2: package x: dependencies is not a list",
            "",
        ),
    ],
)
def test_what_is_refused(text: str, message: str, remedy: str) -> None:
    with pytest.raises(InvalidLock) as caught:
        read_uv_lock("uv.lock", text.encode())
    assert str(caught.value).startswith(message)
    assert remedy in (caught.value.remedy or "")

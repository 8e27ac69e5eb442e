from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import Version

from inbond.model.errors import InvalidFilename, InvalidName
from inbond.model.names import (
    MAX_FILENAME_BYTES,
    MAX_NAME_CHARS,
    Distribution,
    Filename,
    Kind,
    ProjectName,
    is_sha256,
    is_version,
    parse_filename,
    project_candidates,
    stated_version,
    version_of,
)

names = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,20}[A-Za-z0-9])?", fullmatch=True)


@given(names)
def test_names_are_normalised_as_the_field_does_it_and_only_once(raw: str) -> None:
    name = ProjectName(raw)
    assert str(name) == str(canonicalize_name(raw))
    assert ProjectName(name) is name
    assert ProjectName(str(name)) == name


@pytest.mark.parametrize(
    "raw",
    [
        "", "-", "-a", "a-", ".", "..", "a/b", "a b", "a\n", "\na", "é", "\u0131", "a\0", "a%2fb", "a\\b",
        "a" * (MAX_NAME_CHARS + 1), "\uff11",
    ],
)  # fmt: skip
def test_what_is_no_name_is_refused(raw: str) -> None:
    with pytest.raises(InvalidName) as refused:
        ProjectName(raw)
    assert refused.value.message.isascii() or "…" in refused.value.message
    assert refused.value.remedy is not None


def test_the_longest_name_is_accepted() -> None:
    assert len(ProjectName("a" * MAX_NAME_CHARS)) == MAX_NAME_CHARS


@given(st.text(max_size=20))
def test_a_filename_is_one_safe_path_segment_or_refused(raw: str) -> None:
    try:
        name = Filename(raw)
    except InvalidFilename:
        return
    assert name == raw
    assert Filename(name) is name
    assert name not in {"", ".", ".."}
    assert not set(name) & set("/\\\0\n\r\u202e")


@pytest.mark.parametrize(
    "raw", ["", ".", "..", ".hidden", "a/b", "a\\b", "a\0", "a\n", "a\u202eb", "a\ud800", "é" * 128]
)
def test_what_no_path_may_hold_is_refused(raw: str) -> None:
    with pytest.raises(InvalidFilename):
        Filename(raw)


def test_the_limit_of_a_filename_is_in_bytes() -> None:
    assert len(Filename("a" * MAX_FILENAME_BYTES)) == MAX_FILENAME_BYTES
    with pytest.raises(InvalidFilename):
        Filename("a" * (MAX_FILENAME_BYTES + 1))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a" * 64, True),
        ("A" * 64, False),
        ("a" * 63, False),
        ("a" * 65, False),
        ("g" * 64, False),
        ("a" * 64 + "\n", False),
    ],
)
def test_a_sha256_is_64_lower_case_hex_digits(text: str, expected: bool) -> None:
    assert is_sha256(text) is expected


@pytest.mark.parametrize(
    ("filename", "project", "version", "kind"),
    [
        ("Demo_Pkg-1.0-py3-none-any.whl", "demo-pkg", "1.0", Kind.WHEEL),
        ("demo-1.0-2-py3-none-any.whl", "demo", "1.0", Kind.WHEEL),
        ("demo-1!2.0+local.1.tar.gz", "demo", "1!2.0+local.1", Kind.SDIST),
        ("demo-pkg-1.0.zip", "demo-pkg", "1.0", Kind.SDIST),
        ("demo.whl", None, None, Kind.WHEEL),
        ("demo-x-py3-none-any.whl", None, None, Kind.WHEEL),
        ("demo-latest.tar.gz", None, None, Kind.SDIST),
        ("-1.0.tar.gz", None, None, Kind.SDIST),
        ("demo.TAR.GZ", None, None, Kind.SDIST),
        ("demo-1.0.tar.bz2", None, None, Kind.SDIST),
        ("demo-1.0.tgz", None, None, Kind.SDIST),
        ("demo-1.0.tbz", None, None, Kind.SDIST),
        ("demo-1.0.txz", None, None, Kind.SDIST),
        ("demo-1.0.tar.lzma", None, None, Kind.SDIST),
        ("demo-1.0-py2.7.egg", None, None, Kind.LEGACY),
        ("demo-1.0.win32.exe", None, None, Kind.LEGACY),
        ("", None, None, Kind.LEGACY),
    ],
)
def test_filenames_tell_project_version_and_kind(
    filename: str, project: str | None, version: str | None, kind: Kind
) -> None:
    expected = Distribution(
        project=None if project is None else ProjectName(project),
        version=None if version is None else Version(version),
        kind=kind,
    )
    assert parse_filename(filename) == expected


PARTS = (
    "demo", "a.b", "a__b", "A_b", "_x", "1.0", "1.0.post1", "v1", "1.0a1", "1!2", "1.0+l_1", "1_0", "1", "1b", "", "é",
    "py3", "py2.py3", "none", "any", "linux_x86_64.win32", "3x", "abi3.", "..",
)  # fmt: skip
parts = st.sampled_from(PARTS)


@given(st.lists(parts, min_size=1, max_size=6).map("-".join), st.sampled_from([".whl", ".tar.gz", ".zip"]))
def test_plain_names_are_read_as_packaging_reads_them(stem: str, suffix: str) -> None:
    filename, found = stem + suffix, parse_filename(stem + suffix)
    try:
        name, version = parse_wheel_filename(filename)[:2] if suffix == ".whl" else parse_sdist_filename(filename)
        project = ProjectName(name)
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidName):
        assert (found.project, found.version) == (None, None)
    else:
        assert (found.project, str(found.version)) == (project, str(version))


@given(
    st.text(max_size=30)
    | st.builds("{}-{}{}".format, names, st.text(max_size=5), st.sampled_from([".whl", ".tar.gz", ".zip", ".egg"]))
)
def test_no_filename_is_unreadable(filename: str) -> None:
    assert parse_filename(filename).kind in Kind
    version_of(filename, ProjectName("demo"))
    assert len(set(project_candidates(filename))) == len(project_candidates(filename))


@pytest.mark.parametrize(
    ("filename", "project", "version"),
    [
        ("demo-1.0.tar.gz", "demo", "1.0"),
        ("demo-1.0-py2.7.egg", "demo", "1.0"),
        ("Demo_Pkg-1.0.win32-py2.7.exe", "demo-pkg", None),
        ("demo-pkg-1.0.tar.bz2", "demo-pkg", "1.0"),
        ("demo-1.0.tgz", "demo", "1.0"),
        ("demo-1.0.TAR.GZ", "demo", "1.0"),
        ("demo-1-2.0.zip", "demo-1", "2.0"),
        # What stands behind the name, as pip and uv read it: all of it.
        ("demo-1-5.tar.gz", "demo", "1.post5"),
        ("demo-1-5.tar.gz", "demo-1", "5"),
        ("demo-1.0-1.zip", "demo", "1.0.post1"),
        ("demo-1.5-rc1.tar.gz", "demo", "1.5rc1"),
        ("demo-1.5-rc1.tbz", "demo", "1.5rc1"),
        ("demo-v1.5.tar.gz", "demo", "1.5"),
        ("demo-1.0-foo.tar.gz", "demo", None),
        ("demo-2021-1.0.tar.gz", "demo", None),
        ("demo--1.0.tar.gz", "demo", None),
        ("demo-1.0-py2-odd.whl", "demo", "1.0"),
        ("demo-latest.zip", "demo", None),
        ("demo.zip", "demo", None),
        ("demo", "demo", None),
        ("other-1.0.zip", "demo", "1.0"),
        ("other-1.0.egg", "demo", None),
        ("-1.0.egg", "demo", None),
        ("demo_1-2.0.egg", "demo-1", "2.0"),
    ],
)
def test_versions_of_files_that_a_page_lists(filename: str, project: str, version: str | None) -> None:
    expected = None if version is None else Version(version)
    assert version_of(filename, ProjectName(project)) == expected


@pytest.mark.parametrize(
    ("filename", "candidates"),
    [
        ("demo-1.0.tar.gz", ("demo",)),
        ("demo_pkg-1.0-py3-none-any.whl", ("demo-pkg", "demo-pkg-1-0", "demo-pkg-1-0-py3", "demo-pkg-1-0-py3-none")),
        ("a-b-1.0.zip", ("a-b", "a")),
        ("demo.zip", ()),
        ("-x-1.zip", ()),
    ],
)
def test_every_split_of_a_filename_may_be_its_project(filename: str, candidates: tuple[str, ...]) -> None:
    assert project_candidates(filename) == candidates


@given(
    names,
    st.sampled_from(["1.0", "2.0rc1", "1!0", "2024.1.post1"]),
    st.sampled_from([".tar.gz", ".zip", ".egg", ".tar.bz2"]),
)
def test_a_files_own_project_is_always_among_the_candidates(raw: str, version: str, suffix: str) -> None:
    project = ProjectName(raw)
    for written in (raw, str(project), str(project).replace("-", "_")):
        filename = f"{written}-{version}{suffix}"
        assert project in project_candidates(filename)
        assert version_of(filename, project) in {Version(version), None}


ODD_WHEELS = st.builds(
    lambda parts: "-".join(parts) + ".whl",
    st.lists(st.sampled_from(["demo", "De.mo", "de_mo", "2", "1.0", "1.0.0", "1!2", "x", "", "py3", "none", "any"])),
)


@given(filename=ODD_WHEELS | st.sampled_from(["demo-1.0.tar.gz", "demo-1.0.egg", "demo-1.0-py3-none-any.whl"]))
@example(filename="foo-2-1.0-py3-none-any.whl")
@example(filename="demo-1.0-py3-none-any.whl")
def test_a_stated_version_is_never_another_than_the_one_read(filename: str) -> None:
    for project in map(ProjectName, ("demo", "foo", "foo-2", "de-mo")):
        stated = stated_version(filename, project)
        assert stated is None or stated == version_of(filename, project)


def test_a_plain_wheel_states_its_version() -> None:
    assert stated_version("De.mo-1.0-py3-none-any.whl", ProjectName("de-mo")) == Version("1.0")
    assert stated_version("demo-1.0.tar.gz", ProjectName("demo")) is None
    assert stated_version("demo-junk-py3-none-any.whl", ProjectName("demo")) is None


def test_what_a_version_is() -> None:
    assert is_version("1.0rc1")
    assert not is_version("1.0-one")

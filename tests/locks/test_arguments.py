"""A requirement or a file in a lock's place."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from inbond.locks.arguments import read_distribution, read_requirement
from inbond.locks.lock import FromIndex, FromUrl, InvalidLock, LockFormat, Place

A = "a" * 64


@pytest.mark.parametrize(
    ("text", "project", "version", "specifier"),
    [
        ("flask", "flask", None, ""),
        (" Flask==3.1.0 ", "flask", Version("3.1.0"), "==3.1.0"),
        ("flask[async]>=3 ; python_version>'3'", "flask", None, ">=3"),
        ("flask==3.*", "flask", None, "==3.*"),
    ],
)
def test_requirements(text: str, project: str, version: Version | None, specifier: str) -> None:
    lock = read_requirement(text)
    (entry,) = lock.dependencies
    assert (lock.source, lock.format) == (text.strip(), LockFormat.REQUIREMENT)
    assert (entry.project, entry.version, str(entry.specifier)) == (project, version, specifier)
    assert (entry.source, entry.files, entry.hashed) == (FromIndex(), (), False)
    assert entry.place == Place(text.strip())
    assert entry.extras == ({"async"} if "[" in text else set())


def test_a_direct_reference() -> None:
    lock = read_requirement("a @ https://u:p@h.example/a-1.0.zip")
    assert lock.dependencies[0].source == FromUrl("https://h.example/a-1.0.zip")
    assert lock.source == "a @ https://***@h.example/a-1.0.zip"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "requirement: '' is not a requirement: Expected"),
        ("flask==", "requirement: 'flask==' is not a requirement: "),
        ("./flask", "is not a requirement"),
        ("a==1,==2", "no version is ==1,==2"),
        ("a==" + "9" * 5000, "is not a requirement"),
        ("a;" + "(" * 5000, "nested too deeply"),
        ("a" * 20_000, "requirement: longer than 16,384 characters"),
        ("a @ https://h.example/b-1-py3-none-any.whl", "is a wheel of b"),
    ],
)
def test_what_is_none(text: str, why: str) -> None:
    with pytest.raises(InvalidLock) as caught:
        read_requirement(text)
    assert why in caught.value.message


@given(st.text())
def test_nothing_but_invalid_lock_is_raised(text: str) -> None:
    with contextlib.suppress(InvalidLock):
        assert read_requirement(text).dependencies


@pytest.mark.parametrize(
    ("filename", "project", "version"),
    [("a_b-1.0-py3-none-any.whl", "a-b", "1.0"), ("A.b-1.0.tar.gz", "a-b", "1.0"), ("a-2.zip", "a", "2")],
)
def test_distributions(filename: str, project: str, version: str) -> None:
    lock = read_distribution(f"dist/{filename}", filename, A.upper(), 12)
    (entry,) = lock.dependencies
    (file,) = entry.files
    assert (lock.source, lock.format) == (f"dist/{filename}", LockFormat.DISTRIBUTION)
    assert (entry.project, entry.version, str(entry.specifier)) == (project, Version(version), f"=={version}")
    assert (file.filename, file.sha256, file.size, entry.hashed) == (filename, A, 12, True)
    assert entry.source == FromIndex()


@pytest.mark.parametrize("filename", ["a.whl", "a-1.0.egg", "a.tar.gz", "a-1.tar.bz2", "notes.pdf", "", ".a-1.zip"])
def test_other_names(filename: str) -> None:
    with pytest.raises(InvalidLock) as caught:
        read_distribution(f"dist/{filename}", filename, A, 12)
    assert caught.value.place == Place(f"dist/{filename}")


def test_names_that_no_file_may_have() -> None:
    with pytest.raises(InvalidLock, match="is not the name of a distribution file"):
        read_distribution("x", f"{'a' * 200}-1{'.1' * 40}.tar.gz", A, 12)

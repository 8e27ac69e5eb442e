"""Findings about a lock as a whole."""

from __future__ import annotations

from pathlib import Path

from check.support import OLD, check, dependency, lock, locked
from inbond.check.addresses import Addresses, origin
from inbond.check.whole import findings_of
from inbond.locks.lock import FromUrl, FromVcs, Lock, LockedFile, LockFormat, NamedIndex, Place
from sim.index import SimIndex

ADDRESSES = Addresses(base="https://packages.acme.example", upstreams=["https://index.example/simple/"])


STRANGE = ", to a host that no page of the index names"


def file(url: str | None, line: int = 5) -> LockedFile:
    return LockedFile(place=Place("uv.lock", line), url=url, digests={"sha256": "0" * 64})


def told(locked: Lock) -> list[tuple[str, str, int]]:
    return [(one.finding.rule, one.finding.message, one.place.line) for one in findings_of(locked, (), ADDRESSES)]


def test_file_urls_elsewhere_go_past_inbond_and_are_told_once_for_each_origin() -> None:
    files = [file("https://files.example/a", 9), file("https://user:pw@files.example/b", 7), file(None)]
    more = [file("https://mirror.example/c", 11), file("https://packages.acme.example/packages/d")]
    found = told(lock(dependency("demo", "1.0", files), dependency("other", "1.0", more)))
    assert found == [
        (
            "bypass",
            "2 file URLs lead to https://files.example: an install from this lock goes past inbond" + STRANGE,
            7,
        ),
        (
            "bypass",
            "1 file URL leads to https://mirror.example: an install from this lock goes past inbond" + STRANGE,
            11,
        ),
    ]


async def test_the_remedy_is_relock_where_that_can_help(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", upload_time=OLD)
        entry = dependency("demo", "1.0", locked(wheel, origin=index.files_base))
        (uv,) = (await check(tmp_path, index, lock(entry))).reports[0].findings
        requirements = lock(entry, form=LockFormat.REQUIREMENTS)
        (other,) = (await check(tmp_path, index, requirements)).reports[0].findings
    assert uv.finding.remedy == "inbond relock uv.lock"
    assert other.finding.remedy == "lock it anew through inbond"
    assert STRANGE not in uv.finding.message


def test_a_repository_is_the_same_at_another_revision() -> None:
    said = [
        ADDRESSES.said(FromVcs(url))
        for url in ("git+https://git.example/a@1", "git+https://git.example/a@2", "git+ssh://git@git.example/a")
    ]
    assert said == [
        "the repository git+https://git.example/a",
        "the repository git+https://git.example/a",
        "the repository git+ssh://git@git.example/a",
    ]


def test_a_direct_reference_goes_past_inbond_too() -> None:
    url = "https://files.example/a"
    assert [rule for rule, _, _ in told(lock(dependency("demo", "1.0", [file(url)], source=FromUrl(url))))] == [
        "bypass"
    ]


def test_what_leads_to_this_index_and_what_to_another_of_the_same_inbond() -> None:
    root = Addresses(base="http://127.0.0.1:8642", upstreams=[])
    lax = Addresses(base="http://127.0.0.1:8642/lax", upstreams=[])
    for url, at_root, at_lax in (
        ("http://127.0.0.1:8642/packages/aa/x.whl", True, False),
        ("http://127.0.0.1:8642/simple", True, False),
        ("http://127.0.0.1:8642/lax/packages/aa/x.whl", False, True),
        ("http://127.0.0.1:8642/lax/simple/", False, True),
        ("http://127.0.0.1:8642/laxer/simple/", False, False),
        ("https://127.0.0.1:8642/packages/aa/x.whl", False, False),
        ("http://127.0.0.1:8642.evil.example/packages/x.whl", False, False),
        ("http://[x/packages/aa/x.whl", False, False),
    ):
        assert (root.is_ours(url), lax.is_ours(url)) == (at_root, at_lax), url


def test_origins_are_compared_without_what_is_the_default() -> None:
    assert origin("HTTPS://user:pw@Files.Example.:443/a") == "https://files.example"
    assert origin("http://[::1]:80/") == "http://[::1]"
    assert origin("http://[x") == "http://[x"


def test_indexes_besides_inbond_and_its_upstreams_are_told() -> None:
    def named(url: str, *, extra: bool = False) -> NamedIndex:
        return NamedIndex(place=Place("uv.lock", 4), url=url, extra=extra)

    indexes = (
        named("https://packages.acme.example/simple/"),
        named("https://index.example/simple"),
        named("https://other.example/simple/"),
        named("https://index.example/simple/", extra=True),
    )
    assert [rule for rule, _, _ in told(lock(indexes=indexes))] == ["other-index", "other-index"]
    assert [message for _, message, _ in told(lock(indexes=indexes))] == [
        "it asks https://other.example/simple/, an index that inbond does not stand in front of",
        "it asks https://index.example/simple/, an index besides the one that it is told to use",
    ]


def test_requirements_without_a_version_are_counted_in_requirements_files_only() -> None:
    entries = (dependency("a", line=2), dependency("b", "1.0"), dependency("c"))
    found = told(lock(*entries, form=LockFormat.REQUIREMENTS))
    assert [(rule, line) for rule, _, line in found] == [("unpinned", 2)]
    assert found[0][1].startswith("2 requirements without a version")
    assert told(lock(*entries, form=LockFormat.REQUIREMENT)) == []

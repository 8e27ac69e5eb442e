"""Findings about a lock as a whole."""

from __future__ import annotations

from check.support import dependency, lock
from inbond.check.whole import Addresses, findings_of
from inbond.locks.lock import FromUrl, LockedFile, LockFormat, NamedIndex, Place

ADDRESSES = Addresses(ours="https://packages.acme.example", upstreams=["https://index.example/simple/"])


def file(url: str | None, line: int = 5) -> LockedFile:
    return LockedFile(place=Place("uv.lock", line), url=url, digests={"sha256": "0" * 64})


def told(locked: object) -> list[tuple[str, str, int]]:
    return [
        (one.finding.rule, one.finding.message, one.place.line)
        for one in findings_of(locked, ADDRESSES)  # type: ignore[arg-type]
    ]


def test_file_urls_elsewhere_go_past_inbond_and_are_told_once_for_each_origin() -> None:
    files = [file("https://files.example/a", 9), file("https://user:pw@files.example/b", 7), file(None)]
    more = [file("https://mirror.example/c", 11), file("https://packages.acme.example/packages/d")]
    found = told(lock(dependency("demo", "1.0", files), dependency("other", "1.0", more)))
    assert found == [
        ("bypass", "2 file URLs lead to https://files.example: an install from this lock goes past inbond", 7),
        ("bypass", "1 file URL leads to https://mirror.example: an install from this lock goes past inbond", 11),
    ]


def test_the_remedy_is_relock_where_that_can_help() -> None:
    entry = dependency("demo", "1.0", [file("https://files.example/a")])
    (uv,) = findings_of(lock(entry), ADDRESSES)
    (requirements,) = findings_of(lock(entry, form=LockFormat.REQUIREMENTS), ADDRESSES)
    assert uv.finding.remedy == "inbond relock uv.lock"
    assert requirements.finding.remedy == "lock it anew through inbond"


def test_a_direct_reference_is_not_told_twice() -> None:
    url = "https://files.example/a"
    assert told(lock(dependency("demo", "1.0", [file(url)], source=FromUrl(url)))) == []


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

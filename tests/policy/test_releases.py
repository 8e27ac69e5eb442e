from __future__ import annotations

from datetime import datetime

from packaging.version import Version

from inbond.policy.releases import Arrival, Release, arrivals, releases_of
from policy.cases import ABSENT, DAY, NOW, case_of, file_of, memory_of, page_of

TIMES = {
    "demo-1.0.tar.gz": NOW - 9 * DAY,
    "demo-1.0-py3-none-any.whl": NOW - 8 * DAY,
    "demo-1.1.tar.gz": NOW - 7 * DAY,
    "demo-2.0rc1.tar.gz": NOW - 6 * DAY,
    "demo-2.0.tar.gz": None,
    "demo-2.0-py3-none-any.whl": NOW - 5 * DAY,
    "demo-1!0.1.tar.gz": NOW - 4 * DAY,
    "demo-latest.tar.gz": NOW - 3 * DAY,
}
FILES = [file_of(name, upload_time=time) for name, time in TIMES.items()]
SHARED = case_of(FILES[0], ABSENT, page=page_of(*FILES[::-1])).shared


def released(version: str, since: datetime | None) -> Release:
    return Release(version=Version(version), since=since)


def test_final_releases_stand_in_order_each_since_its_first_file() -> None:
    for _ in range(2):  # worked out, and remembered
        assert list(releases_of(SHARED)) == [
            released("1.0", NOW - 9 * DAY),
            released("1.1", NOW - 7 * DAY),
            released("2.0", None),
            released("1!0.1", NOW - 4 * DAY),
        ]


def test_what_appeared_after_its_project_counts_from_then() -> None:
    names = [file.filename for file in FILES[:3]]
    memory = memory_of({names[0]: NOW - 400 * DAY, names[1]: NOW - 400 * DAY, names[2]: NOW - DAY})
    shared = case_of(FILES[0], ABSENT, page=page_of(*FILES[:3]), memory=memory).shared

    assert list(releases_of(shared)) == [released("1.0", NOW - 9 * DAY), released("1.1", NOW - DAY)]


def test_a_release_was_there_from_its_first_moment_on() -> None:
    assert released("1.0", NOW).was_there_at(NOW)
    assert not released("1.0", NOW).was_there_at(NOW - DAY)
    assert released("1.0", None).was_there_at(NOW - 9999 * DAY)


def test_of_what_memory_knows_also_what_is_gone_has_come() -> None:
    times = {"demo-1.0.tar.gz": NOW - DAY, "demo-1.1rc1.tar.gz": None, "demo-odd.tar.gz": NOW}
    page = [file_of(name, upload_time=time) for name, time in times.items()]
    gone = {"demo-1.1.tar.gz": NOW - 3 * DAY, "demo-0.9.tar.gz": NOW - 400 * DAY, "demo-latest.tar.gz": NOW}
    memory = memory_of({"demo-1.1rc1.tar.gz": NOW - 2 * DAY, **gone}, since=NOW - 400 * DAY)
    shared = case_of(page[0], ABSENT, page=page_of(*page), memory=memory).shared

    def came(version: str, time: datetime | None, first: datetime | None, *, is_gone: bool = False) -> Arrival:
        return Arrival(version=Version(version), time=time, first=first, is_gone=is_gone)

    assert set(arrivals(shared)) == {
        came("1.0", NOW - DAY, NOW - DAY),
        came("1.1rc1", None, NOW - 2 * DAY),
        came("1.1", NOW - 3 * DAY, NOW - 3 * DAY, is_gone=True),
        came("0.9", None, None, is_gone=True),
    }


def test_a_version_is_written_in_one_way_whatever_the_order_of_files() -> None:
    files = [file_of(f"demo-{version}.zip", upload_time=NOW) for version in ("1.0.0", "1.0", "1.0.0.0")]
    for page in (files, files[::-1]):
        (release,) = releases_of(case_of(files[0], ABSENT, page=page_of(*page)).shared)
        assert str(release.version) == "1.0"

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from effort import calls_of
from inbond.model.memory import PageMemory
from inbond.model.page import File
from inbond.policy import history
from inbond.policy.case import PageCase
from inbond.policy.engine import judge_page
from inbond.policy.history import Earlier, earlier_than, earlier_than_next
from policy.cases import DAY, HOUR, NOW, WHEEL, file_of, memory_of, page_of, policy

MAC = "demo-{}-cp311-cp311-macosx_11_0_arm64.whl"
LINUX = "demo-{}-cp311-cp311-manylinux_2_17_x86_64.whl"
MUSL = "demo-{}-cp311-cp311-musllinux_1_2_x86_64.whl"
ODD = "demo-{}-cp311-cp311-beos_5.whl"


def case(*files: File, memory: PageMemory | None = None) -> PageCase:
    return PageCase.of(index="root", page=page_of(*files), memory=memory, settings=policy(), now=NOW)


def sdist(version: str, days_ago: float | None) -> File:
    return dated(f"demo-{version}.tar.gz", days_ago)


def dated(name: str, days_ago: float | None) -> File:
    return file_of(name, upload_time=None if days_ago is None else NOW - timedelta(days=days_ago))


def compared(file: File, *others: File, memory: PageMemory | None = None) -> list[str]:
    found = earlier_than(case(*others, file, memory=memory), file).releases
    assert all(version is not None for version, _ in found)
    return [one.filename for _, one in found]


def versions(new: str, past: Mapping[str, float | None], days_ago: float | None = 0) -> list[str]:
    files = [sdist(version, age) for version, age in past.items()]
    return [name.removeprefix("demo-").removesuffix(".tar.gz") for name in compared(sdist(new, days_ago), *files)]


@pytest.mark.parametrize(
    ("new", "past", "expected"),
    [
        ("1.9", {f"1.{number}": 90 - number for number in range(6)}, ["1.5", "1.4", "1.3", "1.2", "1.1"]),
        # the newest by time, not by version
        ("1.9", {"1.5": 90, "1.4.1": 60, "1.4": 95}, ["1.4.1", "1.5", "1.4"]),
        # a higher version that came before is history as well
        ("1.4.2", {"1.5": 90, "1.4": 95}, ["1.5", "1.4"]),
        # not those that are younger than two weeks, nor pre-releases
        ("1.9", {"1.1": 14, "1.2": 13.9, "1.3rc1": 60, "1.3.dev1": 70}, ["1.1"]),
        ("1.9", {"1.1": 14, "1.1.post1": 20}, ["1.1", "1.1.post1"]),
        ("2.0", {"1.1": 60, "1.2": 50, "3.0": 40}, ["1.2", "1.1"]),
        ("2.1", {"1.1": 60, "2.0": 50, "0.9": 40}, ["2.0", "1.1", "0.9"]),
        ("1!1.0", {"2025.1": 60}, ["2025.1"]),
        # below all that there is, the newest of all
        ("2025.1", {"1!1.0": 60}, ["1!1.0"]),
        ("1.0", {"2.0": 60, "3.0": 50, "2.1": 40, "4.0": 1}, ["2.1", "3.0", "2.0"]),
        # pre-releases where no final one is settled
        ("1.9", {"1.1rc1": 60, "1.2rc1": 50, "1.1": 13}, ["1.2rc1", "1.1rc1"]),
        ("1.9rc1", {"1.1rc1": 60, "1.2rc1": 10}, ["1.1rc1"]),
        ("1.9", {"1.1": None, "1.2": 60}, ["1.2", "1.1"]),
        ("1.9", {}, []),
    ],
)  # fmt: skip
def test_the_newest_settled_final_releases_of_the_line_come_first(
    new: str, past: dict[str, float | None], expected: list[str]
) -> None:
    assert versions(new, past) == expected


def test_where_nobody_knows_when_anything_came_versions_tell() -> None:
    past = {"1.1": None, "1.2": None, "1.4": None, "1.0": 60.0}

    assert versions("1.3", past, days_ago=None) == ["1.2", "1.1"]


def test_a_file_of_no_version_or_digest_is_compared_with_nothing_and_is_no_history() -> None:
    assert compared(dated("demo-latest.tar.gz", 0), sdist("1.0", 60)) == []
    bare = file_of("demo-1.1.tar.gz", hashes={}, upload_time=NOW - 60 * DAY)
    assert compared(sdist("1.2", 0), bare, sdist("1.0", 60)) == ["demo-1.0.tar.gz"]
    assert compared(file_of("demo-1.2.tar.gz", hashes={}, upload_time=NOW), sdist("1.0", 60)) == ["demo-1.0.tar.gz"]


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        (MAC, MAC),
        (LINUX, LINUX),
        (MUSL, MUSL),
        (ODD, LINUX),
        ("demo-{}-cp311-cp311-manylinux_2_17_aarch64.whl", LINUX),
        ("demo-{}-cp311-cp311-win_arm64.whl", LINUX),
        ("demo-{}-cp311-cp311-macosx_10_9_x86_64.macosx_11_0_arm64.whl", MAC),
        ("demo-{}-py3-none-any.whl", LINUX),
        ("demo-{}.tar.gz", "demo-{}.tar.gz"),
        ("demo-{}.egg", LINUX),
    ],
)
def test_the_file_most_like_it_stands_for_a_release(new: str, expected: str) -> None:
    past = [dated(name.format("1.0"), 60) for name in (MAC, LINUX, MUSL, "demo-{}.tar.gz")]

    found = compared(dated(new.format("1.1"), 0), *past)

    assert found == [expected.format("1.0")] or new == "demo-{}.egg"


def test_what_is_added_to_a_release_later_does_not_take_its_place() -> None:
    first, later = dated(LINUX.format("1.0"), 60), dated("demo-1.0-cp310-cp310-manylinux_2_17_x86_64.whl", 30)

    assert compared(dated(LINUX.format("1.1"), 0), later, first) == [first.filename]
    assert compared(dated(MAC.format("1.1"), 40), later, first) == [first.filename]
    early = dated(MAC.format("1.0"), 10)  # of its own platform, and not settled
    assert compared(dated(MAC.format("1.1"), 0), early, first) == [first.filename]


def test_a_file_is_compared_with_its_own_release_if_that_is_settled() -> None:
    own = sdist("1.0", 90)
    newer = [sdist(f"1.{number}", 80 - number) for number in range(1, 7)]
    names = [file.filename for file in (*newer[:1:-1], own)]

    assert compared(dated(WHEEL.replace("2.0", "1.0"), 0), own, *newer) == names
    rc = sdist("1.9rc1", 30)
    assert compared(dated("demo-1.9rc1-py3-none-any.whl", 0), rc) == [rc.filename]
    assert compared(dated("demo-1.9rc1-py3-none-any.whl", 20), rc) == []


def test_when_a_file_appeared_counts_where_that_is_later() -> None:
    new, old = sdist("1.1", 100), sdist("1.0", 110)
    since = NOW - 105 * DAY

    assert compared(new, old, memory=memory_of({new.filename: NOW, old.filename: since}, since=since)) == [old.filename]
    both = memory_of({new.filename: NOW - DAY, old.filename: NOW - 2 * DAY}, since=since)
    assert compared(new, old, memory=both) == []


def test_what_memory_does_not_know_yet_comes_last_of_all() -> None:
    new, old = sdist("1.1", 100), sdist("1.0", 110)

    assert compared(new, old, memory=memory_of({old.filename: NOW}, since=NOW)) == [old.filename]
    assert compared(new, old, memory=memory_of({new.filename: NOW}, since=NOW)) == []


def test_the_next_release_follows_the_highest_line() -> None:
    files = [sdist("1.0", 60), sdist("2.0", 100), sdist("2.1", 5)]

    assert [str(version) for version, _ in earlier_than_next(case(*files), files[0]).releases] == ["2.0", "1.0"]
    assert earlier_than_next(case(), files[0]) == Earlier()


def newest(new: str, past: Mapping[str, float | None], days_ago: float | None = 0) -> list[str]:
    files = [sdist(version, age) for version, age in past.items()]
    file = sdist(new, days_ago)
    return [str(version) for version, _ in earlier_than(case(*files, file), file).newest]


@pytest.mark.parametrize(
    ("new", "past", "expected"),
    [
        # a line that was given up, beside one that goes on
        (
            "9.1", {"9.0": 900, "1.0": 80, "1.1": 70, "1.2": 60, "1.3": 50, "1.4": 40},
            ["1.4", "1.3", "1.2", "1.1", "1.0"],
        ),
        ("9.1", {"9.0": 75, "1.0": 80, "1.1": 70, "1.2": 60, "1.3": 50}, ["1.3", "1.2", "1.1", "9.0", "1.0"]),
        # its own releases are among the newest, so it is known by them
        ("2.3", {"2.0": 80, "1.1": 70, "2.1": 60, "1.2": 50, "2.2": 40}, []),
        ("2.1", {"2.0": 80, "1.1": 70}, []),
        # older lines have nothing to do with the newest
        ("1.5", {"1.4": 80, "2.0": 70, "2.1": 60, "2.2": 50}, []),
        # what would be the same twice
        ("2.0", {"1.0": 80, "1.1": 70}, []),
    ],
)  # fmt: skip
def test_the_newest_releases_of_all_stand_beside_a_line_that_was_given_up(
    new: str, past: dict[str, float | None], expected: list[str]
) -> None:
    assert newest(new, past) == expected
    assert newest(new, dict.fromkeys(past), days_ago=None) == []


def test_beyond_a_hundred_lines_the_newest_releases_stand_for_the_project() -> None:
    lines = {f"{number}.0": 10.0 for number in range(2, 202)}  # not settled

    assert versions("300.0", {"1.0": 60, **lines}) == ["1.0"]


def test_an_sdist_is_compared_with_wheels_as_well_those_that_its_own_release_has() -> None:
    def of(version: str, days: float) -> list[File]:
        names = (MAC, LINUX, "demo-{}-py3-none-any.whl", "demo-{}.tar.gz")
        return [dated(name.format(version), days) for name in names]

    old, new = of("1.0", 60), sdist("1.1", 0)
    alone = earlier_than(case(*old, new), new)
    assert [one for _, one in alone.releases] == [old[3]]
    assert [one for _, one in alone.wheels] == [old[2]]
    assert alone.beside == ()
    wheel = dated(MAC.format("1.1"), 0)
    beside = earlier_than(case(*old, new, wheel), new)
    assert [one for _, one in beside.wheels] == [old[0]]
    assert beside.beside == (wheel,)
    assert earlier_than(case(*old, new, wheel), wheel).wheels == ()


def test_times_before_all_calendars_are_no_times() -> None:
    ancient = file_of("demo-1.0.tar.gz", upload_time=datetime(1, 1, 1, tzinfo=NOW.tzinfo))

    assert compared(sdist("1.1", 0), ancient) == [ancient.filename]
    assert compared(ancient, sdist("1.1", 0)) == []


def odd_lines(many: int) -> list[File]:
    """Every release opens a line."""
    return [file_of(f"demo-{number}.0-py3-none-any.whl", upload_time=odd_time(number, many)) for number in range(many)]


def odd_tags(many: int) -> list[File]:
    """Every file is for a platform of its own."""
    return [
        file_of(f"demo-1.{int(number > many * 5 // 7)}-py3-none-p{number}.whl", upload_time=odd_time(number, many))
        for number in range(many)
    ]


def odd_time(number: int, many: int) -> datetime:
    return NOW - HOUR - timedelta(seconds=number) if number > many * 5 // 7 else NOW - 900 * DAY


@pytest.mark.parametrize("odd", [odd_lines, odd_tags])
def test_three_times_as_many_odd_releases_cost_three_times_as_much(odd: Callable[[int], list[File]]) -> None:
    def calls(many: int) -> int:
        page = page_of(*odd(many))
        return calls_of(
            lambda: judge_page(index="root", page=page, memory=None, settings=policy(), evidence={}, now=NOW)
        )

    assert calls(2100) < 4 * calls(700)  # it was 9 times


def test_a_page_that_is_judged_again_is_not_sorted_again() -> None:
    page, memory = page_of(*odd_tags(50)), PageMemory(project_first_seen=NOW - DAY, first_seen={}, first_digest={})

    def found(known: PageMemory | None) -> tuple[int, Earlier]:
        again = PageCase.of(index="root", page=page, memory=known, settings=policy(), now=NOW)
        answers: list[Earlier] = []
        calls = calls_of(lambda: answers.append(earlier_than(again, page.files[-1])))
        return calls, answers[0]

    found(None)  # where names are read for the first time
    (first, before), (second, after) = found(memory), found(memory)
    assert after == before
    assert second < first / 10
    assert found(replace(memory))[0] == first  # what is remembered may tell other times


def test_the_releases_of_a_huge_page_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MAX_KEPT_FILES", 49)
    page = page_of(*odd_tags(50))

    def calls() -> int:
        again = PageCase.of(index="root", page=page, memory=None, settings=policy(), now=NOW)
        return calls_of(lambda: earlier_than(again, page.files[-1]))

    calls()  # where names are read for the first time
    assert calls() == calls() > 500

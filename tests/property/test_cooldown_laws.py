"""Laws of the cooldown alone, over releases of which many mend what is known of others."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.version import Version

from inbond.model.advisory import Advisory, AffectedRange
from inbond.model.memory import PageMemory
from inbond.model.names import Filename
from inbond.model.page import Page
from inbond.model.standing import Standing
from inbond.model.verdict import Decision, Verdict
from inbond.policy.engine import judge_page
from inbond.policy.releases import line_of
from inbond.policy.rules import cooldown
from policy.cases import DAY, HOUR, NOW, file_of, page_of, policy

VERSIONS = ("1.0", "1.1", "1.2", "1.2.1", "1.3", "2.0", "2.0.1")
ages = st.one_of(st.none(), st.integers(-5, 100).map(lambda hours: hours * HOUR))
versions = st.sampled_from(VERSIONS).map(Version)
# Two branches, each affected up to its fix, as advisories come; or anything.
fixes = st.builds(AffectedRange, introduced=st.none() | versions, fixed=versions)
ranges = fixes | st.builds(AffectedRange, introduced=st.none() | versions, last_affected=st.none() | versions)
advisories = st.lists(
    st.builds(Advisory, id=st.sampled_from(["A", "B"]), ranges=st.lists(ranges, min_size=1, max_size=2).map(tuple)),
    min_size=1,
    max_size=2,
    unique_by=lambda one: one.id,
)


@st.composite
def pages(draw: st.DrawFn) -> tuple[Page, PageMemory | None]:
    named = draw(st.lists(st.sampled_from(VERSIONS), min_size=2, unique=True))
    names = [
        f"demo-{version}{end}"
        for version in named
        for end in draw(st.sampled_from([(".tar.gz",), (".tar.gz", ".zip")]))
    ]
    files = []
    for name in names:
        age = draw(ages)
        files.append(file_of(name, upload_time=None if age is None else NOW - age))
    seen = {file.filename: NOW - draw(st.integers(0, 100)) * HOUR for file in files if draw(st.integers(0, 9))}
    memory = PageMemory(project_first_seen=NOW - 60 * HOUR, first_seen=seen)
    return page_of(*files), draw(st.sampled_from([memory, None]))


def verdicts(
    world: tuple[Page, PageMemory | None], known: list[Advisory], min_age: timedelta, later: timedelta = timedelta(0)
) -> Mapping[Filename, Verdict]:
    page, memory = world
    return judge_page(
        index="root", page=page, memory=memory, settings=policy(min_age=min_age), evidence={}, now=NOW + later,
        standing=Standing(advisories=tuple(known)), rules=(cooldown,),
    )  # fmt: skip


hours = st.integers(1, 80).map(lambda hours: hours * HOUR)


@settings(max_examples=200)
@given(pages(), advisories, hours, hours)
def test_a_longer_cooldown_never_allows_more(
    world: tuple[Page, PageMemory | None], known: list[Advisory], one: timedelta, other: timedelta
) -> None:
    short, long = (verdicts(world, known, min_age) for min_age in sorted([one, other]))
    assert [name for name in long if long[name].allowed and not short[name].allowed] == []


@settings(max_examples=200)
@given(pages(), advisories, hours, hours)
def test_time_never_takes_back_what_it_let_through(
    world: tuple[Page, PageMemory | None], known: list[Advisory], min_age: timedelta, passed: timedelta
) -> None:
    before, after = (verdicts(world, known, min_age, later) for later in (timedelta(0), passed))
    assert [name for name in before if before[name].allowed and not after[name].allowed] == []


@settings(max_examples=200)
@given(pages(), advisories, hours)
def test_a_hold_ends_when_it_says_and_not_before(
    world: tuple[Page, PageMemory | None], known: list[Advisory], min_age: timedelta
) -> None:
    page, memory = world
    unseen = {f.filename for f in page.files if memory is not None and f.filename not in memory.first_seen}
    for name, verdict in verdicts(world, known, min_age).items():
        if verdict.decision is Decision.HOLD and name not in unseen:
            assert verdict.expires_at is not None
            end = verdict.expires_at - NOW
            assert verdicts(world, known, min_age, end)[name].allowed
            assert not verdicts(world, known, min_age, end - timedelta(microseconds=1))[name].allowed


def test_such_worlds_hold_releases_that_need_not_wait() -> None:
    known = [Advisory(id="A", ranges=(AffectedRange(fixed=Version("1.2")),))]
    page = page_of(file_of("demo-1.1.tar.gz", upload_time=NOW - 9 * DAY), file_of("demo-1.2.tar.gz", upload_time=NOW))
    assert verdicts((page, None), known, DAY)[Filename("demo-1.2.tar.gz")].findings[0].code == "security-fix"


def is_first_to_mend(
    since: Mapping[Version, datetime], version: Version, time: datetime, known: list[Advisory]
) -> bool:
    """As docs/rules.md has it, one release after the other; for files without evidence or memory."""
    past = NOW - DAY
    left = [one for one in known if one.affects(version) is False and any(each.fixed for each in one.ranges)]

    def has_mended(other: Version, advisory: Advisory) -> bool:
        branches = [
            one.introduced for one in advisory.ranges if one.introduced is not None and one.introduced > version
        ]
        is_near = version < other < min(branches, default=Version("9!9"))
        is_sound = not any(one.affects(other) for one in left)
        return is_near and is_sound and line_of(other) == line_of(version) and since[other] < time

    def is_left_behind(other: Version, advisory: Advisory) -> bool:
        ended = (one for one in advisory.ranges if one.fixed is not None and one.fixed <= version)
        return any(one.contains(other) for one in ended)

    new = [one for one in left if not any(has_mended(other, one) for other in since)]
    before = sorted((other for other in since if other < version), reverse=True)
    before = [other for other in before if line_of(other) == line_of(before[0]) and since[other] < time]
    for other in before:
        if not any(is_left_behind(other, one) for one in new):
            return False
        if since[other] <= past:
            return time - since.get(version, time) <= 6 * HOUR
    return False


@settings(max_examples=400)
@given(st.dictionaries(versions, st.lists(st.integers(0, 40), min_size=1, max_size=2), min_size=2), advisories)
def test_only_the_first_to_mend_something_need_not_wait(ages: dict[Version, list[int]], known: list[Advisory]) -> None:
    since = {version: NOW - max(hours) * HOUR for version, hours in ages.items()}
    files = [
        (version, file_of(f"demo-{version}{end}", upload_time=NOW - one * HOUR))
        for version, hours in ages.items()
        for one, end in zip(hours, (".tar.gz", ".zip"), strict=False)
    ]
    found = verdicts((page_of(*(file for _, file in files)), None), known, DAY)

    for version, file in files:
        time = file.upload_time
        assert time is not None
        if NOW - time < DAY:
            assert found[file.filename].allowed is is_first_to_mend(since, version, time, known)

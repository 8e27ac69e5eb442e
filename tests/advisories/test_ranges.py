from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from inbond.advisories.limits import MAX_VERSION_CHARS
from inbond.advisories.ranges import Event, ranges_of, readable, unreadable

VERSIONS = ("0.1", "0.9.9", "1.0", "1.0.1", "1.5", "2.0", "2.0.1", "3.0")


def events(*written: str) -> list[Event]:
    return [Event(**{key: value}) for key, _, value in (one.partition("=") for one in written)]


def affected(*written: str) -> list[str]:
    found = ranges_of(events(*written))
    return [one for one in VERSIONS if any(each.contains(Version(one)) for each in found)]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (("introduced=0",), VERSIONS),
        (("introduced=1.0",), ("1.0", "1.0.1", "1.5", "2.0", "2.0.1", "3.0")),
        (("introduced=0", "fixed=1.0.1"), ("0.1", "0.9.9", "1.0")),
        (("introduced=0", "last_affected=1.0.1"), ("0.1", "0.9.9", "1.0", "1.0.1")),
        (("introduced=1.0", "last_affected=1.0"), ("1.0",)),
        (("introduced=0", "fixed=1.0", "introduced=2.0", "fixed=2.0.1"), ("0.1", "0.9.9", "2.0")),
        (("fixed=2.0.1", "introduced=2.0", "fixed=1.0", "introduced=0"), ("0.1", "0.9.9", "2.0")),
        (("introduced=0", "fixed=1.0", "introduced=1.0", "fixed=1.5"), ("0.1", "0.9.9", "1.0", "1.0.1")),
        (("introduced=0", "introduced=1.0", "fixed=1.0.1"), ("0.1", "0.9.9", "1.0")),
        (("introduced=0", "limit=1.5"), ("0.1", "0.9.9", "1.0", "1.0.1")),
        (("introduced=0", "limit=1.0", "limit=1.5"), ("0.1", "0.9.9", "1.0", "1.0.1")),
        (("introduced=0", "limit=*"), VERSIONS),
        (("introduced=0", "fixed=1.0", "limit=2.0"), ("0.1", "0.9.9")),
        (("introduced=0", "last_affected=2.0.1", "limit=1.0"), ("0.1", "0.9.9")),
        (("introduced=2.0", "limit=1.0"), ()),
        (("introduced=1.0-alpha.1", "fixed=1.0.1"), ("1.0",)),
    ],
    ids=" ".join,
)
def test_events_in_any_order_make_ranges(written: tuple[str, ...], expected: tuple[str, ...]) -> None:
    assert affected(*written) == list(expected)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (("introduced=odd", "fixed=1.0"), ("0.1", "0.9.9")),
        (("introduced=1.5", "fixed=odd"), ("1.5", "2.0", "2.0.1", "3.0")),
        (("introduced=1.5", "last_affected=odd"), ("1.5", "2.0", "2.0.1", "3.0")),
        (("introduced=2.0", "limit=odd"), ("2.0", "2.0.1", "3.0")),
        (("fixed=1.0",), ("0.1", "0.9.9")),
        ((), VERSIONS),
    ],
    ids=" ".join,
)
def test_what_cannot_be_read_makes_a_range_wider(written: tuple[str, ...], expected: tuple[str, ...]) -> None:
    assert affected(*written) == list(expected)


def test_versions_that_no_rule_reads_are_told() -> None:
    assert unreadable(events("introduced=0", "fixed=odd"))
    assert not unreadable(events("introduced=0", "limit=*", "fixed=1.0"))


versions = st.builds("{}.{}".format, st.integers(0, 3), st.integers(0, 3))
lists = st.lists(
    st.builds(lambda key, version: Event(**{key: version}), st.sampled_from(["introduced", "fixed"]), versions),
    max_size=6,
)


@given(written=lists, version=versions)
def test_ranges_say_what_the_schema_s_own_evaluation_says(written: list[Event], version: str) -> None:
    asked = Version(version)
    # the schema: walk the events in order; at one version the fix comes first, as it ends what was before
    state = not any(one.introduced for one in written)
    ordered = sorted(written, key=lambda one: (Version(one.introduced or one.fixed or "0"), one.introduced is not None))
    for event in ordered:
        if event.introduced is not None and asked >= Version(event.introduced):
            state = True
        if event.fixed is not None and asked >= Version(event.fixed):
            state = False

    assert any(one.contains(asked) for one in ranges_of(written)) is state


def test_what_is_too_long_for_a_version_is_none() -> None:
    longest = "1." * (MAX_VERSION_CHARS // 2 - 1) + "11"

    assert readable(longest) == Version(longest)
    assert readable(f"{longest}1") is None

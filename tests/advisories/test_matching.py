from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from inbond.advisories.matching import How, Match, matches, says_anything
from inbond.model.advisory import Advisory, AffectedRange, Severity

DIGEST = "0ace" + "0" * 60
V1, V2 = Version("1.0"), Version("2.0")


def below(version: str) -> tuple[AffectedRange, ...]:
    return (AffectedRange(fixed=Version(version)),)


def one(
    *advisories: Advisory, version: Version | None = V1, sha256: str | None = DIGEST, malicious: bool = False
) -> Match:
    (found,) = matches(advisories, version, sha256, malicious=malicious)
    return found


@pytest.mark.parametrize(
    ("advisory", "version", "how"),
    [
        (Advisory(id="X", versions=frozenset({V1})), V1, How.RELEASE),
        (Advisory(id="X", versions=frozenset({V1})), V2, None),
        (Advisory(id="X", versions=frozenset({V1})), None, How.UNREADABLE),
        (Advisory(id="X", digests=frozenset({DIGEST})), V2, How.FILE),
        (Advisory(id="X", digests=frozenset({DIGEST})), None, How.FILE),
        (Advisory(id="X", digests=frozenset({"1" * 64})), V1, None),
        (Advisory(id="X", ranges=(AffectedRange(),)), None, How.RELEASE),
    ],
)
def test_an_advisory_bears_on_a_file_by_digest_or_version(
    advisory: Advisory, version: Version | None, how: How | None
) -> None:
    found = matches((advisory,), version, DIGEST, malicious=False)

    assert [each.how for each in found] == ([] if how is None else [how])


def test_malware_and_vulnerabilities_are_apart() -> None:
    advisories = (Advisory(id="MAL-1", malicious=True, ranges=below("9")), Advisory(id="PYSEC-1", ranges=below("9")))

    assert one(*advisories, malicious=True).advisory.id == "MAL-1"
    assert one(*advisories).advisory.id == "PYSEC-1"
    assert says_anything(advisories, malicious=True)
    assert not says_anything(advisories[1:], malicious=True)


def test_records_of_one_thing_count_once_whatever_their_order() -> None:
    records = (
        Advisory(id="PYSEC-1", aliases=("CVE-1",), ranges=(AffectedRange(),)),
        Advisory(id="GHSA-1", aliases=("CVE-1",), ranges=below("1.5"), severity=Severity.HIGH),
        Advisory(id="OTHER-1", aliases=("PYSEC-1",), ranges=below("1.6")),
    )
    for order in itertools.permutations(records):
        found = one(*order)
        assert (found.advisory.id, found.others) == ("GHSA-1", ("PYSEC-1", "OTHER-1"))
        assert (found.severity, found.fixed) == (Severity.HIGH, Version("1.6"))


def test_the_gravest_comes_first() -> None:
    advisories = tuple(
        Advisory(id=f"PYSEC-{number}", ranges=below("2"), severity=severity)
        for number, severity in enumerate([Severity.LOW, Severity.CRITICAL, Severity.UNKNOWN, Severity.CRITICAL])
    )

    found = matches(advisories, V1, None, malicious=False)

    assert [each.advisory.id for each in found] == ["PYSEC-1", "PYSEC-3", "PYSEC-0", "PYSEC-2"]
    assert matches(advisories, V1, DIGEST, malicious=False) is found  # worked out once for a release


@pytest.mark.parametrize(
    ("ranges", "version", "fixed"),
    [
        (below("1.5"), V1, "1.5"),
        ((*below("1.5"), AffectedRange(introduced=V2, fixed=Version("2.5"))), V2, "2.5"),
        ((*below("1.5"), *below("1.7")), V1, "1.7"),
        ((*below("1.5"), AffectedRange(last_affected=V2)), V1, None),
        (below("1.5"), None, None),
    ],
)
def test_the_fix_is_that_of_the_ranges_that_hold_the_version(
    ranges: tuple[AffectedRange, ...], version: Version | None, fixed: str | None
) -> None:
    found = one(Advisory(id="X", ranges=ranges), version=version)

    assert (None if found.fixed is None else str(found.fixed)) == fixed


def test_a_version_that_is_only_listed_has_no_fix() -> None:
    assert one(Advisory(id="X", versions=frozenset({V1}))).fixed is None


versions = st.builds("{}.{}".format, st.integers(0, 3), st.integers(0, 3)).map(Version)
ranges = st.builds(
    lambda introduced, fixed, last: AffectedRange(introduced=introduced, fixed=fixed, last_affected=last),
    st.none() | versions, st.none() | versions, st.none() | versions,
)  # fmt: skip
records = st.lists(
    st.builds(
        lambda found, listed: Advisory(id="", ranges=tuple(found), versions=frozenset(listed)),
        st.lists(ranges, max_size=3), st.lists(versions, max_size=2),
    ),
    max_size=5,
).map(lambda found: tuple(replace(one, id=f"X-{number}") for number, one in enumerate(found)))  # fmt: skip


@given(advisories=records, asked=st.lists(versions, max_size=4))
def test_what_bears_on_a_release_is_what_each_advisory_says_of_it(
    advisories: tuple[Advisory, ...], asked: list[Version]
) -> None:
    for version in asked:
        found = {one.advisory.id for one in matches(advisories, version, None, malicious=False)}

        assert found == {one.id for one in advisories if one.affects(version)}

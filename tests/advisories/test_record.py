from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from packaging.version import Version

from inbond.advisories.limits import MAX_RECORD_BYTES
from inbond.advisories.record import BadRecord, Record, read_record
from inbond.model.advisory import Advisory, Severity
from inbond.model.names import ProjectName
from sim.osv import ALL, affected, malware, raw

DEMO = ProjectName("demo")
DIGEST = "0ace" + "0" * 60
V3_HIGH = {"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N"}
V4_CRITICAL = {"type": "CVSS_V4", "score": "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"}
V2_LOW = {"type": "CVSS_V2", "score": "AV:L/AC:H/Au:M/C:P/I:N/A:N"}
NONE_AT_ALL = {"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N"}


def read(content: bytes) -> Record:
    record = read_record(content)
    assert record is not None
    return record


def demo(content: bytes) -> Advisory:
    return read(content).advisories[DEMO]


def test_a_record_of_malware_names_versions() -> None:
    record = read(malware("MAL-2026-1", "Demo", "1.0", "1.1"))
    advisory = record.advisories[DEMO]

    assert (advisory.id, advisory.malicious, advisory.summary) == ("MAL-2026-1", True, "what MAL-2026-1 is about")
    assert advisory.versions == {Version("1.0"), Version("1.1")}
    assert advisory.published == advisory.modified == record.modified == datetime(2026, 11, 1, tzinfo=UTC)
    assert record.raw == malware("MAL-2026-1", "Demo", "1.0", "1.1")
    assert not record.remarks


def test_versions_that_a_range_holds_are_not_kept_besides() -> None:
    advisory = demo(raw("X-1", affected("demo", {"introduced": "0"}, {"fixed": "2.0"}, versions=["1.0", "1.1", "3.0"])))

    assert advisory.versions == {Version("3.0")}
    assert advisory.affects(Version("1.1"))
    assert advisory.affects(Version("3.0"))
    assert not advisory.affects(Version("2.0"))


def test_entries_about_one_project_count_together_however_it_is_written() -> None:
    record = read(
        raw("X-1", affected("De.mo", versions=["1.0"]), affected("de_mo", *ALL, kind="semver"), affected("other", *ALL))
    )

    assert set(record.advisories) == {"de-mo", "other"}
    assert record.advisories[ProjectName("de-mo")].affects(Version("9"))


@pytest.mark.parametrize("ecosystem", ["npm", "Debian:12", ""])
def test_records_of_other_ecosystems_alone_are_none(ecosystem: str) -> None:
    assert read_record(raw("X-1", affected("demo", *ALL, ecosystem=ecosystem))) is None


@pytest.mark.parametrize("written", [{"affected": None}, {"affected": []}, {"affected": [{}]}])
def test_records_that_name_no_package_are_none(written: dict[str, Any]) -> None:
    assert read_record(raw("X-1", **written)) is None


@pytest.mark.parametrize("ecosystem", ["PyPI", "pypi", "PyPI:a-part-of-it"])
def test_pypi_is_known_by_its_name_with_any_suffix(ecosystem: str) -> None:
    assert read_record(raw("X-1", affected("demo", *ALL, ecosystem=ecosystem))) is not None


def test_a_withdrawn_record_names_nothing_and_stays_readable() -> None:
    record = read(malware("MAL-1", "demo", withdrawn="2026-11-02T00:00:00Z"))

    assert record.withdrawn
    assert not record.advisories
    assert json.loads(record.raw)["id"] == "MAL-1"


def test_files_are_named_by_the_digests_of_package_integrity_alone() -> None:
    entry = affected("demo", digests=[DIGEST.upper(), "no digest"])
    entry["database_specific"]["indicators"]["evidence_files"] = [{"path": "setup.py", "sha256": "1" * 64}]
    origins = {"malicious-packages-origins": [{"source": "finder", "sha256": "2" * 64}]}

    advisory = demo(raw("MAL-1", entry, database_specific=origins))

    assert advisory.digests == {DIGEST}
    assert advisory.affects(Version("1.0")) is False  # a record that names files alone names no version
    assert advisory.names(DIGEST)
    assert not advisory.names("2" * 64)


@pytest.mark.parametrize(
    "specific",
    [
        {"indicators": {"package_integrity": [{"hashes": {"sha256": DIGEST}}]}},
        {"indicators": {"package_integrity": [{"hashes": []}, "odd", {"hashes": {"sha256": DIGEST}}]}},
    ],
)
def test_files_may_be_named_for_the_whole_record(specific: dict[str, Any]) -> None:
    assert demo(raw("MAL-1", affected("demo"), database_specific=specific)).digests == {DIGEST}


@pytest.mark.parametrize("specific", [None, [], "odd", {"indicators": []}, {"indicators": {"package_integrity": {}}}])
def test_odd_database_specific_parts_name_nothing(specific: Any) -> None:
    assert not demo(raw("X-1", affected("demo", *ALL), database_specific=specific)).digests


def test_malware_that_names_nothing_in_particular_is_all_of_a_project() -> None:
    record = read(raw("MAL-1", affected("demo", {"introduced": "abcdef"}, kind="GIT")))

    assert record.advisories[DEMO].affects(Version("1.0"))
    assert record.remarks == ("names neither versions nor files, and so counts for all versions",)


def test_a_vulnerability_that_names_nothing_in_particular_counts_for_none_and_is_told() -> None:
    record = read(raw("PYSEC-1", affected("demo")))

    assert record.advisories[DEMO].affects(Version("1.0")) is False
    assert record.remarks == ("names neither versions nor files, and so counts for none",)


def test_versions_that_no_rule_reads_may_be_any_that_cannot_be_read() -> None:
    for record in (malware("MAL-1", "demo", "1.1", "not a version"), raw("X-1", affected("demo", versions=["odd"]))):
        advisory = demo(record)

        assert advisory.affects(Version("1.0")) is False
        assert advisory.affects(None) is None
        assert read(record).remarks == ("names versions that no rule reads",)


@pytest.mark.parametrize("version", ["not a version", "9" * 5000])
def test_malware_of_which_no_version_can_be_read_is_all_of_a_project(version: str) -> None:
    record = read(malware("MAL-1", "demo", version))

    assert record.advisories[DEMO].affects(Version("1.0"))
    assert record.remarks == ("names versions that no rule reads, and no other, and so counts for all versions",)


def test_an_unreadable_end_of_a_range_is_told() -> None:
    record = read(raw("X-1", affected("demo", {"introduced": "0"}, {"fixed": "odd"})))

    assert record.advisories[DEMO].affects(Version("9"))
    assert record.remarks == ("names versions that no rule reads",)


def test_a_name_that_is_none_is_told_and_the_rest_counts() -> None:
    record = read(raw("X-1", affected("-no-", *ALL), affected("demo", *ALL)))

    assert set(record.advisories) == {"demo"}
    assert record.remarks == ("names '-no-', which is no project's name",)


@pytest.mark.parametrize(
    ("record", "entry", "expected"),
    [
        ({}, {}, Severity.UNKNOWN),
        ({"severity": [V3_HIGH]}, {}, Severity.HIGH),
        ({"severity": [V2_LOW]}, {}, Severity.LOW),
        ({"severity": [V3_HIGH, V4_CRITICAL]}, {}, Severity.CRITICAL),
        ({}, {"severity": [V4_CRITICAL]}, Severity.CRITICAL),
        ({"severity": [NONE_AT_ALL]}, {}, Severity.LOW),
        ({"database_specific": {"severity": "MODERATE"}}, {}, Severity.MEDIUM),
        ({}, {"ecosystem_specific": {"severity": "critical"}}, Severity.CRITICAL),
        ({}, {"database_specific": {"severity": "Medium"}}, Severity.MEDIUM),
        ({"severity": [V2_LOW], "database_specific": {"severity": "HIGH"}}, {}, Severity.HIGH),
        ({"severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/odd"}]}, {}, Severity.UNKNOWN),
        ({"severity": [{"type": "CVSS_V3", "score": "C" * 5000}]}, {}, Severity.UNKNOWN),
        ({"severity": [{"type": "Ubuntu", "score": "high"}, {"type": 1}, "odd"]}, {}, Severity.UNKNOWN),
        ({"severity": "high", "database_specific": {"severity": 9}}, {}, Severity.UNKNOWN),
        ({"severity": None}, {}, Severity.UNKNOWN),
    ],
    ids=str,
)  # fmt: skip
def test_the_gravest_rating_counts(record: dict[str, Any], entry: dict[str, Any], expected: Severity) -> None:
    assert demo(raw("X-1", affected("demo", *ALL, **entry), **record)).severity is expected


@pytest.mark.parametrize("modified", [None, "yesterday", "2026-11-01"])
def test_a_time_that_cannot_be_read_loses_no_record(modified: str | None) -> None:
    found = demo(malware("MAL-1", "demo", modified=modified)).modified

    assert found == (datetime(2026, 11, 1, tzinfo=UTC) if modified == "2026-11-01" else None)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is no OSV record"),
        (b"[]", "is no OSV record"),
        (b'{"modified": "2026-11-01T00:00:00Z"}', "is no OSV record"),
        (b'{"id": 1}', "is no OSV record"),
        (b'{"id": ""}', "has no usable id"),
        (b'{"id": "a\\nb"}', "has no usable id"),
        (b'{"id": "X", "affected": {}}', "is no OSV record"),
        (b" " * (MAX_RECORD_BYTES + 1), "is larger than"),
        *(
            (
                b'{"id": "X", "affected": [{"package": {"ecosystem": "PyPI", "name": "demo"}%s}]%s}' % parts,
                "is no OSV record",
            )
            for parts in (
                (b"", b', "database_specific": {"x": 1e999}'),
                (b', "database_specific": {"x": %s}' % (b"9" * 6000), b""),
                (b', "severity": [{"type": "CVSS_V3", "score": "\xff"}]', b""),
                (b"", b', "database_specific": {"\xff": 1}'),
                (b"", b', "details": "\xff"'),
            )
        ),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_no_record_is_told(content: bytes, said: str) -> None:
    with pytest.raises(BadRecord, match=said):
        read_record(content)


def test_text_of_others_is_made_fit_for_a_terminal() -> None:
    assert demo(malware("MAL-1", "demo", summary="a\x1b[31m" + "x" * 500)).summary.startswith("a\\x1b[31m")

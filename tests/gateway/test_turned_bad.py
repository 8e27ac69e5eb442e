from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from packaging.version import Version

from inbond.gateway.turned_bad import turned_bad
from inbond.model.advisory import Advisory, AffectedRange, Severity
from inbond.model.history import ServedFile
from inbond.model.names import Filename, ProjectName
from inbond.model.occurrence import OccurrenceKind
from inbond.policy.settings import Action, ProjectPolicy
from policy.cases import DAY, DIGEST, NOW

WHEEL = Filename("demo-1.0-py3-none-any.whl")
MALWARE = Advisory(id="MAL-1", malicious=True, versions=frozenset({Version("1.0")}), summary="bad", published=NOW)
WEAKNESS = Advisory(id="GHSA-1", ranges=(AffectedRange(fixed=Version("2.0")),), severity=Severity.HIGH)


def served(*clients: str, times: int = 1, days: int = 3, count: int | None = None, **changes: Any) -> ServedFile:
    file = ServedFile(
        index="root",
        upstream="pypi",
        project=ProjectName("demo"),
        filename=WHEEL,
        version="1.0",
        sha256=DIGEST,
        first_at=NOW - timedelta(days=days),
        last_at=NOW - DAY,
        times=times,
        clients=clients,
        clients_count=len(clients) if count is None else count,
    )
    return replace(file, **changes)


def told(*files: ServedFile, advisories: tuple[Advisory, ...] = (MALWARE,), **keys: str) -> list[str]:
    actions: dict[str, Any] = {name: Action.parse(action) for name, action in keys.items()}
    policy = ProjectPolicy(**actions)
    return [one.occurrence.message for one in turned_bad(files, advisories, {"root": policy}, now=NOW)]


def test_it_says_what_when_where_and_to_whom() -> None:
    file = served("10.0.0.1", "10.0.0.2", times=4, days=5)

    (found,) = turned_bad([file], (MALWARE,), {"root": ProjectPolicy()}, now=NOW)

    one = found.occurrence
    assert one.kind is OccurrenceKind.SERVED_TURNED_BAD
    assert one.key.startswith(f"served-turned-bad root {WHEEL} {DIGEST} MAL-1 ")
    assert one.message == f"{WHEEL}, served 4 times to 2 clients, is named by MAL-1: malware"
    assert (one.index, one.upstream, one.project, one.filename, one.at) == ("root", "pypi", "demo", WHEEL, NOW)
    assert one.detail == {
        "advisory": "MAL-1",
        "kind": "malware",
        "severity": "unknown",
        "summary": "bad",
        "published": "2026-11-20T12:00:00Z",
        "version": "1.0",
        "sha256": DIGEST,
        "first_served": "2026-11-15T12:00:00Z",
        "last_served": "2026-11-19T12:00:00Z",
        "times": "4",
        "clients": "10.0.0.1, 10.0.0.2",
        "clients_count": "2",
    }


@pytest.mark.parametrize(
    ("keys", "advisories", "named"),
    [
        ({}, (MALWARE, WEAKNESS), ["MAL-1"]),  # by default vulnerabilities only warn
        ({"malware": "warn"}, (MALWARE,), ["MAL-1"]),
        ({"malware": "off"}, (MALWARE,), []),
        ({"vulnerabilities": "deny"}, (WEAKNESS,), ["GHSA-1"]),
        ({"vulnerabilities": "hold 7d"}, (WEAKNESS,), ["GHSA-1"]),
        ({"vulnerabilities": "off"}, (WEAKNESS,), []),
        ({"vulnerabilities": "deny"}, (replace(WEAKNESS, ranges=(AffectedRange(fixed=Version("1.0")),)),), []),
    ],
    ids=str,
)
def test_what_the_index_s_policy_minds_is_told(
    keys: dict[str, str], advisories: tuple[Advisory, ...], named: list[str]
) -> None:
    messages = told(served(), advisories=advisories, **keys)

    assert [message.split(" is named by ")[1].split(":")[0] for message in messages] == named


def test_only_what_is_grave_enough_is_told() -> None:
    policy = ProjectPolicy(vulnerabilities=Action.parse("deny"), min_severity=Severity.CRITICAL)

    assert not turned_bad([served()], (WEAKNESS,), {"root": policy}, now=NOW)


def test_an_index_that_is_gone_minds_everything() -> None:
    assert len(turned_bad([served(index="gone")], (MALWARE, WEAKNESS), {"root": ProjectPolicy()}, now=NOW)) == 2


def test_each_file_and_index_is_told_of_by_itself() -> None:
    files = [served(), served(index="team"), served(sha256="1" * 64), served(filename=Filename("demo-1.0.tar.gz"))]
    found = turned_bad(files, (MALWARE,), {"root": ProjectPolicy(), "team": ProjectPolicy()}, now=NOW)

    assert len({one.subject for one in found}) == len({one.occurrence.key for one in found}) == len(found) == 4


def test_others_who_got_it_are_another_occurrence_of_one_subject() -> None:
    files = [served("10.0.0.1"), served("10.0.0.1", "10.0.0.2"), served("10.0.0.3"), served("10.0.0.1", count=50)]
    few, more, other, many = (turned_bad([file], (MALWARE,), {}, now=NOW)[0] for file in files)

    assert len({one.subject for one in (few, more, other, many)}) == 1
    assert len({one.occurrence.key for one in (few, more, other, many)}) == 4
    assert [one.more_than(few) for one in (few, more, other, many)] == [False, True, True, True]
    assert not few.more_than(more)  # some were forgotten


def test_a_file_may_be_named_by_its_digest_or_have_no_version_that_can_be_read() -> None:
    named = replace(MALWARE, versions=frozenset(), digests=frozenset({DIGEST}))

    assert told(served(version=None), advisories=(named,))
    assert told(served(version=None))  # MAL-1 names versions, and this may be one
    assert told(served(version="odd"))
    assert not told(served(version="2.0"))


def test_without_addresses_nobody_is_named() -> None:
    (found,) = turned_bad([served()], (MALWARE,), {}, now=NOW)

    assert found.occurrence.message == f"{WHEEL}, served 1 time, is named by MAL-1: malware"
    assert "clients" not in found.occurrence.detail
    assert found.occurrence.detail["clients_count"] == "0"


def test_only_some_clients_are_named_and_all_are_counted() -> None:
    (found,) = turned_bad([served("10.0.0.1", "10.0.0.2", count=50)], (MALWARE,), {}, now=NOW)

    assert (found.occurrence.detail["clients"], found.occurrence.detail["clients_count"]) == (
        "10.0.0.1, 10.0.0.2",
        "50",
    )

from __future__ import annotations

import json
from typing import Any

import pytest
from packaging.version import Version

from inbond.advisories import osv_query
from inbond.advisories.limits import MAX_VERSION_CHARS
from inbond.advisories.osv_query import (
    MAX_QUERIES,
    BadQuery,
    answer_batch,
    answer_query,
    parse_batch,
    parse_query,
)
from inbond.advisories.snapshot import AdvisorySet, read_records
from sim.osv import affected, malware, raw, vulnerability

DEMO = {"name": "Demo", "ecosystem": "PyPI"}
RECORDS = (
    malware("MAL-1", "demo", "1.0"),
    vulnerability("PYSEC-1", "demo", fixed="2.0"),
    malware("MAL-2", "demo", "3.0", withdrawn="2026-11-02T00:00:00Z"),
    raw("MAL-3", affected("demo", digests=["1" * 64])),
    malware("MAL-4", "other"),
)
KNOWN = AdvisorySet.joined([read_records((str(n), one) for n, one in enumerate(RECORDS))])


def ids(query: dict[str, Any]) -> list[str]:
    answer = json.loads(answer_query(parse_query(json.dumps(query).encode()), KNOWN))
    return [record["id"] for record in answer.get("vulns", [])]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"package": DEMO, "version": "1.0"}, ["MAL-1", "PYSEC-1"]),
        ({"package": DEMO, "version": "1.5"}, ["PYSEC-1"]),
        ({"package": DEMO, "version": "2.0"}, []),
        ({"package": DEMO, "version": "3.0"}, []),  # withdrawn
        ({"package": DEMO, "version": "1.0.0"}, ["MAL-1", "PYSEC-1"]),
        ({"package": DEMO, "version": "odd"}, ["MAL-1", "PYSEC-1"]),
        ({"package": DEMO}, ["MAL-1", "MAL-3", "PYSEC-1"]),
        ({"package": DEMO, "version": ""}, ["MAL-1", "MAL-3", "PYSEC-1"]),
        ({"package": DEMO, "version": "1.5", "page_token": "abc", "more": 1}, ["PYSEC-1"]),
        ({"package": {"purl": "pkg:pypi/demo@1.5"}}, ["PYSEC-1"]),
        ({"package": {"purl": "pkg:pypi/demo"}, "version": "1.5"}, ["PYSEC-1"]),
        ({"package": {"purl": "pkg:pypi/de%6Do@1.5?file_name=demo.whl#sub"}}, ["PYSEC-1"]),
        ({"package": {"name": "unknown", "ecosystem": "PyPI"}, "version": "1"}, []),
    ],
    ids=str,
)
def test_a_question_finds_what_is_known(query: dict[str, Any], expected: list[str]) -> None:
    assert ids(query) == expected


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ([], "not a query"),
        ({}, "no package is named"),
        ({"package": {}}, "no package is named"),
        ({"package": {"name": 1}}, "not a query"),
        ({"commit": "abc"}, "commits are not known here"),
        ({"package": {"name": "demo"}}, "packages of PyPI alone"),
        ({"package": {"name": "demo", "ecosystem": "npm"}}, "packages of PyPI alone"),
        ({"package": {"purl": "pkg:npm/demo@1"}}, "packages of PyPI alone"),
        ({"package": {"purl": "pkg:pypi/demo@1"}, "version": "1"}, "not in both"),
        ({"package": {**DEMO, "purl": "pkg:pypi/demo"}}, "not by both"),
        ({"package": {"name": "-", "ecosystem": "PyPI"}}, "not a project name"),
        ({"package": {"purl": "pkg:pypi/"}}, "not a project name"),
        ({"package": DEMO, "version": "1" * 5000}, "a version of more than 200 characters cannot be read"),
        ({"package": {"purl": "pkg:pypi/demo@" + "1" * (MAX_VERSION_CHARS + 1)}}, "more than 200 characters"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_question_that_cannot_be_answered_is_refused(query: Any, said: str) -> None:
    with pytest.raises(BadQuery, match=said):
        parse_query(json.dumps(query).encode())


def test_records_are_answered_as_they_were_published() -> None:
    one, none = (parse_query(json.dumps({"package": DEMO, "version": version}).encode()) for version in ("1.0", "2.0"))

    assert json.loads(answer_query(one, KNOWN)) == {"vulns": [json.loads(RECORDS[0]), json.loads(RECORDS[1])]}
    assert json.loads(answer_query(none, KNOWN)) == {}


def test_a_batch_is_answered_in_order_with_ids_alone() -> None:
    queries = [{"package": DEMO, "version": version} for version in ("2.0", "1.5", "2.0")]

    found = parse_batch(json.dumps({"queries": queries}).encode())

    assert json.loads(answer_batch(found, KNOWN)) == {
        "results": [{}, {"vulns": [{"id": "PYSEC-1", "modified": "2026-11-01T00:00:00Z"}]}, {}]
    }


def test_of_equal_questions_one_is_worked_out(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def counting(text: str) -> Version:
        read.append(text)
        return Version(text)

    monkeypatch.setattr(osv_query, "readable", counting)
    found = parse_batch(json.dumps({"queries": [{"package": DEMO, "version": "1.0"}] * MAX_QUERIES}).encode())

    assert len(json.loads(answer_batch(found, KNOWN))["results"]) == MAX_QUERIES
    assert read == ["1.0"]


def test_an_answer_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(osv_query, "MAX_ANSWER_BYTES", 100)
    one = parse_query(json.dumps({"package": DEMO}).encode())

    said = "the answer is larger than 100 B: ask less at once"
    with pytest.raises(BadQuery, match=said):
        answer_query(one, KNOWN)
    with pytest.raises(BadQuery, match=said):
        answer_batch([one] * 3, KNOWN)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "not a batch"),
        ({"queries": [{"package": DEMO}, {"commit": "abc"}]}, "query 1: commits are not known"),
        ({"queries": [{"package": DEMO}] * (MAX_QUERIES + 1)}, "1001 queries are too many"),
    ],
    ids=["no queries", "a bad one", "too many"],
)
def test_a_batch_with_a_bad_query_is_refused_whole(body: dict[str, Any], said: str) -> None:
    with pytest.raises(BadQuery, match=said):
        parse_batch(json.dumps(body).encode())

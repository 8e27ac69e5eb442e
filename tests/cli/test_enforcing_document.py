"""docs/enforcing.md names every key of the JSON that its commands print."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from inbond.cli import policy_suggest_text, policy_test_json, report_json
from inbond.cli.policy_suggest_run import Suggestions
from inbond.cli.policy_test_run import Tried, Wanted
from inbond.model.names import Filename, ProjectName
from inbond.model.occurrence import Occurrence, OccurrenceKind
from inbond.reporting.difference import Compared, compare
from inbond.reporting.report import Entry, Report, now_of
from inbond.reporting.stops import stops_of
from inbond.reporting.suggestions import LeftOut, Suggested, proposals, shared_by
from policy.cases import NOW, identity_of
from reporting.site import parsed
from reporting.support import fate, found, row
from ways_in.programs import TOP

TEXT = (TOP / "docs" / "enforcing.md").read_text(encoding="utf-8")
FREE = frozenset({"detail"})  # its keys are those of docs/events.md


def a_report() -> dict[str, Any]:
    (stop,) = stops_of([row()])
    entry = Entry(stop=stop, now=now_of(stop, {stop.files[0]: fate(found())}, {}, NOW))
    bad = Occurrence(key="x", kind=OccurrenceKind.SERVED_TURNED_BAD, at=NOW, message="x", detail={"clients": "x"})
    report = Report(at=NOW, since=NOW, index=None, recorded_since=NOW, entries=(entry,), turned_bad=(bad,))
    return parsed(report_json.dumps(report))


def a_test() -> dict[str, Any]:
    name = Filename("demo-1.0.tar.gz")
    one = Compared(
        project=ProjectName("demo"), version="1.0", filename=name, before=fate(), after=fate(found()), times=1
    )
    tried = Tried(
        wanted=Wanted(policy="strict"), index="root", before="default", after="strict", at=NOW, projects=1,
        recorded_since=NOW, comparison=compare([one]),
    )  # fmt: skip
    return parsed(policy_test_json.dumps(tried))


def a_suggestion() -> dict[str, Any]:
    pattern = shared_by([identity_of()])
    assert not isinstance(pattern, str)
    name = ProjectName("demo")
    one = Suggested(project=name, publisher=pattern, versions=(), files=3)
    left = LeftOut(project=name, reason="x")
    suggestions = Suggestions(
        index="root", policy="default", at=NOW, offline=True, proposals=proposals([one]), left_out=(left,)
    )
    return parsed(policy_suggest_text.as_json(suggestions))


def keys_of(value: Any) -> Iterator[str]:
    match value:
        case dict():
            for key, below in value.items():
                yield key
                yield from () if key in FREE else keys_of(below)
        case list():
            for below in value:
                yield from keys_of(below)


@pytest.mark.parametrize("document", [a_report(), a_test(), a_suggestion()], ids=["report", "test", "suggest"])
def test_every_key_is_documented(document: dict[str, Any]) -> None:
    assert {key for key in keys_of(document) if f"`{key}`" not in TEXT} == set()

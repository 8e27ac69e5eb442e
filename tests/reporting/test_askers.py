"""Which files are meant by who asks who was given them, and what is told of each."""

from __future__ import annotations

from dataclasses import replace

import pytest

from inbond.model.history import AskedRow, ServedFile
from inbond.model.names import Filename, ProjectName
from inbond.model.occurrence import Occurrence, OccurrenceKind
from inbond.model.verdict import Decision, Finding, Outcome
from inbond.reporting.askers import ROW_FIELDS, Given, Sought, given_fields, naming, row_fields
from inbond.reporting.fates import Fate, Untold
from store.samples import ASKED, FLASK, T0, T1

FILE = ServedFile(
    index="root",
    upstream="pypi",
    project=FLASK,
    filename=Filename("flask-3.1.0.tar.gz"),
    version="3.1.0",
    sha256="b" * 64,
    first_at=T0,
    last_at=T1,
    times=5,
    clients=("192.0.2.7",),
    clients_count=1,
)
DENIED = Fate(
    decision=Decision.ALLOW,
    would=Decision.DENY,
    stopping=(Finding(rule="malware", outcome=Outcome.DENY, code="malware", message="bad", audited=True),),
)
TURNED = Occurrence(
    key="k",
    kind=OccurrenceKind.SERVED_TURNED_BAD,
    at=T1,
    message="bad",
    index="root",
    filename=FILE.filename,
    detail={"advisory": "MAL-1", "sha256": "b" * 64},
)


@pytest.mark.parametrize(
    ("text", "version", "covered"),
    [
        ("flask", "3.1.0", True),
        ("Flask == 3.1", "3.1.0", True),
        ("flask<3", "3.1.0", False),
        ("flask<3", None, True),
        ("flask<3", "no version", True),
        ("other", "3.1.0", False),
        (f"flask@sha256:{'b' * 64}", None, True),
        (f"flask@sha256:{'c' * 64}", "3.1.0", False),
        ("flask-3.1.0.tar.gz", None, True),
        ("flask-3.1.0.zip", "3.1.0", False),
        ("Flask-3.1.0.TAR.GZ", "3.1.0", True),
        ("flask-3.1.0.tar.gz.metadata", "3.1.0", True),
        ("flask-3_1_0.tar.gz", "3.1.0", True),
        ("flask-3.1.0.exe", "3.1.0", False),
    ],
)
def test_what_is_meant(text: str, version: str | None, covered: bool) -> None:
    assert Sought.parse(text).covers(FLASK, FILE.filename, version, "b" * 64) is covered


def test_a_file_is_looked_for_on_every_page_that_may_list_it() -> None:
    assert Sought.parse("a-b-1.tar.gz").projects == (ProjectName("a-b"), ProjectName("a"))
    assert Sought.parse("flask<3").projects == (FLASK,)
    assert Sought.parse("flask.zip").projects == (ProjectName("flask.zip"),)  # no file's name: it has no version
    assert Sought(text="nothing").projects == ()


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({}, ("MAL-1",)),
        ({"index": "team"}, ()),
        ({"filename": Filename("flask-3.tar.gz")}, ()),
        ({"detail": {"advisory": "MAL-1"}}, ()),
        ({"detail": {"sha256": "b" * 64}}, ()),
        ({"kind": OccurrenceKind.MALWARE_FOUND}, ()),
    ],
)
def test_only_what_names_this_very_file_counts(other: dict[str, object], named: tuple[str, ...]) -> None:
    assert naming(FILE, [replace(TURNED, **other), replace(TURNED, **other)]) == named  # type: ignore[arg-type]


def test_what_becomes_of_a_file_is_told() -> None:
    bad = given_fields(Given(file=FILE, now=DENIED, named_by=("MAL-1",)))
    assert bad["now"] == {"decision": "allow", "would": "deny", "rule": "malware", "message": "bad"}
    assert (bad["advisories"], bad["times"], bad["clients"]) == (["MAL-1"], 5, 1)
    fine = Fate(decision=Decision.ALLOW, would=Decision.ALLOW)
    assert given_fields(Given(file=FILE, now=fine))["now"]["rule"] is None
    untold = given_fields(Given(file=FILE, now=Untold(reason="gone")))
    assert untold["now"] == {"decision": None, "would": None, "rule": None, "message": "gone"}


def test_a_row_has_the_fields_of_the_head() -> None:
    found = row_fields(AskedRow(first=replace(ASKED, who="person:ada"), last_at=T1, count=3))
    assert tuple(found) == ROW_FIELDS
    assert (found["who"], found["times"], found["then"], found["rule"]) == ("person:ada", 3, "hold", "cooldown")
    assert row_fields(AskedRow.of(replace(ASKED, rule="")))["rule"] is None

from __future__ import annotations

import itertools
from datetime import UTC, datetime

import pytest
from packaging.version import Version

from inbond.advisories import snapshot
from inbond.advisories.snapshot import NOTHING_KNOWN, AdvisorySet, TooManyRecords, read_records
from inbond.model.names import ProjectName
from sim.osv import ALL, affected, malware, raw, vulnerability

DEMO, OTHER = ProjectName("demo"), ProjectName("other")
OLD = malware("MAL-1", "demo", "1.0", modified="2026-01-01T00:00:00Z")
NEW = malware("MAL-1", "demo", "2.0", modified="2026-02-01T00:00:00Z")


def joined(*sources: list[bytes]) -> AdvisorySet:
    return AdvisorySet.joined(read_records((str(n), one) for n, one in enumerate(source)) for source in sources)


def test_a_source_tells_what_it_holds_and_what_it_could_not_read() -> None:
    found = read_records(
        [
            ("a.json", NEW),
            ("b.json", b"{"),
            ("c.json", raw("X-1", affected("demo", *ALL, ecosystem="npm"))),
            ("d.json", raw("X-2", affected("demo"))),
        ]
    )

    assert set(found.records) == {"MAL-1", "X-2"}
    assert (found.bad, found.elsewhere, found.remarked) == (1, 1, 1)
    assert found.problems[0].startswith("b.json is no OSV record")
    assert found.problems[1:] == ("X-2 names neither versions nor files, and so counts for none",)
    assert found.newest == datetime(2026, 11, 1, tzinfo=UTC)
    assert read_records([]).newest is None


def test_a_bad_record_takes_no_other_with_it() -> None:
    bad = raw("X-1", affected("demo", *ALL)).rstrip()[:-1] + b', "database_specific": {"cost": 1e999}}'
    found = read_records([("a.json", NEW), ("bad.json", bad), ("c.json", malware("MAL-2", "demo", "1.0"))])

    assert set(found.records) == {"MAL-1", "MAL-2"}
    assert found.bad == 1
    assert found.problems[0].startswith("bad.json is no OSV record: ")


def test_only_some_problems_are_named_and_all_are_counted() -> None:
    found = read_records((f"{number}.json", b"{") for number in range(100))

    assert (found.bad, len(found.problems)) == (100, 20)


def test_a_source_of_too_many_records_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "MAX_RECORDS", 2)

    with pytest.raises(TooManyRecords, match="more than 2 records"):
        read_records((str(number), NEW) for number in range(3))


def test_of_one_id_the_record_that_was_changed_last_counts_whatever_the_order() -> None:
    same_time = malware("MAL-1", "demo", "3.0", modified="2026-02-01T00:00:00Z")
    undated = malware("MAL-1", "demo", "4.0", modified=None)
    sets = {
        joined(*([one] for one in order)).version for order in itertools.permutations([OLD, NEW, same_time, undated])
    }
    within = {joined(list(order)).version for order in itertools.permutations([OLD, NEW, same_time, undated])}

    assert len(sets | within) == 1
    assert joined([OLD, NEW]).of(DEMO)[0].affects(Version("2.0"))
    assert not joined([NEW], [OLD]).of(DEMO)[0].affects(Version("1.0"))


def test_a_newer_withdrawal_lifts_a_record_and_keeps_it_readable() -> None:
    known = joined([OLD], [malware("MAL-1", "demo", withdrawn="2026-11-01T00:00:00Z")])

    assert known.of(DEMO) == ()
    assert known.digest_of(DEMO) == ""
    record = known.record("MAL-1")
    assert record is not None
    assert record.withdrawn
    assert known.record("MAL-2") is None


def test_a_set_names_the_projects_about_which_it_says_something_else() -> None:
    before = joined([OLD, vulnerability("PYSEC-1", "other", fixed="2.0")])
    after = joined([NEW, vulnerability("PYSEC-1", "other", fixed="2.0")])

    assert list(after.changed_since(before)) == [DEMO]
    assert set(after.changed_since(NOTHING_KNOWN)) == {DEMO, OTHER}
    assert list(NOTHING_KNOWN.changed_since(after)) == []
    assert (after.projects, NOTHING_KNOWN.projects) == (2, 0)
    assert before.digest_of(OTHER) == after.digest_of(OTHER)
    assert before.version != after.version
    assert after.of(DEMO) is after.of(DEMO)

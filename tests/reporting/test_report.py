from __future__ import annotations

from typing import Any

import pytest

from inbond.model.names import Filename, ProjectName
from inbond.model.occurrence import Occurrence, OccurrenceKind
from inbond.model.verdict import Decision, Outcome
from inbond.reporting.fates import Told, Untold
from inbond.reporting.report import (
    Entry,
    Now,
    Readiness,
    Report,
    Still,
    noticed,
    now_of,
    readiness,
    turned_bad,
)
from inbond.reporting.stops import Stop, stops_of
from policy.cases import DAY, NOW
from reporting.support import DENY, HOLD, fate, found, row

WHEEL, SDIST = Filename("demo-2.0-py3-none-any.whl"), Filename("demo-2.0.tar.gz")
DIGESTS = {WHEEL: "a" * 64, SDIST: "b" * 64}
NOTHING = fate()


def recorded(*names: str) -> Stop:
    (stop,) = stops_of([row(name) for name in names or (WHEEL,)])
    return stop


def refused(*names: str) -> Stop:
    (stop,) = stops_of([row(name, decision=HOLD) for name in names or (WHEEL,)])
    return stop


def now(stop: Stop, *fates: Told) -> Now:
    return now_of(stop, dict(zip(stop.files, fates, strict=False)), DIGESTS, NOW)


def test_what_would_still_be_held_says_until_when_and_how_to_let_it_through() -> None:
    told = now(recorded(), fate(found(audited=True)))
    assert (told.still, told.decision) == (Still.YES, Decision.HOLD)
    assert told.finding is not None
    assert told.finding.until == NOW + 2 * DAY
    assert told.waivers == ("inbond waive add demo==2.0 --rule cooldown --until 2d --index root --reason '...'",)


def test_of_what_was_refused_only_the_decision_in_force_counts() -> None:
    only_recorded = fate(found(audited=True))
    assert now(refused(), only_recorded).still is Still.NO
    assert now(recorded(), only_recorded).still is Still.YES
    assert now(refused(), fate(found())).still is Still.YES


def test_what_is_waived_or_old_enough_may_be_had() -> None:
    assert now(recorded(), NOTHING) == Now(still=Still.NO)


def test_a_release_is_stopped_where_one_of_its_files_is_and_the_gravest_is_told() -> None:
    told = now(recorded(WHEEL, SDIST), fate(found()), fate(found("attestations", Outcome.DENY)))
    assert told.decision is Decision.DENY
    assert told.finding is not None
    assert told.finding.rule == "attestations"
    assert [line.split("--rule ")[1].split()[0] for line in told.waivers] == ["cooldown", "attestations"]
    assert now(recorded(WHEEL, SDIST), NOTHING, fate(found())).still is Still.YES


def test_every_rule_that_stops_needs_a_waiver_and_one_that_takes_none_leaves_none() -> None:
    both = now(recorded(), fate(found("attestations", Outcome.DENY), found()))
    assert len(both.waivers) == 2
    assert now(recorded(), fate(found("hashes", Outcome.DENY), found())).waivers == ()


@pytest.mark.parametrize(
    ("rule", "code"),
    [("malware", "named-release"), ("continuity", "recreated"), ("attestations", "rejected"), ("review", "rejected")],
)
def test_what_looks_like_an_attack_or_was_rejected_gets_no_waiver(rule: str, code: str) -> None:
    remedy = "use another version, or have rejection r-0123456789 revoked"
    attack = found(rule, Outcome.DENY, code=code, remedy=remedy)
    assert now(recorded(), fate(attack)).still is Still.YES
    assert now(recorded(), fate(attack)).waivers == ()
    assert now(recorded(), fate(attack, found())).waivers == ()


def test_a_waiver_for_what_was_refused_passes_over_what_is_only_recorded() -> None:
    told = now(refused(), fate(found("attestations", Outcome.DENY, audited=True), found()))
    assert [line.split("--rule ")[1].split()[0] for line in told.waivers] == ["cooldown"]


def test_a_file_whose_version_cannot_be_read_is_named_by_its_digest() -> None:
    (stop,) = stops_of([row(WHEEL, version=None)])
    told = now_of(stop, {WHEEL: fate(found())}, DIGESTS, NOW)
    assert f"demo@sha256:{'a' * 64}" in told.waivers[0]
    assert now_of(stop, {WHEEL: fate(found())}, {}, NOW).waivers == ()


def test_what_cannot_be_told_says_why() -> None:
    assert now(recorded(), Untold(reason="nobody looked")) == Now(still=Still.UNTOLD, reason="nobody looked")
    assert now(recorded()) == Now(still=Still.UNTOLD, reason="it is not listed any more")
    assert now(recorded(WHEEL, SDIST), NOTHING).still is Still.UNTOLD


def entry(stop: Stop, still: Still) -> Entry:
    waivers = ("inbond waive add demo",) if still is Still.YES else ()
    return Entry(stop=stop, now=Now(still=still, waivers=waivers))


@pytest.mark.parametrize(
    ("entries", "comes_to"),
    [
        ([], Readiness.READY),
        ([entry(recorded(), Still.NO)], Readiness.READY),
        ([entry(refused(), Still.YES)], Readiness.READY),
        ([entry(refused(), Still.UNTOLD), entry(recorded(), Still.NO)], Readiness.READY),
        ([entry(recorded(), Still.UNTOLD), entry(recorded(), Still.NO)], Readiness.UNTOLD),
        ([entry(recorded(), Still.UNTOLD), entry(recorded(), Still.YES)], Readiness.NOT_READY),
    ],
)
def test_enforcing_is_ready_where_it_would_stop_nothing_more(entries: list[Entry], comes_to: Readiness) -> None:
    assert readiness(entries) is comes_to


def test_a_report_keeps_what_was_refused_and_what_was_recorded_apart() -> None:
    entries = (entry(recorded(), Still.YES), entry(refused(), Still.YES))
    report = Report(at=NOW, since=NOW - DAY, index=None, recorded_since=None, entries=entries)
    assert report.recorded == entries[:1]
    assert report.stopped == entries[1:]
    assert report.waivers == ("inbond waive add demo",)


def happened(kind: OccurrenceKind, days: int, **where: Any) -> Occurrence:
    at = NOW - days * DAY
    return Occurrence(key=f"{kind}/{days}", kind=kind, at=at, message="x", project=ProjectName("demo"), **where)


def test_what_happened_stands_where_it_belongs_the_latest_first() -> None:
    occurrences = [
        happened(OccurrenceKind.PUBLISHER_CHANGED, 3, upstream="pypi"),
        happened(OccurrenceKind.SERVED_TURNED_BAD, 2, index="root"),
        happened(OccurrenceKind.SERVED_TURNED_BAD, 1, index="team"),
        happened(OccurrenceKind.FILE_REPLACED, 1, index="root"),
        happened(OccurrenceKind.FILE_STOPPED, 1, index="root"),
        happened(OccurrenceKind.DECISION_MADE, 1),
        happened(OccurrenceKind.DECISION_REVOKED, 1),
    ]
    assert [one.kind for one in noticed(occurrences, index="root")] == [
        OccurrenceKind.FILE_REPLACED,
        OccurrenceKind.PUBLISHER_CHANGED,
    ]
    assert [one.index for one in turned_bad(occurrences, index=None)] == ["team", "root"]
    assert [one.index for one in turned_bad(occurrences, index="team")] == ["team"]


def test_a_decision_of_an_entry_is_as_history_has_it() -> None:
    (stop,) = stops_of([row(would=DENY, rule="publishers")])
    assert (stop.decision, stop.enforced) == (DENY, False)

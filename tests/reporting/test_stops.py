from __future__ import annotations

from datetime import timedelta

from inbond.reporting.stops import stops_of, sums_by
from policy.cases import DAY, HOUR, NOW
from reporting.support import ALLOW, DENY, HOLD, row

WHEEL, SDIST = "demo-2.0-py3-none-any.whl", "demo-2.0.tar.gz"


def test_requests_for_one_release_are_one_entry() -> None:
    (stop,) = stops_of(
        [
            row(WHEEL, client="192.0.2.1", count=3, at=NOW - 3 * DAY, last_at=NOW - 2 * DAY),
            row(SDIST, client="192.0.2.1", count=2, at=NOW - 4 * DAY, message="older"),
            row(WHEEL, client="192.0.2.2", at=NOW - HOUR, message="the latest"),
        ]
    )
    assert (stop.project, stop.version, stop.rule, stop.decision) == ("demo", "2.0", "cooldown", HOLD)
    assert stop.files == (WHEEL, SDIST)
    assert [(one.client, one.times, one.last_at) for one in stop.askers] == [
        ("192.0.2.1", 5, NOW - 2 * DAY),
        ("192.0.2.2", 1, NOW - HOUR),
    ]
    assert (stop.people, stop.times) == (2, 6)
    assert (stop.first_at, stop.last_at, stop.message) == (NOW - 4 * DAY, NOW - HOUR, "the latest")


def test_what_differs_in_index_release_rule_or_enforcement_stays_apart() -> None:
    stops = stops_of(
        [
            row(),
            row(index="team"),
            row("demo-3.0-py3-none-any.whl"),
            row(rule="publishers", would=DENY),
            row(decision=HOLD),
        ]
    )
    assert len(stops) == 5
    assert [stop.enforced for stop in stops].count(True) == 1


def test_what_was_let_through_is_no_entry() -> None:
    assert stops_of([row(decision=ALLOW, would=ALLOW, rule="")]) == ()


def test_what_was_refused_has_the_decision_that_was_in_force() -> None:
    (stop,) = stops_of([row(decision=HOLD, would=DENY)])
    assert stop.enforced
    assert stop.decision is HOLD


def test_what_concerns_most_people_comes_first_and_then_what_was_asked_for_most() -> None:
    stops = stops_of(
        [
            row("once-1.0.tar.gz"),
            row("often-1.0.tar.gz", count=7),
            row("many-1.0.tar.gz", client="192.0.2.1"),
            row("many-1.0.tar.gz", client="192.0.2.2"),
            row("also-1.0.tar.gz"),
        ]
    )
    assert [stop.project for stop in stops] == ["many", "often", "also", "once"]


def test_where_addresses_are_not_kept_requests_are_counted_and_people_are_not() -> None:
    (stop,) = stops_of([row(client="", count=4)])
    assert (stop.people, stop.times) == (0, 4)


def test_sums_count_whoever_met_several_once() -> None:
    stops = stops_of(
        [
            row("a-1.0.tar.gz", count=2),
            row("b-1.0.tar.gz", client="192.0.2.2"),
            row("b-1.0.tar.gz", rule="publishers", at=NOW - timedelta(hours=2)),
        ]
    )
    by_rule = sums_by(stops, lambda stop: stop.rule)
    assert [(one.name, one.people, one.times, one.releases) for one in by_rule] == [
        ("cooldown", 2, 3, 2),
        ("publishers", 1, 1, 1),
    ]
    (by_index,) = sums_by(stops, lambda stop: stop.index)
    assert (by_index.name, by_index.people, by_index.times, by_index.releases) == ("root", 2, 4, 2)

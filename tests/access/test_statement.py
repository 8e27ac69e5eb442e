"""What a CI system states about a job, and which entry it fits: all of it must, and nothing is taken on a guess."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inbond.access.principal import Grant, Workload
from inbond.access.roles import Role
from inbond.access.statement import (
    LEEWAY,
    MAX_LIFETIME,
    MAX_SECONDS,
    MAX_SUBJECT_CHARS,
    MAX_VALUE_CHARS,
    NoRule,
    Statement,
    WorkloadRule,
    matched,
)

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ISSUER = "https://token.actions.example"
GRANT = Grant(role=Role.READER, indexes=frozenset({"root"}))


def claims(**changed: Any) -> dict[str, Any]:
    now = int(NOW.timestamp())
    found = {"iss": ISSUER, "aud": "inbond", "sub": "repo:acme/widgets", "iat": now, "exp": now + 600, **changed}
    return {name: value for name, value in found.items() if value is not None}


def rule(name: str = "builds", issuer: str = ISSUER, audience: str = "inbond", **patterns: str) -> WorkloadRule:
    return WorkloadRule(name=name, issuer=issuer, audience=audience, claims=patterns, grant=GRANT)


def whose(changed: Mapping[str, Any], *rules: WorkloadRule) -> Workload | NoRule:
    return matched(Statement.read(claims(**changed)), rules)


@pytest.mark.parametrize(
    ("patterns", "stated"),
    [
        ({"repository": "acme/*"}, {"repository": "acme/widgets"}),
        ({"repository": "acme/widgets"}, {"repository": "acme/widgets"}),
        ({"ref": "refs/tags/**"}, {"ref": "refs/tags/2026/1"}),
        ({"repository": "acme/*", "ref": "refs/heads/main"}, {"repository": "acme/a", "ref": "refs/heads/main"}),
        ({"sub": "repo:acme/*"}, {}),
    ],
)
def test_a_statement_fits_where_every_claim_does(patterns: dict[str, str], stated: dict[str, Any]) -> None:
    found = whose(stated, rule(**patterns))
    assert found == Workload(issuer=ISSUER, subject="repo:acme/widgets", rule="builds", grant=GRANT)


@pytest.mark.parametrize(
    ("patterns", "stated", "why"),
    [
        (
            {"repository": "acme/*"},
            {"repository": "acme/a/b"},
            "the claim repository is 'acme/a/b', which 'acme/*' does",
        ),
        ({"repository": "acme/*"}, {"repository": "acme-evil/a"}, "the claim repository is 'acme-evil/a', which"),
        ({"repository": "acme/*"}, {"repository": "Acme/a"}, "the claim repository is 'Acme/a', which"),
        ({"repository": "acme/*"}, {"repository": "evil\nacme/a"}, r"the claim repository is 'evil\nacme/a', which"),
        ({"repository": "acme/*"}, {}, "there is no claim repository"),
        ({"run": "1"}, {"run": 1}, "the claim run is no text"),
        ({"verified": "true"}, {"verified": True}, "the claim verified is no text"),
        ({"groups": "acme"}, {"groups": ["acme"]}, "the claim groups is no text"),
        ({"ref": "a**"}, {"ref": "a" * (MAX_VALUE_CHARS + 1)}, "the claim ref is no text of at most 500 characters"),
        (
            {"repository": "acme/*", "ref": "main"},
            {"repository": "acme/a", "ref": "dev"},
            "the claim ref is 'dev', which",
        ),
    ],
)
def test_one_claim_that_does_not_fit_is_enough(patterns: dict[str, str], stated: dict[str, Any], why: str) -> None:
    found = whose(stated, rule(**patterns))
    assert isinstance(found, NoRule)
    assert found.why[0].startswith(f"builds: {why}")


def test_the_first_entry_that_fits_counts() -> None:
    found = whose({"ref": "main"}, rule("tags", ref="v*"), rule("main", ref="main"), rule("all", sub="**"))
    assert isinstance(found, Workload)
    assert found.rule == "main"


def test_entries_of_other_issuers_do_not_count_and_are_not_told() -> None:
    assert whose({}, rule(issuer=f"{ISSUER}/"), rule(issuer="https://other.example")) == NoRule(why=())


@pytest.mark.parametrize("audience", ["inbond", ["inbond"], ["other", "inbond"]])
def test_the_audience_may_be_one_of_several(audience: object) -> None:
    assert isinstance(whose({"aud": audience}, rule(sub="repo:acme/*")), Workload)


@pytest.mark.parametrize("audience", ["other", "INBOND", "inbond ", ["other"], "x" * 300])
def test_a_statement_for_somebody_else_fits_nothing(audience: object) -> None:
    found = whose({"aud": audience}, rule(sub="repo:acme/*"))
    assert isinstance(found, NoRule)
    assert found.why[0].startswith("builds: the audience is [")
    assert len(found.why[0]) < 200


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"iss": None}, "iss"),
        ({"iss": ""}, "iss"),
        ({"iss": 1}, "iss"),
        ({"sub": None}, "sub"),
        ({"sub": "x" * (MAX_SUBJECT_CHARS + 1)}, "sub"),
        ({"sub": "a\x1b[31m"}, "sub"),
        ({"aud": None}, "aud"),
        ({"aud": []}, "aud"),
        ({"aud": [1]}, "aud"),
        ({"aud": ""}, "aud"),
        ({"aud": {"inbond": True}}, "aud"),
        ({"exp": None}, "exp"),
        ({"exp": "1"}, "exp"),
        ({"exp": True}, "exp"),
        ({"exp": float("nan")}, "exp"),
        ({"exp": float("inf")}, "exp"),
        ({"exp": 10**400}, "exp"),
        ({"exp": MAX_SECONDS + 1}, "exp"),
        ({"iat": None}, "iat"),
        ({"iat": -1}, "iat"),
        ({"nbf": "soon"}, "nbf"),
    ],
)
def test_a_claim_that_cannot_be_read_is_named(changed: dict[str, Any], what: str) -> None:
    with pytest.raises(ValueError, match=f"has no usable claim {what}"):
        Statement.read(claims(**changed))


def test_what_is_good_for_longer_than_a_day_is_no_statement_about_a_job() -> None:
    begun = int(NOW.timestamp())
    day = int(MAX_LIFETIME.total_seconds())
    Statement.read(claims(exp=begun + day))
    with pytest.raises(ValueError, match="is good for more than 24 hours"):
        Statement.read(claims(exp=begun + day + 1))


@pytest.mark.parametrize(
    ("offset", "said"),
    [
        (timedelta(0), None),
        (-LEEWAY, None),
        (-LEEWAY - timedelta(seconds=1), "is not in force before 2026-11-20 12:00:00 UTC"),
        (timedelta(seconds=599) + LEEWAY, None),
        (timedelta(seconds=600) + LEEWAY, "has expired at 2026-11-20 12:10:00 UTC"),
    ],
)
def test_a_statement_is_in_force_for_its_time_and_a_little_more(offset: timedelta, said: str | None) -> None:
    assert Statement.read(claims()).untimely(NOW + offset) == said


@pytest.mark.parametrize(("before", "said"), [(0, None), (120, "is not in force before 2026-11-20 12:02:00 UTC")])
def test_the_later_of_two_beginnings_counts(before: int, said: str | None) -> None:
    assert Statement.read(claims(nbf=int(NOW.timestamp()) + before)).untimely(NOW) == said


@given(
    stated=st.dictionaries(st.sampled_from(["a", "b", "c"]), st.one_of(st.text(max_size=8), st.integers(), st.none())),
    patterns=st.dictionaries(st.sampled_from(["a", "b", "c"]), st.text("ab/*", min_size=1, max_size=5), min_size=1),
    more=st.text("ab/", min_size=1, max_size=5),
)
def test_a_further_claim_never_lets_more_in(stated: dict[str, Any], patterns: dict[str, str], more: str) -> None:
    statement = Statement.read({**claims(), **stated})
    narrow = matched(statement, [rule(**patterns, d=more)])
    assert isinstance(narrow, NoRule)  # no statement here has a claim d
    if isinstance(matched(statement, [rule(**patterns)]), NoRule):
        wider = Statement.read({**claims(), **stated, "d": more})
        assert isinstance(matched(wider, [rule(**patterns, d=more)]), NoRule)


@given(
    st.dictionaries(st.text(max_size=5), st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists))
)
def test_whatever_is_stated_leads_to_an_answer(stated: dict[str, Any]) -> None:
    try:
        statement = Statement.read({**claims(), **stated})
    except ValueError:
        return
    assert isinstance(matched(statement, [rule(x="a*")]), NoRule | Workload)
    statement.untimely(NOW)

"""The laws of access: nothing without a grant, more for a higher role, and nobody learns which indexes there are."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inbond.access.needs import Need, OfAnyIndex, OfInbond, OfIndex, Open
from inbond.access.principal import EVERY_INDEX, Anonymous, Grant, Person, Principal, TokenHolder, Workload, grants_of
from inbond.access.roles import Role
from inbond.access.rules import indexes_for, may, meets, sees
from inbond.access.settings import AccessSettings, ConfiguredToken, PeopleRule
from inbond.access.tokens import Token

SERVED = ("a", "b", "c")
ABSENT = "elsewhere"
roles = st.sampled_from(Role)
names = st.sampled_from([*SERVED, ABSENT])
grants = st.builds(Grant, role=roles, indexes=st.frozensets(st.sampled_from([*SERVED, EVERY_INDEX]), max_size=3))
principals: st.SearchStrategy[Principal] = st.one_of(
    st.just(Anonymous()),
    st.builds(TokenHolder, id=st.just("t-1"), name=st.just("ci"), grant=grants),
    st.builds(Workload, issuer=st.just("i"), subject=st.just("s"), rule=st.just("r"), grant=grants),
    st.builds(Person, name=st.just("ada"), grants=st.lists(grants, max_size=3).map(tuple)),
)
rules = st.builds(
    lambda opened: AccessSettings(indexes=dict(zip(SERVED, opened, strict=True)), anybody=all(opened)),
    st.tuples(*[st.booleans()] * len(SERVED)),
)
needs: st.SearchStrategy[Need] = st.one_of(
    st.just(Open()), st.builds(OfIndex, roles), st.builds(OfAnyIndex, roles), st.builds(OfInbond, roles)
)
CLOSED = AccessSettings(indexes=dict.fromkeys(SERVED, False), anybody=False)


def raised(principal: Principal, role: Role) -> Principal:
    """The same with at least that role wherever it has one."""

    def higher(grant: Grant) -> Grant:
        return replace(grant, role=max(grant.role, role, key=lambda one: one.rank))

    match principal:
        case Anonymous():
            return principal
        case Person(grants=given_):
            return replace(principal, grants=tuple(map(higher, given_)))
        case _:
            return replace(principal, grant=higher(principal.grant))


@given(rules, principals, roles, needs, names)
def test_a_higher_role_never_loses(
    settings: AccessSettings, principal: Principal, role: Role, need: Need, index: str
) -> None:
    if meets(settings, principal, need, index):
        assert meets(settings, raised(principal, role), need, index)


@given(rules, principals, st.sampled_from(Role), names)
def test_who_has_a_role_has_all_below_it(
    settings: AccessSettings, principal: Principal, role: Role, index: str
) -> None:
    if may(settings, principal, role, index):
        assert all(may(settings, principal, lower, index) for lower in Role if role.includes(lower))


@given(rules, principals, roles, st.none() | names)
def test_nothing_is_permitted_that_neither_a_grant_nor_an_open_index_permits(
    settings: AccessSettings, principal: Principal, role: Role, index: str | None
) -> None:
    if not grants_of(principal):
        opened = role is Role.READER and (settings.anybody if index is None else settings.indexes.get(index, False))
        every = index == ABSENT and role is Role.READER and settings.anybody
        assert may(settings, principal, role, index) is bool(opened or every)
    if may(CLOSED, principal, role, index) and index != ABSENT:
        assert any(grant.covers(index, role) for grant in grants_of(principal))


@given(rules, principals, roles)
def test_an_index_that_is_not_is_for_those_who_may_use_every_one(
    settings: AccessSettings, principal: Principal, role: Role
) -> None:
    assert may(settings, principal, role, ABSENT) is all(may(settings, principal, role, name) for name in SERVED)


@given(rules, principals, roles)
def test_what_belongs_to_no_index_needs_a_grant_on_all(
    settings: AccessSettings, principal: Principal, role: Role
) -> None:
    if may(settings, principal, role, None):
        assert set(indexes_for(settings, principal, role)) == set(SERVED)
    assert may(settings, principal, role, EVERY_INDEX) is may(settings, principal, role, None)


@given(rules, principals, needs, names)
def test_whoever_may_use_a_route_of_an_index_sees_it(
    settings: AccessSettings, principal: Principal, need: Need, index: str
) -> None:
    match need:
        case Open():
            assert meets(settings, principal, need, index)
        case OfIndex():
            assert not meets(settings, principal, need, index) or sees(settings, principal, index)
        case OfAnyIndex(role=role):
            assert meets(settings, principal, need, index) is bool(indexes_for(settings, principal, role))
        case OfInbond(role=role):
            assert meets(settings, principal, need, index) is may(settings, principal, role, None)


@given(rules, principals)
def test_other_rules_that_open_more_close_nothing(settings: AccessSettings, principal: Principal) -> None:
    opened = replace(settings, indexes=dict.fromkeys(SERVED, True), anybody=True)
    for name in SERVED:
        assert sees(opened, principal, name)
        assert not may(CLOSED, principal, Role.READER, name) or sees(settings, principal, name)


@pytest.mark.parametrize(
    ("principal", "text"),
    [
        (Anonymous(), "anonymous"),
        (TokenHolder(id="t-1", name="ci", grant=Grant(role=Role.READER, indexes=frozenset())), "token:t-1 (ci)"),
        (
            Workload(issuer="i", subject="repo:x", rule="acme", grant=Grant(role=Role.READER, indexes=frozenset())),
            "ci:acme (repo:x)",
        ),
        (Person(name="ada", grants=()), "person:ada"),
    ],
)
def test_the_trail_tells_principals_apart(principal: Principal, text: str) -> None:
    assert str(principal) == text


def test_people_have_what_rules_give_to_their_name_or_one_of_their_groups() -> None:
    reader, operator, admin = (Grant(role=role, indexes=frozenset({"a"})) for role in Role)
    settings = replace(
        CLOSED,
        people=(
            PeopleRule(grant=reader, names=frozenset({"*"})),
            PeopleRule(grant=operator, groups=frozenset({"packaging"})),
            PeopleRule(grant=admin, names=frozenset({"ada"})),
        ),
    )
    assert settings.grants_of_person("bob", frozenset()) == (reader,)
    assert settings.grants_of_person("bob", frozenset({"packaging", "x"})) == (reader, operator)
    assert settings.grants_of_person("ada", frozenset({"ada"})) == (reader, admin)


def test_a_token_ends_by_being_revoked_or_by_its_time() -> None:
    now = datetime(2026, 11, 20, tzinfo=UTC)
    grant = Grant(role=Role.READER, indexes=frozenset({"a"}))
    token = Token(id="t-1", digest=b"", name="ci", grant=grant, made_by="ada", expires_at=now + timedelta(days=1))
    assert token.why_not(now) is None
    assert token.why_not(now + timedelta(days=1)) == "expired"
    assert replace(token, revoked_at=now, revoked_by="ada").why_not(now) == "revoked"
    assert replace(token, expires_at=None).why_not(now + timedelta(days=9999)) is None
    assert token.holder == TokenHolder(id="t-1", name="ci", grant=grant)
    assert ConfiguredToken(digest=b"\xab" * 32, name="ci", grant=grant).id == "t-abababababab"

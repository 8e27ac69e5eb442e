from __future__ import annotations

import pytest

from inbond.model.verdict import Decision, Finding, Outcome
from inbond.policy.rules import allow, deny
from inbond.policy.settings import Listed
from policy.cases import case_of, file_of, policy, verdict_on

UNREADABLE = file_of("demo-latest.tar.gz")


def denied(*entries: str, filename: str = "demo-2.0.tar.gz") -> Finding | None:
    return deny.judge(case_of(file_of(filename), settings=policy(deny=tuple(map(Listed.parse, entries)))))


def allowed(*entries: str, filename: str = "demo-2.0.tar.gz") -> Finding | None:
    return allow.judge(case_of(file_of(filename), settings=policy(allow=tuple(map(Listed.parse, entries)))))


@pytest.mark.parametrize("entry", ["demo", "Demo", "d*", "demo<3", "demo==2.*", "d*>=2", "*"])
def test_the_deny_list_denies_what_it_names(entry: str) -> None:
    found = denied("other", entry)

    assert found is not None
    assert (found.rule, found.outcome) == ("deny", Outcome.DENY)
    assert found.message == f"the deny list names {entry}"


def test_what_would_lift_a_denial_depends_on_whether_the_entry_names_versions() -> None:
    found, whole = denied("demo<3"), denied("demo")

    assert found is not None
    assert found.remedy == "use a version that the list does not name, or have the entry removed"
    assert whole is not None
    assert whole.remedy == "use another project, or have the entry removed"


@pytest.mark.parametrize("entry", ["other", "demo<2", "e*", "d*<2"])
def test_the_deny_list_leaves_the_rest(entry: str) -> None:
    assert denied(entry) is None


def test_a_version_that_cannot_be_read_is_denied_where_versions_are() -> None:
    found = denied("demo<2", filename="demo-latest.tar.gz")

    assert found is not None
    assert found.message == "the deny list names demo<2, and this file's version cannot be read"
    assert denied("other<2", filename="demo-latest.tar.gz") is None


def test_the_deny_list_applies_only_where_it_names_the_project() -> None:
    settings = policy(deny=(Listed.parse("demo<1"),))

    assert deny.applies(case_of(settings=settings).shared)
    assert not deny.applies(case_of(settings=policy(deny=(Listed.parse("other"),))).shared)


@pytest.mark.parametrize("entry", ["demo", "d*", "demo>=2", "demo~=2.0"])
def test_the_allow_list_lets_through_what_it_names(entry: str) -> None:
    assert allowed("other", entry) is None


@pytest.mark.parametrize("entries", [(), ("other",), ("demo<2",), ("demo>2", "e*")])
def test_the_allow_list_denies_everything_else(entries: tuple[str, ...]) -> None:
    found = allowed(*entries)

    assert found is not None
    assert (found.rule, found.outcome) == ("allow", Outcome.DENY)
    assert found.remedy == "use a release that the list names, or have this one added"


def test_a_version_that_cannot_be_read_is_not_on_a_list_of_versions() -> None:
    assert allowed("demo>=0", filename="demo-latest.tar.gz") is not None
    assert allowed("demo", filename="demo-latest.tar.gz") is None


def test_without_an_allow_list_everything_is_open() -> None:
    case = case_of(UNREADABLE)

    assert not allow.applies(case.shared)
    assert allow.judge(case) is None


def test_both_lists_count() -> None:
    settings = policy(allow=(Listed.parse("demo"),), deny=(Listed.parse("demo>=2"),))

    assert verdict_on(file_of("demo-2.0.tar.gz"), settings=settings).decision is Decision.DENY
    assert verdict_on(file_of("demo-1.0.tar.gz"), settings=settings).decision is Decision.ALLOW

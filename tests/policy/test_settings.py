from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from packaging.version import Version

from inbond.model.names import ProjectName
from inbond.model.publisher import PublisherPattern
from inbond.model.verdict import Outcome
from inbond.policy.demands import PREDICATES, ReusableWorkflows, Runners
from inbond.policy.engine import DEMANDS
from inbond.policy.settings import (
    Action,
    Attestations,
    Listed,
    PolicySettings,
    ProjectPattern,
    ProjectPolicy,
    Refinement,
)
from policy.cases import case_of, policy

DEMO = ProjectName("demo")
ACME_TOOLS = ProjectName("acme-tools")


@pytest.mark.parametrize("text", ["off", "warn", "deny", "hold 7d", "hold 1d12h", "hold 0"])
def test_actions_are_read_and_written_alike(text: str) -> None:
    assert str(Action.parse(text)) == text


def test_a_hold_has_an_age_and_nothing_else_has() -> None:
    assert Action.parse("hold 1h") == Action(outcome=Outcome.HOLD, age=timedelta(hours=1))
    with pytest.raises(ValueError, match="a hold has an age"):
        Action(outcome=Outcome.HOLD)
    with pytest.raises(ValueError, match="a hold has an age"):
        Action(outcome=Outcome.DENY, age=timedelta(hours=1))


@pytest.mark.parametrize("text", ["", "hold", "hold soon", "refuse", "deny 7d", "warn hold 7d"])
def test_other_words_are_no_action(text: str) -> None:
    with pytest.raises(ValueError, match=r"not an action|not a length of time"):
        Action.parse(text)


@pytest.mark.parametrize(
    ("text", "project", "matches"),
    [
        ("demo", "demo", True),
        ("Acme_*", "acme-tools", True),
        ("acme-*", "acme", False),
        ("*-tools", "acme-tools", True),
        ("*", "demo", True),
        ("dem", "demo", False),
        ("emo", "demo", False),
    ],
)
def test_a_pattern_of_projects_is_normalised_and_matches_whole_names(text: str, project: str, *, matches: bool) -> None:
    assert ProjectPattern.parse(text).matches(ProjectName(project)) is matches


@pytest.mark.parametrize("text", ["", "a b", "acme/*", "démo"])
def test_what_cannot_be_a_name_is_no_pattern(text: str) -> None:
    with pytest.raises(ValueError, match="neither a project's name nor a pattern"):
        ProjectPattern.parse(text)


@pytest.mark.parametrize(
    ("text", "project", "version", "covered"),
    [
        ("demo", DEMO, "1.0", True),
        ("demo", DEMO, None, True),
        ("demo", ACME_TOOLS, "1.0", False),
        ("demo<2", DEMO, "1.9", True),
        ("demo<2", DEMO, "2.0", False),
        ("demo < 2", DEMO, "1.9", True),
        ("demo<2", DEMO, None, None),
        ("demo<2", ACME_TOOLS, None, False),
        ("demo==1.*", DEMO, "1.9rc1", True),
        ("demo>=1,!=1.5", DEMO, "1.5", False),
        ("acme-*", ACME_TOOLS, "1.0", True),
        ("acme-*<2", ACME_TOOLS, "1.0", True),
        ("acme-*==1.*", ACME_TOOLS, "2.0", False),
        ("*>=3", DEMO, "3.1", True),
    ],
)
def test_a_listed_name_covers_releases(text: str, project: ProjectName, version: str | None, covered: object) -> None:
    assert Listed.parse(text).covers(project, None if version is None else Version(version)) is covered


@pytest.mark.parametrize(
    "text",
    ["", "<2", "demo<", "demo[extra]", "demo; python_version<'3'", "demo @ http://files.example/demo.whl", "-*", "a b"],
)
def test_only_names_and_versions_can_be_listed(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a name with|only a name and versions"):
        Listed.parse(text)


def test_refinements_apply_in_order_and_the_last_that_names_a_key_wins() -> None:
    def refined(pattern: str, **changes: object) -> Refinement:
        return Refinement(projects=(ProjectPattern.parse(pattern),), changes=changes)

    settings = PolicySettings(
        refinements=(
            refined("acme-*", attestations=Attestations.REQUIRE, min_age=timedelta(0)),
            refined("*-tools", attestations=Attestations.OFF),
            refined("other", min_age=timedelta(days=9)),
        )
    )

    assert settings.for_project(ACME_TOOLS) == ProjectPolicy(attestations=Attestations.OFF, min_age=timedelta(0))
    assert settings.for_project(DEMO) is settings.base


def test_audit_names_rules_or_all_of_them() -> None:
    assert PolicySettings(audit=frozenset({"cooldown"})).audits("cooldown")
    assert not PolicySettings(audit=frozenset({"cooldown"})).audits("deny")
    assert PolicySettings(audit=frozenset({"*"})).audits("deny")


DEMANDED: dict[str, dict[str, Any]] = {
    "publishers": {"publishers": (PublisherPattern.parse("github:acme/*"),)},
    "predicates": {"predicates": (PREDICATES["slsa"],)},
    "refs": {"refs": ("refs/tags/*",)},
    "runners": {"runners": Runners.HOSTED},
    "environments": {"environments": ("pypi",)},
    "triggers": {"deny_triggers": ("workflow_run",)},
    "reusable_workflows": {"reusable_workflows": ReusableWorkflows.NONE},
}


def test_evidence_is_asked_for_by_attestations() -> None:
    assert ProjectPolicy().asks_for_evidence
    assert not ProjectPolicy().demands
    assert not ProjectPolicy(attestations=Attestations.OFF).asks_for_evidence
    assert not ProjectPolicy(attestations=Attestations.OFF, pull_requests=Action.parse("deny")).asks_for_evidence


@pytest.mark.parametrize("rule", DEMANDED)
def test_evidence_is_asked_for_by_each_demand(rule: str) -> None:
    asked = ProjectPolicy(attestations=Attestations.OFF, **DEMANDED[rule])

    assert asked.demands == (rule,)
    assert asked.asks_for_evidence


def test_the_rules_that_apply_are_those_that_the_policy_demands() -> None:
    assert {rule.name for rule in DEMANDS} == set(DEMANDED)
    for name, keys in DEMANDED.items():
        shared = case_of(settings=policy(**keys)).shared
        assert [rule.name for rule in DEMANDS if rule.applies(shared)] == [name]
    assert not any(rule.applies(case_of().shared) for rule in DEMANDS)


def test_the_longest_hold_is_the_longest_age_counted_from_trusted_time() -> None:
    none = Action.parse("warn")
    assert ProjectPolicy().longest_hold == timedelta(days=7)
    assert ProjectPolicy(continuity=none).longest_hold == timedelta(hours=24)
    assert ProjectPolicy(unsupported=Action.parse("hold 9d")).longest_hold == timedelta(days=9)
    assert ProjectPolicy(pull_requests=Action.parse("hold 8d")).longest_hold == timedelta(days=8)
    assert ProjectPolicy(continuity=none, unavailable=Action.parse("hold 30d")).longest_hold == timedelta(hours=24)

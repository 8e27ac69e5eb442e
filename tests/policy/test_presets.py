"""The presets: what they say, that each is stricter than the one before, and that their page is as measured."""

from __future__ import annotations

import runpy
from dataclasses import fields, replace
from pathlib import Path

import pytest

from inbond.cli.config import load_config
from inbond.cli.config_presets import PRESET_POLICIES
from inbond.model.verdict import Decision
from inbond.policy.settings import Action, PolicySettings
from policy.situations import Situation, situations
from property.worlds import LADDERS, SEVERITY

TOP = Path(__file__).parents[2]
ROW = ("baseline", "team", "strict")
BEHIND_A_GAP = {"min_age", "unknown_date"}  # the waiting was done outside


def preset(name: str) -> PolicySettings:
    return load_config(file=None, overrides={"policy": name}, environ={}).policies[name]


def rank(key: str, value: object) -> object:
    """How strict a value is, as a number that compares with others of its key."""
    if isinstance(value, Action):
        return value.outcome, value.age
    return LADDERS[key].index(value) if key in LADDERS and key != "min_age" else value


def test_baseline_is_the_defaults_spelled_out() -> None:
    assert preset("baseline") == PolicySettings(name="baseline")
    text = (TOP / "config/baseline.toml").read_text()
    written = {line.partition(" = ")[0] for line in text.split("\n") if " = " in line and not line.startswith("#")}
    shown = {field.name for kind in (PolicySettings, type(preset("baseline").base)) for field in fields(kind)}
    # of an index, read from files, without a default that could be written, or set in `rules` alone
    assert shown - written == {"name", "in_locks", "freeze", "base", "refinements", "allow", "publishers"}


@pytest.mark.parametrize(
    ("loose", "strict", "but"),
    [
        ("baseline", "team", {"min_severity"}),  # `deny` of what is critical, in place of `warn` of everything
        ("team", "strict", set()),
        ("baseline", "airgap", {*BEHIND_A_GAP, "min_severity"}),
    ],
)
def test_no_key_is_looser_than_in_the_preset_before(loose: str, strict: str, but: set[str]) -> None:
    before, after = preset(loose).base, preset(strict).base
    for field in fields(before):
        if field.name not in but:
            low, high = (rank(field.name, getattr(one, field.name)) for one in (before, after))
            assert low == high or low < high, field.name  # type: ignore[operator]


@pytest.mark.parametrize("situation", list(situations()), ids=lambda one: one.name)
def test_no_situation_is_judged_looser_than_by_the_preset_before(situation: Situation) -> None:
    found = [SEVERITY[situation.verdict(preset(name)).decision] for name in ROW]
    assert found == sorted(found)
    timeless = replace(preset("baseline"), base=replace(preset("baseline").base, min_age=preset("airgap").base.min_age))
    behind = situation.verdict(preset("airgap")).decision
    assert SEVERITY[behind] >= SEVERITY[situation.verdict(timeless).decision]
    assert behind is not Decision.HOLD


def test_attacks_and_ordinary_releases_are_both_tried() -> None:
    every = list(situations())
    assert len({one.name for one in every}) == len(every) >= 30
    stopped = [one for one in every if one.attack and not one.verdict(preset("strict")).allowed]
    assert stopped == [one for one in every if one.attack]


def test_the_page_is_as_measured() -> None:
    made = runpy.run_path(str(TOP / "docs/presets.py"))
    assert set(made["ABOUT"]) == PRESET_POLICIES
    assert (TOP / "docs/presets.md").read_text() == made["document"](), "run `make presets`"

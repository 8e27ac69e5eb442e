from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from policy.histories.attacks import ACCEPTED, ATTACKS, Attack
from policy.histories.harmless import HARMLESS, Harmless
from policy.histories.told import told

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize("one", HARMLESS, ids=lambda one: one.title)
def test_a_harmless_history_is_held_as_told_and_heals(one: Harmless) -> None:
    """`History.stops` fails where a file that was let through is stopped again."""
    found = told(one.history)

    assert found == one.stops
    assert all(line.endswith(" d") for line in found)


@pytest.mark.parametrize("one", [*ATTACKS, *ACCEPTED], ids=lambda one: one.title)
def test_an_attack_is_stopped_from_its_first_moment(one: Attack) -> None:
    assert told(one.history) == one.stops


def test_titles_are_told_once() -> None:
    titles = [*(one.title for one in HARMLESS), *(one.title for one in (*ATTACKS, *ACCEPTED))]

    assert len(titles) == len(set(titles))


def test_the_documentation_shows_what_happens() -> None:
    text = (DOCS / "continuity.md").read_text()

    assert runpy.run_path(str(DOCS / "continuity.py"))["document"](text) == text

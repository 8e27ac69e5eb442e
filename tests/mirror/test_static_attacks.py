"""Every attack on a static tree is seen, and no byte that nobody signed leaves a second inbond."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from e2e.service import pip, uv
from mirror.static_attacks import ATTACKS, SAME, Installer, installed, outcome_of, section, world_in

PAGE = Path(__file__).parents[2] / "docs" / "static-attacks.md"
# What changes nothing of what an installer gets; and pages that are not believed: the ones before them are.
HARMLESS = {
    "A file that no page names", "A script in the HTML pages", "The page of another project", "A page cut short",
}  # fmt: skip


async def test_every_attack_is_seen_and_the_page_says_so(tmp_path: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert len(re.findall(r"^## ", page, re.MULTILINE)) == len(ATTACKS) >= 10
    async with world_in(tmp_path / "honest") as world:
        for number, attack in enumerate(ATTACKS):
            outcome = await outcome_of(attack, world, tmp_path / str(number))
            assert outcome.left, f"verify says nothing of: {attack.name}"
            assert (outcome.second == SAME) == (attack.name in HARMLESS), outcome
            assert section(outcome) in page, f"{outcome}\nrun make static-attacks"


@pytest.mark.parametrize("installer", [pip, uv])
async def test_who_installs_straight_from_a_tree_gets_what_its_pages_say(tmp_path: Path, installer: Installer) -> None:
    """So the page claims: a replaced file alone is refused, and with its page it is installed."""
    attacks = {attack.name: attack for attack in ATTACKS}
    async with world_in(tmp_path / "honest") as world:
        alone = attacks["A byte of a file changed"]
        assert (await installed(alone, world, tmp_path / "alone", installer)).startswith("refuses: ")
        both = attacks["A file replaced with its hash, and its provenance removed"]
        assert await installed(both, world, tmp_path / "both", installer) == "**installs it**"

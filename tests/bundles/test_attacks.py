"""Every attack on a bundle is refused, and says why; docs/bundle-attacks.md tells them all."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from bundles.attack import Attack, Who
from bundles.attacks import ALL, GENUINE, OF_FORM, attacks_in, refusal
from bundles.attacks_on_the_archive import members_of
from bundles.attacks_on_the_meaning import MEANING
from bundles.importing import Outcome, tried
from bundles.support import TRUSTED, read_whole
from inbond.bundles.signature import check_signature

PAGE = Path(__file__).parents[2] / "docs" / "bundle_attacks.py"
FORM = attacks_in(OF_FORM)


def id_of(attack: Attack) -> str:
    return attack.id


def test_the_genuine_bundle_is_taken() -> None:
    assert read_whole(GENUINE.content) == GENUINE.held
    assert len(members_of(GENUINE)) == 2 + len(GENUINE.manifest.blobs)


@pytest.mark.parametrize("attack", FORM, ids=id_of)
def test_an_attack_on_the_form_is_found_while_reading(attack: Attack) -> None:
    assert attack.make(GENUINE) != GENUINE.content
    found = refusal(attack)
    assert found is not None
    assert found.message.isprintable()
    assert len(found.message) < 400
    assert found.remedy


@pytest.mark.parametrize("attack", MEANING.all, ids=id_of)
def test_a_bundle_that_lies_is_perfect_in_form(attack: Attack) -> None:
    assert refusal(attack) is None


@pytest.mark.parametrize("attack", [one for one in ALL if one.who is Who.SIGNER], ids=id_of)
def test_whoever_has_the_key_gets_past_the_signature(attack: Attack) -> None:
    content = attack.make(GENUINE)
    size = int(content[124:135], 8)
    raw = content[512 : 512 + size]
    if attack.id == "large-manifest":
        assert refusal(attack) is not None
    else:
        assert check_signature(raw, TRUSTED).key == TRUSTED[0].id


def hold_of_form(attack: Attack, outcome: Outcome) -> None:
    """Nothing of what is refused is in force or left behind."""
    found = refusal(attack)
    assert found is not None
    assert outcome.said == found.message, attack.id
    assert outcome.after == outcome.before, attack.id


def hold_of_meaning(attack: Attack, outcome: Outcome) -> None:
    """A bundle that lies is refused, the file that lies is left out, or what is newer here stays as it is."""
    assert outcome.said is not None, attack.id
    if not outcome.taken:
        assert outcome.after == outcome.before, attack.id
    else:  # the rest of it is genuine
        assert outcome.taken < frozenset(GENUINE.held), attack.id
        assert len(outcome.after.imports) == len(outcome.before.imports) + 1, attack.id
        stays = attack.id == "older-bundle-under-another-name"
        told = "not replaced: page pypi/demo" if stays else "demo-1.0-py3-none-any.whl is left out"
        assert told in outcome.said, attack.id
        assert outcome.after.pins == outcome.before.pins == frozenset(), attack.id


async def test_none_is_taken_by_import_and_the_page_tells_what_it_says(tmp_path: Path) -> None:
    outcomes = await tried(tmp_path)
    for attack in ALL:
        (hold_of_form if attack in FORM else hold_of_meaning)(attack, outcomes[attack.id])
    write = runpy.run_path(str(PAGE))["document"]
    assert PAGE.with_name("bundle-attacks.md").read_text() == write(outcomes), "make bundle-attacks"


def test_each_attack_has_a_name_of_its_own() -> None:
    assert len({attack.id for attack in ALL}) == len(ALL)
    assert len({attack.done for attack in ALL}) == len(ALL)


def test_the_readme_counts_them() -> None:
    assert f"lists {len(ALL)} bundles that were tampered with" in PAGE.parents[1].joinpath("README.md").read_text()

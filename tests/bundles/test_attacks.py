"""Every attack on a bundle is refused, and says why; docs/bundle-attacks.md tells them all."""

from __future__ import annotations

import asyncio
import runpy
from collections.abc import Mapping
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


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    return asyncio.run(tried(tmp_path_factory.mktemp("attacked")))


@pytest.mark.parametrize("attack", FORM, ids=id_of)
def test_nothing_of_what_is_refused_is_in_force_or_left_behind(attack: Attack, outcomes: Mapping[str, Outcome]) -> None:
    outcome, found = outcomes[attack.id], refusal(attack)
    assert found is not None
    assert outcome.said == found.message
    assert outcome.after == outcome.before


@pytest.mark.parametrize("attack", MEANING.all, ids=id_of)
def test_a_bundle_that_lies_is_refused_or_its_lie_left_out(attack: Attack, outcomes: Mapping[str, Outcome]) -> None:
    outcome = outcomes[attack.id]
    assert outcome.said is not None
    if not outcome.taken:
        assert outcome.after == outcome.before
    else:  # the rest of it is genuine
        assert outcome.taken < frozenset(GENUINE.held)
        assert len(outcome.after.imports) == len(outcome.before.imports) + 1
        assert "demo-1.0-py3-none-any.whl is left out" in outcome.said


def test_each_attack_has_a_name_of_its_own() -> None:
    assert len({attack.id for attack in ALL}) == len(ALL)
    assert len({attack.done for attack in ALL}) == len(ALL)


def test_the_page_of_attacks_is_what_is_said_to_them(outcomes: Mapping[str, Outcome]) -> None:
    write = runpy.run_path(str(PAGE))["document"]
    assert PAGE.with_name("bundle-attacks.md").read_text() == write(outcomes), "make bundle-attacks"

"""Five attacks, each stopped by the defaults for the first person who asks; the release before stays installable."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from e2e.attacks import ATTACK, ATTACKS, BEFORE, OWN, PROJECT, Attack, replayed, with_history
from e2e.service import serving
from sim.index import SimIndex
from stack import sigstore


@pytest.mark.parametrize("installer", ["pip", "uv"])
@pytest.mark.parametrize("attack", ATTACKS, ids=[attack.name for attack in ATTACKS])
async def test_an_attack_is_stopped_for_the_first_person_who_asks(
    attack: Attack, installer: str, tmp_path: Path
) -> None:
    async with SimIndex() as public, SimIndex() as inside:
        with_history(public)
        inside.add_wheel(OWN, BEFORE)
        attack.strike(public)
        unpinned, pinned = await asyncio.to_thread(replayed, attack, tmp_path, installer, public, inside)
        assert unpinned.installed == BEFORE, unpinned.printed
        assert (pinned.installed, bool(pinned.code)) == ("", True), pinned.printed
        if attack.owned:
            assert public.count(path=f"*{OWN}*") == 0  # the name never leaves for where it is not owned
        else:
            rule = attack.stopped_by.partition("/")[0]
            assert rule in pinned.printed
            assert "/why/" in pinned.printed


@pytest.mark.parametrize("attack", [one for one in ATTACKS if not one.owned], ids=lambda one: one.name)
async def test_the_attack_is_stopped_by_the_finding_that_is_meant(attack: Attack, tmp_path: Path) -> None:
    async with SimIndex() as public:
        with_history(public)
        attack.strike(public)
        verdict = await asyncio.to_thread(verdict_on_attack, tmp_path, public)
        stopping = {finding["id"] for finding in verdict["findings"] if finding["outcome"] in {"hold", "deny"}}
        assert stopping == {attack.stopped_by}
        assert verdict["newest_allowed"] == BEFORE


def verdict_on_attack(place: Path, public: SimIndex) -> dict[str, Any]:
    (place / "root.json").write_bytes(sigstore().trusted_root())
    with serving(place, public.url) as service:
        address = f"{service.origin}/-/verdict/root/{PROJECT}/{PROJECT}-{ATTACK}-py3-none-any.whl"
        with urllib.request.urlopen(address, timeout=20) as response:
            verdict: dict[str, Any] = json.load(response)
            return verdict

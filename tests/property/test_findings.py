"""Every finding has an id, every id a meaning, and every meaning something that finds it."""

from __future__ import annotations

import ast
import re
import runpy
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import inbond
from inbond.check.meanings import MEANINGS as OF_LOCKS
from inbond.model.verdict import Finding, Verdict
from inbond.policy.engine import RULE_NAMES
from inbond.policy.listing import held_until_cleared
from inbond.policy.meanings import MEANINGS, Meaning
from inbond.policy.rules import review
from inbond.policy.waiving import may_waive
from policy.cases import DIGEST, NOW, file_of, page_of, policy
from property.worlds import World, policies, worlds

SOURCE = Path(inbond.__file__).parent
# Whatever makes a finding; each takes its code by name.
MAKERS = {"allow", "warn", "deny", "hold", "enact", "say", "Finding"}
CUT = "..."  # a message that was too long


def modules(*folders: str) -> Iterator[Path]:
    return chain.from_iterable((SOURCE / folder).rglob("*.py") for folder in folders)


def test_nothing_in_the_code_makes_a_finding_without_a_code() -> None:
    bare = [
        f"{path.relative_to(SOURCE)}:{node.lineno}"
        for path in modules("policy", "gateway", "check")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MAKERS
        and not any(keyword.arg == "code" for keyword in node.keywords)
    ]  # fmt: skip
    assert not bare


@settings(max_examples=60)
@given(worlds(), policies())
def test_every_finding_is_one_whose_meaning_is_known(world: World, keys: Mapping[str, Any]) -> None:
    for verdict in world.verdicts(keys).values():
        for finding in verdict.findings:
            assert_known(finding)


@given(policies(), st.sampled_from([{}, {"sha256": DIGEST}]))
def test_so_is_what_a_page_says_of_files_that_are_not_checked_yet(
    keys: Mapping[str, Any], hashes: Mapping[str, str]
) -> None:
    asked, file = policy(**keys), file_of(hashes=hashes)
    if asked.base.asks_for_evidence:
        held = held_until_cleared(Verdict.of([]), page=page_of(file), file=file, settings=asked, now=NOW)
        for finding in held.findings:
            assert_known(finding)


def assert_known(finding: Finding) -> None:
    meaning = MEANINGS.get(finding.id)
    assert meaning is not None, finding.id
    assert says(meaning, finding.message), (meaning.says, finding.message)


def says(meaning: Meaning, message: str) -> bool:
    told = (message, f"{message} ")  # the space before an empty word is gone
    return any(
        cut_short(one, message) or any(re.fullmatch(sentence(one), text) for text in told)
        for one in meaning.says.split(" / ")
    )


def sentence(pattern: str) -> str:
    return ".*".join(map(re.escape, pattern.split("…")))


def cut_short(pattern: str, message: str) -> bool:
    return message.endswith(CUT) and message.startswith(pattern.partition("…")[0])


@pytest.mark.parametrize("name", sorted({**MEANINGS, **OF_LOCKS}))
def test_no_meaning_is_of_something_that_nothing_finds(name: str) -> None:
    rule, _, code = name.partition("/")
    own = {
        "digest": ["gateway/judging.py", "check/selection.py"],
        "publishers": ["policy/rules/publishers.py", "policy/signers.py", "policy/listing.py"],
        "predicates": ["policy/rules/predicates.py", "policy/signers.py", "policy/listing.py"],
    }
    rules = [f"policy/rules/{rule}.py", "policy/signers.py", "policy/listing.py", "model/page.py"]
    places = own.get(rule, rules if rule in RULE_NAMES else ["check/selection.py", "check/whole.py"])
    assert any(f'"{code}"' in (SOURCE / place).read_text() for place in places)


def test_the_page_of_findings_is_written_from_the_code() -> None:
    page = Path(__file__).parents[2] / "docs" / "findings.py"
    assert page.with_suffix(".md").read_text() == runpy.run_path(str(page))["document"](), "python docs/findings.py"


def test_meanings_are_of_rules_that_there_are() -> None:
    assert {name.partition("/")[0] for name in MEANINGS} == RULE_NAMES | {"digest"}


def test_a_command_is_handed_out_only_where_a_waiver_lifts_what_stops() -> None:
    for name, meaning in MEANINGS.items():
        if meaning.handed_out:
            rule = name.partition("/")[0]
            assert may_waive(rule) or rule == review.name, name  # a rejection is revoked
            assert meaning.lifted_by, name


@pytest.mark.parametrize("rule", ["malware", "archive", "release", "digest", "filename", "hashes"])
def test_what_looks_like_an_attack_is_handed_no_command(rule: str) -> None:
    assert not [name for name, meaning in MEANINGS.items() if name.startswith(f"{rule}/") and meaning.handed_out]


def test_neither_is_what_somebody_has_forged_or_the_index_has_taken_away() -> None:
    for name in ("attestations/rejected", "attestations/unavailable", "status/quarantined"):
        assert not MEANINGS[name].handed_out

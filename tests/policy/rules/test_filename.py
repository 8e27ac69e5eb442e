from __future__ import annotations

import pytest

from inbond.model.verdict import Decision, Outcome
from inbond.policy.rules import filename
from policy.cases import DIGEST, OLD, WHEEL, case_of, file_of, memory_of, policy, verdict_on

OTHER = "f" * 64


def test_other_bytes_under_a_known_name_are_denied() -> None:
    found = filename.judge(case_of(file_of(), memory=memory_of({WHEEL: OLD}, digests={WHEEL: OTHER})))

    assert found is not None
    assert found.outcome is Outcome.DENY
    assert found.message == "its sha256 is now 0ace00000000 and was ffffffffffff when first seen"
    assert found.remedy


def test_the_same_bytes_pass() -> None:
    assert filename.judge(case_of(memory=memory_of({WHEEL: OLD}, digests={WHEEL: DIGEST}))) is None


def test_a_name_that_is_not_remembered_passes() -> None:
    memory = memory_of({WHEEL: OLD}, digests={"demo-1.0.tar.gz": OTHER})

    assert filename.judge(case_of(memory=memory)) is None


def test_a_file_that_lost_its_digest_is_left_to_the_rule_of_digests() -> None:
    memory = memory_of({WHEEL: OLD}, digests={WHEEL: OTHER})

    assert filename.judge(case_of(file_of(hashes={}), memory=memory)) is None
    verdict = verdict_on(file_of(hashes={}), memory=memory)
    assert verdict.decision is Decision.DENY
    assert verdict.deciding is not None
    assert verdict.deciding.rule == "hashes"


def test_a_remembered_digest_is_the_one_that_was_first() -> None:
    memory = memory_of({WHEEL: OLD}, digests={WHEEL: OTHER})

    assert filename.judge(case_of(file_of(hashes={}, remembered=OTHER), memory=memory)) is None


@pytest.mark.parametrize("audit", ["filename", "*"])
def test_audit_does_not_relax_what_a_name_first_stood_for(audit: str) -> None:
    memory = memory_of({WHEEL: OLD}, digests={WHEEL: OTHER})
    verdict = verdict_on(file_of(), memory=memory, settings=policy(audit=frozenset({audit})))

    assert verdict.decision is Decision.DENY
    assert verdict.would is None


def test_without_memory_there_is_nothing_to_compare() -> None:
    case = case_of()

    assert not filename.applies(case.shared)
    assert filename.judge(case) is None

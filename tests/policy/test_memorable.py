"""Memory speaks on all indexes: none may teach it what others know to be bad."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from packaging.version import Version

from inbond.model.advisory import Advisory
from inbond.model.decisions import Rejection, Target, Waiver
from inbond.model.standing import Established, Standing
from inbond.policy.engine import established_by
from inbond.policy.memorable import as_on_any_index, as_strict_as_any
from inbond.policy.settings import Action, PolicySettings, ProjectPattern, Refinement
from policy.cases import DAY, NOW, attestation, file_of, identity_of, page_of, policy, verified

BAD = file_of("demo-1.1-py3-none-any.whl", upload_time=NOW - 60 * DAY)
MALWARE = Advisory(id="MAL-1", malicious=True, versions=frozenset({Version("1.1")}))
NAMED = Standing(advisories=(MALWARE,))
WARN, OFF = Action.parse("warn"), Action.parse("off")
REFINED = Refinement(projects=(ProjectPattern.parse("demo"),), changes={"malware": OFF})
REJECTED = Rejection(target=Target.parse("demo==1.1"), reason="read it", by="ada", index="other")
WAIVED = Waiver(
    target=Target.parse("demo==1.1"), rule="malware", until=NOW + timedelta(1), reason="it is ours", by="ada"
)


def remembered(settings: PolicySettings, standing: Standing) -> tuple[Established, ...]:
    """What a release of sixty days ago, by a repository that nobody knows, establishes."""
    evidence = {BAD.filename: verified(attestation(identity_of(repository_id="666"), signed_at=NOW - 60 * DAY))}
    found: dict[str, Any] = {"index": "root", "page": page_of(BAD), "files": [BAD], "memory": None}
    return established_by(**found, settings=settings, evidence=evidence, standing=standing, now=NOW)


@pytest.mark.parametrize(
    ("settings", "standing"),
    [
        (policy(malware=WARN), NAMED),
        (policy(malware=OFF), NAMED),
        (replace(policy(), refinements=(REFINED,)), NAMED),
        (policy(), replace(NAMED, waivers=(WAIVED,))),
        (policy(), Standing(rejections=(REJECTED,))),
    ],
    ids=["warned", "off", "refined", "waived", "rejected elsewhere"],
)
def test_what_one_index_lets_through_teaches_memory_nothing(settings: PolicySettings, standing: Standing) -> None:
    assert [one.repository_id for one in remembered(settings, standing)] == ["666"]
    assert remembered(as_strict_as_any(settings), as_on_any_index(standing)) == ()


def test_what_nobody_says_anything_against_is_remembered() -> None:
    assert [one.repository_id for one in remembered(as_strict_as_any(policy()), as_on_any_index(Standing()))] == ["666"]

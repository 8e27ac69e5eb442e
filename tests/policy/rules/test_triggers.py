from __future__ import annotations

import pytest

from inbond.policy.rules import triggers
from policy.cases import attestation, case_of, identity_of, policy, verified

REFUSED = "built by the event {}, which `deny_triggers` refuses"


@pytest.mark.parametrize(
    ("refused", "trigger", "message"),
    [
        (("workflow_run",), "release", None),
        (("workflow_run",), "workflow_run", REFUSED.format("workflow_run")),
        (("workflow_run",), "Workflow_Run", REFUSED.format("Workflow_Run")),
        (("pull_request_target", "workflow_run"), "workflow_run", REFUSED.format("workflow_run")),
        (("pull_request",), "pull_request_target", None),
        (("workflow_run",), None, "trigger unproven: the certificate of github:acme/demo@release.yml names none"),
    ],
)
def test_no_refused_event_may_have_started_the_build(
    refused: tuple[str, ...], trigger: str | None, message: str | None
) -> None:
    evidence = verified(attestation(identity_of(trigger=trigger)))

    found = triggers.judge(case_of(evidence=evidence, settings=policy(deny_triggers=refused)))

    assert (found and found.message) == message

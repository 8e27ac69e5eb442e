"""Decided: who signed, where, and from what."""

from __future__ import annotations

from typing import Final

from attest.decided.decision import Decision, Otherwise, signed, tampered
from inbond.model.verdict import Outcome
from sim.sigstore import CircleCI, GitHub

_STRANGERS_WORKFLOW: Final = "https://github.com/tools/build/.github/workflows/wheels.yml"
_OWNERS_WORKFLOW: Final = "https://github.com/acme/build/.github/workflows/wheels.yml"
_RUN_AGAIN: Final = {11: "ssh-rerun"}


class _AnyRepository(CircleCI):
    """A publisher that names its pipeline and no repository."""

    def publisher(self) -> dict[str, object]:
        """Without the fields that are not required."""
        return super().publisher() | {"vcs_origin": None, "vcs_ref": None}


class _Environment(GitHub):
    """A publisher whose environment the certificate does not name."""

    def publisher(self) -> dict[str, object]:
        """With an environment."""
        return super().publisher() | {"environment": "pypi"}


ROWS: Final[tuple[Decision, ...]] = (
    signed("any-publisher",
           "The index names a publisher, and the certificate is that publisher's: but nobody said who publishes "
           "this project.",
           "A hostile index can name whom it likes, if he signs. Only an operator, or what was seen before, can "
           "say who should.",
           by=GitHub(owner="evil"), otherwise=Otherwise(key='publishers = ["github:acme/*"]', outcome=Outcome.DENY)),
    signed("environment", "The index names a deployment environment that the certificate does not.",
           "The job that signs need not be the one that uploads; honest files have this.",
           by=_Environment(), otherwise=Otherwise(key='environments = ["pypi"]', outcome=Outcome.DENY)),
    signed("account-created-anew",
           "The names are the same, the ids of repository and owner (.15, .17) are others: somebody took a name "
           "that had become free.",
           "Shown with every verdict. Nothing in one attestation tells it; memory will (`continuity`, not "
           "available yet).",
           by=GitHub(repository_id="9001", owner_id="9002")),
    signed("reusable-workflow", "A reusable workflow of another owner did the work (.9).",
           "Honest projects build this way; it is shown.",
           by=GitHub(called_workflow=_STRANGERS_WORKFLOW),
           otherwise=Otherwise(key='reusable_workflows = "same-owner"', outcome=Outcome.DENY)),
    signed("own-reusable-workflow", "A reusable workflow of the same owner did the work.",
           "The owner is the same.",
           by=GitHub(called_workflow=_OWNERS_WORKFLOW),
           otherwise=Otherwise(key='reusable_workflows = "none"', outcome=Outcome.DENY)),
    signed("self-hosted", "A machine of the project's own built it (.11).",
           "Many projects must build on their own machines. What they did to the build nobody can see.",
           by=GitHub(runner="self-hosted"), otherwise=Otherwise(key='runners = "hosted"', outcome=Outcome.DENY)),
    signed("ssh-rerun", "Somebody was logged in to the machine while CircleCI built (`ssh-rerun` in .11).",
           "What .11 says of CircleCI cannot be relied on, the absence of this least; it is shown.",
           by=CircleCI(), claims=_RUN_AGAIN, otherwise=Otherwise(key='runners = "hosted"', outcome=Outcome.DENY)),
    signed("any-repository",
           "A CircleCI publisher names neither repository nor branch: whatever the pipeline built passes.",
           "The publisher is what the index was told. A pin names project and pipeline, and thereby no "
           "repository either.",
           by=_AnyRepository(vcs_origin="github.com/evil/widgets"),
           otherwise=Otherwise(key='publishers = ["circleci:00000000-0000-0000-0000-000000000000"]',
           outcome=Outcome.DENY)),
    signed("pull-request", "It was built from a pull request (`refs/pull/…` in .14).",
           "The code may be a stranger's; but some projects publish when a request is merged. It warns.",
           by=GitHub(ref="refs/pull/7/merge"), by_default=Outcome.WARN,
           otherwise=Otherwise(key='pull_requests = "deny"', outcome=Outcome.DENY)),
    signed("pull-request-target", "A stranger's pull request started the build (`pull_request_target` in .20).",
           "The same.", by=GitHub(trigger="pull_request_target"), by_default=Outcome.WARN,
           otherwise=Otherwise(key='deny_triggers = ["pull_request_target"]', outcome=Outcome.DENY)),
    signed("workflow-run", "The end of another workflow started the build (`workflow_run` in .20).",
           "Honest projects publish after their tests this way.", by=GitHub(trigger="workflow_run"),
           otherwise=Otherwise(key='deny_triggers = ["workflow_run"]', outcome=Outcome.DENY)),
    signed("branch", "It was built from a branch, not from a tag.",
           "Many projects publish from their main branch.", by=GitHub(ref="refs/heads/main"),
           otherwise=Otherwise(key='refs = ["refs/tags/*"]', outcome=Outcome.DENY)),
    signed("private-repository", "The repository was private when it signed (.22).",
           "Shown: what was built cannot be looked up, which is its owner's right.", by=GitHub(),
           claims={22: "private"}),
    tampered("issuers-two", "The certificate says one thing in its older fields (.1 to .6) and another in the newer.",
             "Readers differ in which they look at; honest certificates agree."),
    tampered("name-other", "The certificate's alternative name is another workflow than .9.",
             "The same: Fulcio writes one thing twice."),
    tampered("names-two", "The certificate has two alternative names.",
             "With which of them a publisher would be compared is open; honest certificates have one."),
    tampered("claim-not-utf-8", "A field of the certificate is not text.",
             "What cannot be read cannot be shown or compared."),
)  # fmt: skip

"""Decided: who signed, where, and from what."""

from __future__ import annotations

from typing import Final

from cryptography import x509

from attest.decided.decision import Decision, Otherwise, signed, tampered
from attest.tampering.row import ACME, NAME, OURS, SHA256, VERIFIED, Attempt
from inbond.model.verdict import Outcome
from sim.sigstore import CircleCI, GitHub

_STRANGERS_WORKFLOW: Final = "https://github.com/tools/build/.github/workflows/wheels.yml"
_OWNERS_WORKFLOW: Final = "https://github.com/acme/build/.github/workflows/wheels.yml"
_OTHER_PIPELINE: Final = CircleCI(project_id="00000000-2d0f-4c5f-8f6f-1a2b3c4d5e6f").claims()[9]
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


class _OtherEnvironment(GitHub):
    """A publisher whose environment is another than the certificate's."""

    def publisher(self) -> dict[str, object]:
        """With that environment."""
        return super().publisher() | {"environment": "prod"}


def _two_owners(runner: str = "github-hosted") -> Attempt:
    both = ACME, GitHub(owner="evil", runner=runner)
    bundles = [(each.publisher(), [OURS.attest(NAME, SHA256, each)]) for each in both]
    return Attempt(provenance=OURS.provenance(bundles))


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
    signed("environment-other", "The index names the environment `prod`, the certificate `pypi`.",
           "What the index says of environments proves nothing; the certificate's is shown, and rules go by it.",
           by=_OtherEnvironment(environment="pypi"),
           otherwise=Otherwise(key='environments = ["prod"]', outcome=Outcome.DENY)),
    Decision(id="two-owners", what="Two publish attestations are by two owners, each beside his own publisher.",
             attempt=_two_owners, expected=VERIFIED, by_default=Outcome.ALLOW,
             why="Both are genuine. One by a pinned publisher is enough, and what else is asked is asked of both."),
    Decision(id="two-owners-one-runner", what="The same, and one of the two was built on a machine of his own.",
             attempt=lambda: _two_owners(runner="self-hosted"), expected=VERIFIED, by_default=Outcome.ALLOW,
             why="A demand is met by all signers or not at all.",
             otherwise=Otherwise(key='runners = "hosted"', outcome=Outcome.DENY)),
    signed("account-created-anew",
           "The names are the same, the ids of repository and owner (.15, .17) are others: somebody took a name "
           "that had become free.",
           "Nothing in one attestation tells it. What was published before does: rule `continuity` denies it "
           "until a pin accepts it.",
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
           by=_AnyRepository(vcs_origin="github.com/evil/widgets")),
    signed("circleci-name-other", "A CircleCI certificate's alternative name is another pipeline than .9.",
           "Publishers, pins and what is shown go by .9 alone, so that nobody takes the other for the signer.",
           by=CircleCI(), names=[x509.UniformResourceIdentifier(_OTHER_PIPELINE)]),
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
    tampered("signer-missing", "A certificate of GitHub or GitLab lacks .9.",
             "Then nothing says which workflow ran. Fulcio has written it since 2023, before PyPI took attestations."),
    tampered("names-two", "The certificate has two alternative names.",
             "With which of them a publisher would be compared is open; honest certificates have one."),
    tampered("claim-not-utf-8", "A field of the certificate is not text.",
             "What cannot be read cannot be shown or compared."),
)  # fmt: skip

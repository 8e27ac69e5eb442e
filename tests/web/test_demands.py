"""What a policy may ask of a signer, through the whole of inbond: a real signature, a page, a refusal."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim.index import SimIndex
from sim.sigstore import SLSA, CircleCI, GitHub, GitLab, Google, Identity
from stack import inbond, sigstore

BUILDER = "https://github.com/builders/shared/.github/workflows/build.yml"


def signed(index: SimIndex, identity: Identity, *also: Identity) -> str:
    """Lists a wheel with a publish attestation, and SLSA provenance by others; returns its filename."""

    def provenance(name: str, sha256: str) -> bytes:
        ours = sigstore()
        bundles = [(identity.publisher(), [ours.attest(name, sha256, identity)])]
        bundles += [(one.publisher(), [ours.attest(name, sha256, one, predicate_type=SLSA)]) for one in also]
        return ours.provenance(bundles)

    return index.add_wheel("demo", "1.0", provenance=provenance).filename


@pytest.mark.parametrize(
    ("line", "good", "bad", "said"),
    [
        (
            'refs = ["refs/tags/*"]',
            GitHub(),
            GitHub(ref="refs/heads/main"),
            "refs: built from refs/heads/main, which no pattern of `refs` names",
        ),
        (
            'runners = "hosted"',
            GitLab(),
            GitHub(runner="self-hosted"),
            "runners: built on a runner that is not the forge's own: self-hosted",
        ),
        ('runners = "hosted"', GitHub(), CircleCI(), "runners: runner unproven: the certificate of circleci:"),
        (
            'environments = ["pypi"]',
            GitHub(environment="pypi"),
            GitHub(),
            "environments: environment unproven: the certificate of github:acme/widgets@release.yml names none",
        ),
        (
            'deny_triggers = ["workflow_run"]',
            GitHub(),
            GitHub(trigger="workflow_run"),
            "triggers: built by the event workflow_run, which `deny_triggers` refuses",
        ),
        (
            'reusable_workflows = "same-owner"',
            GitHub(),
            GitHub(called_workflow=BUILDER),
            f"reusable_workflows: built by the reusable workflow {BUILDER}"[:80],
        ),
        (
            'pull_requests = "deny"',
            GitHub(),
            GitHub(ref="refs/pull/7/merge", trigger="pull_request"),
            "pull_requests: published from a pull request: its ref is refs/pull/7/merge",
        ),
        (
            'publishers = ["gitlab:gitlab.com/git.acme.example/**"]',
            GitLab(project="git.acme.example/demo"),
            GitLab(project="acme/demo"),
            "publishers: published by gitlab:acme/demo@.gitlab-ci.yml, which no pin names",
        ),
    ],
    ids=["refs", "runners", "runners, circleci", "environments", "triggers", "reusable", "pull requests", "publishers"],
)
async def test_a_demand_lets_one_signer_through_and_not_the_other(
    tmp_path: Path, line: str, good: Identity, bad: Identity, said: str
) -> None:
    more = f'[[policies.default.rules]]\nprojects = ["demo"]\n{line}\n'
    async with SimIndex() as index:
        filename = signed(index, good)
        async with inbond(tmp_path, index, more=more) as proxy:
            assert (await proxy.verdict("demo", filename))["decision"] == "allow"
    async with SimIndex() as index:
        filename = signed(index, bad)
        (tmp_path / "again").mkdir()
        async with inbond(tmp_path / "again", index, more=more) as proxy:
            verdict = await proxy.verdict("demo", filename)
    [finding] = [one for one in verdict["findings"] if one["outcome"] == "deny"]
    assert verdict["decision"] == "deny"
    assert f"{finding['rule']}: {finding['message']}".startswith(said)


async def test_slsa_provenance_counts_from_where_the_file_comes_from(tmp_path: Path) -> None:
    more = '[policies.default]\npredicates = ["slsa"]\n'
    decisions = []
    for number, others in enumerate([(), (GitHub(owner="stranger"),), (GitHub(workflow="build.yml"),)]):
        async with SimIndex() as index:
            filename = signed(index, GitHub(), *others)
            (tmp_path / str(number)).mkdir()
            async with inbond(tmp_path / str(number), index, more=more) as proxy:
                decisions.append((await proxy.verdict("demo", filename))["decision"])
    assert decisions == ["deny", "deny", "allow"]


async def test_a_release_from_a_pull_request_is_only_warned_of_by_default(tmp_path: Path) -> None:
    async with SimIndex() as index:
        filename = signed(index, GitHub(ref="refs/heads/main", trigger="pull_request_target"))
        async with inbond(tmp_path, index) as proxy:
            verdict = await proxy.verdict("demo", filename)
    assert verdict["decision"] == "allow"
    [warning] = [one for one in verdict["findings"] if one["rule"] == "pull_requests"]
    assert warning["outcome"] == "warn"
    assert warning["message"] == "published from a pull request: its trigger is pull_request_target"


async def test_google_names_no_ref_so_a_demand_for_one_denies_it(tmp_path: Path) -> None:
    async with SimIndex() as index:
        filename = signed(index, Google())
        async with inbond(tmp_path, index, more='[policies.default]\nrefs = ["**"]\n') as proxy:
            verdict = await proxy.verdict("demo", filename)
    [finding] = [one for one in verdict["findings"] if one["outcome"] == "deny"]
    assert finding["message"] == "ref unproven: the certificate of google:build@acme.example names none"

"""Whom the private Sigstore issues certificates to: what Fulcio writes for each forge, and the publisher beside it.

Claims by the last arc of Fulcio's extensions (fulcio/docs/oid-info.md); publishers as PEP 740 has them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from cryptography import x509

Json = dict[str, Any]


class Identity(Protocol):
    """Somebody the certificate authority issues certificates to."""

    def publisher(self) -> Json:
        """The publisher object that an index would put beside this identity's attestations."""
        ...

    def names(self) -> list[x509.GeneralName]:
        """The certificate's subject alternative names."""
        ...

    def claims(self) -> dict[int, str]:
        """Fulcio's extensions by their last arc."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHub:
    owner: str = "acme"
    repo: str = "widgets"
    workflow: str = "release.yml"
    ref: str = "refs/tags/v1.0"
    environment: str | None = None
    repository_id: str = "1001"
    owner_id: str = "2002"
    commit: str = "4f2c9d1e" * 5
    trigger: str = "release"
    runner: str = "github-hosted"
    called_workflow: str | None = None  # a reusable workflow that did the work: URI without the ref

    def publisher(self) -> Json:
        repository = f"{self.owner}/{self.repo}"
        return {"kind": "GitHub", "repository": repository, "workflow": self.workflow, "environment": self.environment}

    def names(self) -> list[x509.GeneralName]:
        return [x509.UniformResourceIdentifier(self.claims()[9])]

    def claims(self) -> dict[int, str]:
        home = f"https://github.com/{self.owner}"
        repository = f"{home}/{self.repo}"
        workflow = f"{repository}/.github/workflows/{self.workflow}@{self.ref}"
        claims = {
            1: "https://token.actions.githubusercontent.com",
            2: self.trigger,
            3: self.commit,
            5: f"{self.owner}/{self.repo}",
            6: self.ref,
            8: "https://token.actions.githubusercontent.com",
            9: f"{self.called_workflow}@refs/heads/main" if self.called_workflow else workflow,
            10: self.commit,
            11: self.runner,
            12: repository,
            13: self.commit,
            14: self.ref,
            15: self.repository_id,
            16: home,
            17: self.owner_id,
            18: workflow,
            19: self.commit,
            20: self.trigger,
            21: f"{repository}/actions/runs/77/attempts/1",
            22: "public",
        }
        if self.environment is not None:
            claims[23] = self.environment
            claims[24] = f"repo:{self.owner}/{self.repo}:environment:{self.environment}"
        return claims


@dataclass(frozen=True, slots=True, kw_only=True)
class GitLab:
    project: str = "acme/tools/widgets"
    workflow_filepath: str = ".gitlab-ci.yml"
    ref: str = "refs/tags/v1.0"
    environment: str | None = None
    host: str = "https://gitlab.com"
    commit: str = "9b1de37a" * 5

    def publisher(self) -> Json:
        path = {"repository": self.project, "workflow_filepath": self.workflow_filepath}
        return {"kind": "GitLab", "environment": self.environment, **path}

    def names(self) -> list[x509.GeneralName]:
        return [x509.UniformResourceIdentifier(self.claims()[18])]

    def claims(self) -> dict[int, str]:
        repository = f"{self.host}/{self.project}"
        workflow = f"{repository}//{self.workflow_filepath}@{self.ref}"
        return {
            1: self.host,
            8: self.host,
            9: workflow,
            10: self.commit,
            11: "gitlab-hosted",
            12: repository,
            13: self.commit,
            14: self.ref,
            15: "3003",
            16: repository.rpartition("/")[0],
            17: "4004",
            18: workflow,
            19: self.commit,
            20: "push",
            21: f"{repository}/-/jobs/88",
            22: "private",
        } | ({23: self.environment} if self.environment is not None else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Google:
    email: str = "build@acme.example"

    def publisher(self) -> Json:
        return {"kind": "Google", "email": self.email}

    def names(self) -> list[x509.GeneralName]:
        return [x509.RFC822Name(self.email)]

    def claims(self) -> dict[int, str]:
        return {1: "https://accounts.google.com", 8: "https://accounts.google.com"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CircleCI:
    project_id: str = "0d6f2f5e-2d0f-4c5f-8f6f-1a2b3c4d5e6f"
    pipeline_definition_id: str = "7c1e9d38-5b64-4f0e-9f5d-6a5b4c3d2e1f"
    vcs_origin: str = "github.com/acme/widgets"
    vcs_ref: str = "refs/heads/main"

    def publisher(self) -> Json:
        ids = {"project_id": self.project_id, "pipeline_definition_id": self.pipeline_definition_id}
        return {"kind": "CircleCI", **ids, "vcs_origin": self.vcs_origin, "vcs_ref": self.vcs_ref}

    def names(self) -> list[x509.GeneralName]:
        return [x509.UniformResourceIdentifier(self.claims()[9])]

    def claims(self) -> dict[int, str]:
        api = "https://circleci.com/api/v2"
        return {
            1: "https://oidc.circleci.com",
            8: "https://oidc.circleci.com",
            9: f"{api}/projects/{self.project_id}/pipeline-definitions/{self.pipeline_definition_id}",
            11: '""',  # what CircleCI's tokens lead to in practice
            12: self.vcs_origin,
            14: self.vcs_ref,
            18: f"{api}/pipeline/5d0c8a51-aaaa-4bbb-8ccc-0123456789ab/config",
            21: "https://app.circleci.com/workflow/99/job/1",
        }

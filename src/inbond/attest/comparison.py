"""A certificate's identity beside the publisher whom the index names: whether they are one, and in what they differ."""

from __future__ import annotations

from typing import Final

from pypi_attestations import CircleCIPublisher, GitHubPublisher, GitLabPublisher

from inbond.attest.identity import KnownPublisher, claimed_publisher
from inbond.attest.issuers import PUBLIC_ISSUERS, host_of
from inbond.model.forge_uris import after_host
from inbond.model.publisher import Forge, SigningIdentity

_PIPELINE: Final = "https://circleci.com/api/v2/projects/{}/pipeline-definitions/{}"


def require_publisher(publisher: KnownPublisher, signer: SigningIdentity) -> None:
    """As pypi-attestations compares, but by the signer's own issuer, for which somebody else has vouched.

    Repository and workflow exactly, at a ref that the signer names. Raises ValueError where they are another's.
    """
    match publisher:
        case GitHubPublisher() | GitLabPublisher():
            _require_workflow(publisher, signer)
        case CircleCIPublisher():
            _require_pipeline(publisher, signer)
        case _:
            raise ValueError("publishers of this kind have no issuers of their own")


def _require_workflow(publisher: GitHubPublisher | GitLabPublisher, signer: SigningIdentity) -> None:
    if signer.forge is not claimed_publisher(publisher).forge:
        raise ValueError("another forge, or an issuer that does not speak for the repository")
    repository, workflow = _named(publisher, signer.issuer)
    at = {f"{workflow}@{end}" for end in (signer.commit, signer.ref) if end}
    if signer.repository != repository or signer.workflow not in at:
        raise ValueError("another repository or workflow")


def _require_pipeline(publisher: CircleCIPublisher, signer: SigningIdentity) -> None:
    pipeline = _PIPELINE.format(publisher.project_id, publisher.pipeline_definition_id)
    if signer.forge is not Forge.CIRCLECI or signer.build_signer != pipeline or not _same_source(publisher, signer):
        raise ValueError("another pipeline, repository or ref")


def _same_source(publisher: CircleCIPublisher, signer: SigningIdentity) -> bool:
    return publisher.vcs_origin in (None, signer.repository) and publisher.vcs_ref in (None, signer.ref)


def _named(publisher: GitHubPublisher | GitLabPublisher, issuer: str) -> tuple[str, str]:
    """Repository and workflow that a publisher names, as certificates of that issuer write them."""
    repository = f"{host_of(issuer, claimed_publisher(publisher).forge)}/{publisher.repository}"
    match publisher:
        case GitHubPublisher():
            return repository, f"{repository}/.github/workflows/{publisher.workflow}"
        case GitLabPublisher():  # pragma: no branch (the match is exhaustive)
            return repository, f"{repository}//{publisher.workflow_filepath}"


def difference(publisher: KnownPublisher, signer: SigningIdentity) -> str:
    """Why the certificate is not the publisher's, once it was found that it is not."""
    claimed = claimed_publisher(publisher)
    forges = Forge.GITHUB, Forge.GITLAB
    subject = after_host(signer.repository or "") if signer.forge in forges else signer.pattern_subject
    if (signer.forge, subject, signer.pattern_workflow) != (claimed.forge, claimed.subject, claimed.workflow):
        return f"signed by {signer}, not by {claimed}, whom the index names"
    match publisher:
        case GitHubPublisher() | GitLabPublisher():
            repository, workflow = _named(publisher, signer.issuer)
            if signer.repository != repository:
                return f"its repository is {signer.repository}, not {repository}"
            if not (signer.workflow or "").startswith(f"{workflow}@"):
                return f"its workflow is not the publisher's: {signer.workflow}"
        case CircleCIPublisher() if not _same_source(publisher, signer):
            asked = f"{publisher.vcs_origin or 'any repository'} at {publisher.vcs_ref or 'any ref'}"
            return f"built from {signer.repository} at {signer.ref}, and the index names {asked}"
        case _:
            pass
    if signer.issuer not in PUBLIC_ISSUERS:
        return f"its issuer is {signer.issuer}, not the public one"
    return f"its certificate leaves out what must prove that it is by {claimed}"

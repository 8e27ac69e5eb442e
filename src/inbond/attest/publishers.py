"""The publisher that a certificate proves: where no index names one, there is nobody else to compare it with."""

from __future__ import annotations

from cryptography import x509
from pypi_attestations import CircleCIPublisher, GitHubPublisher, GitLabPublisher, GooglePublisher

from inbond.attest.identity import KnownPublisher, proven_identity
from inbond.attest.issuers import likely_forge
from inbond.attest.outcome import Wrong
from inbond.model.forge_uris import after_host
from inbond.model.publisher import Forge, SigningIdentity


def signer_of(certificate: x509.Certificate) -> SigningIdentity:
    """The identity in a certificate beside which nobody claims anything.

    Raises Wrong where it is not as Fulcio writes them, or names nobody.
    """
    signer = proven_identity(certificate)
    if signer.forge is Forge.OIDC:
        signer = proven_identity(certificate, claimed=likely_forge(signer.issuer, signer.repository))
    if signer.subject is None:
        raise Wrong("its certificate does not say who signs: it has no name that is an address")
    return signer


def publisher_of(signer: SigningIdentity) -> KnownPublisher | None:
    """The publisher (PEP 740) whose certificate this is; None where it is of no kind that PEP 740 knows.

    Raises Wrong where a certificate of such a kind leaves out what names the publisher.
    """
    repository = after_host(signer.repository or "")
    workflow = signer.pattern_workflow
    match signer.forge:
        case Forge.GITHUB:
            return GitHubPublisher(
                repository=_named(repository), workflow=_named(workflow), environment=signer.environment
            )
        case Forge.GITLAB:
            return GitLabPublisher(
                repository=_named(repository), workflow_filepath=_named(workflow), environment=signer.environment
            )
        case Forge.GOOGLE:
            return GooglePublisher(email=_named(signer.subject))
        case Forge.CIRCLECI:
            return CircleCIPublisher(project_id=_named(signer.pattern_subject), pipeline_definition_id=_named(workflow))
        case Forge.OIDC:  # pragma: no branch (the match is exhaustive)
            return None


def _named(value: str | None) -> str:
    if not value:
        raise Wrong("its certificate leaves out what must name its publisher")
    return value

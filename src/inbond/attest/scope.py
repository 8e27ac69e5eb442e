"""A trust scope: one trusted root, and the issuers for whose identities it vouches.

A scope without issuers of its own is the public Sigstore's; the publishers compared are those that pypi-attestations
knows, on their public hosts. A scope that names issuers vouches for these and no others; a publisher of kind GitHub or
GitLab then stands on the issuer's own host.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final, Self

from cryptography import x509
from pypi_attestations import GitHubPublisher, GitLabPublisher

from inbond.attest.identity import PUBLIC_ISSUERS, KnownPublisher
from inbond.attest.outcome import Wrong
from inbond.attest.root import Root
from inbond.model.publisher import SigningIdentity
from inbond.model.trust import TrustScope

# Certificates remembered: one run of a workflow signs all files of a release with one, and its files come together.
_REMEMBERED: Final = 256
_GITHUB_SERVER: Final = "/_services/token"  # what an own GitHub server's issuer ends in


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """A `TrustScope` ready to verify with."""

    name: str
    root: Root
    issuers: frozenset[str]
    _signers: dict[Hashable, SigningIdentity] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, trusted: TrustScope) -> Self:
        """Reads the scope's root. Raises ConfigurationError where it cannot be used."""
        return cls(name=trusted.name, root=Root(trusted.root), issuers=frozenset(trusted.issuers))

    def remembered(self, publisher: KnownPublisher, certificate: x509.Certificate) -> SigningIdentity | None:
        """The signer that `remember` was told; None where that was not, or long ago."""
        return self._signers.get(_pair(publisher, certificate))

    def remember(self, publisher: KnownPublisher, certificate: x509.Certificate, signer: SigningIdentity) -> None:
        """Keeps that this certificate is this publisher's: the same question has the same answer, byte for byte."""
        if len(self._signers) >= _REMEMBERED:
            del self._signers[next(iter(self._signers))]
        self._signers[_pair(publisher, certificate)] = signer

    def compare(self, publisher: KnownPublisher, signer: SigningIdentity, certificate: x509.Certificate) -> None:
        """Raises an exception, of any type, where the certificate is not this publisher's or nobody here vouches."""
        if self.issuers and signer.issuer not in self.issuers:
            raise Wrong(f"its issuer is {signer.issuer}, for which [trust.{self.name}] does not vouch")
        if self.issuers and signer.issuer not in PUBLIC_ISSUERS:
            _require_own_host(publisher, signer)
        else:
            publisher._as_policy().verify(certificate)  # noqa: SLF001 (the comparison has no public name)


def _pair(publisher: KnownPublisher, certificate: x509.Certificate) -> Hashable:
    return certificate, type(publisher), *publisher.__dict__.items()


def _require_own_host(publisher: KnownPublisher, signer: SigningIdentity) -> None:
    """As pypi-attestations compares on the public hosts: repository and workflow exactly, at a ref the signer names."""
    match publisher:
        case GitHubPublisher():
            home = f"{signer.issuer.removesuffix(_GITHUB_SERVER)}/{publisher.repository}"
            workflow = f"{home}/.github/workflows/{publisher.workflow}"
        case GitLabPublisher():
            home = f"{signer.issuer}/{publisher.repository}"
            workflow = f"{home}//{publisher.workflow_filepath}"
        case _:
            raise ValueError("publishers of this kind have no hosts of their own")
    at = {f"{workflow}@{end}" for end in (signer.commit, signer.ref) if end}
    if signer.repository != home or signer.workflow not in at:
        raise ValueError("another repository or workflow")

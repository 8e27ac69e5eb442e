"""A trust scope: one trusted root, and the issuers for whose identities it vouches.

A scope without issuers of its own is the public Sigstore's; the publishers compared are those that pypi-attestations
knows, on their public hosts. A scope that names issuers vouches for these and no others; a publisher of kind GitHub or
GitLab then stands on the host that the issuer speaks for.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final, Self

from cryptography import x509

from inbond.attest.comparison import require_publisher
from inbond.attest.identity import KnownPublisher
from inbond.attest.issuers import PUBLIC_ISSUERS
from inbond.attest.outcome import Wrong
from inbond.attest.root import Root
from inbond.model.publisher import Forge, SigningIdentity
from inbond.model.trust import TrustScope

# Certificates remembered: one run of a workflow signs all files of a release with one, and its files come together.
_REMEMBERED: Final = 256


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
        if self.issuers:
            self.require_issuer(signer)
        if self.issuers and signer.issuer not in PUBLIC_ISSUERS:
            require_publisher(publisher, signer)
        else:
            publisher._as_policy().verify(certificate)  # noqa: SLF001 (the comparison has no public name)

    def require_issuer(self, signer: SigningIdentity) -> None:
        """Raises Wrong where nobody here vouches for the signer's issuer: of no list, or of no forge that is known."""
        known = signer.issuer in self.issuers if self.issuers else signer.forge is not Forge.OIDC
        if not known:
            raise Wrong(f"its issuer is {signer.issuer}, for which [trust.{self.name}] does not vouch")


def _pair(publisher: KnownPublisher, certificate: x509.Certificate) -> Hashable:
    return certificate, type(publisher), *publisher.__dict__.items()

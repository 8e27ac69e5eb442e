"""Who vouches for whose files: trusted roots by scope, never merged (docs/design.md, "Trust is scoped").

In one merged root any authority could vouch together with any log. So a file's attestation is judged under each scope
that its upstream names, and holds if it holds under one of them alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

PUBLIC: Final = "public"  # the scope of the public Sigstore, `[trust.public]`


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustScope:
    """A trusted root by the name that the configuration gives it.

    `root` is the bytes of a `trusted_root.json`. `issuers` are the OIDC issuers (certificate .8, exactly as written)
    whose identities it vouches for; empty: those of the publishers that the public index knows.
    """

    name: str
    root: bytes
    issuers: tuple[str, ...] = ()

    @property
    def root_sha256(self) -> str:
        """The digest of the root's bytes."""
        return sha256(self.root).hexdigest()


def trust_digest(scopes: Sequence[TrustScope]) -> str:
    """What evidence made under these scopes is kept under: the root's own digest where that says it all.

    Shape: 64 hex digits. The order of the scopes does not matter: whether one of them vouches does not depend on it.
    """
    match scopes:
        case [TrustScope(issuers=()) as only]:
            return only.root_sha256
        case _:
            parts = sorted("\0".join((one.name, one.root_sha256, *sorted(one.issuers))) for one in scopes)
            return sha256("\n".join(parts).encode()).hexdigest()

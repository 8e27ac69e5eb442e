"""Issuers of identity tokens (certificate .8): which forge each speaks for, and of which host's repositories."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from inbond.model.publisher import Forge

# One part: GitHub's name of an enterprise, CircleCI's id of an organisation.
_ONE: Final = r"[A-Za-z0-9_-]+"
_GITHUB: Final = "https://token.actions.githubusercontent.com"
_GITLAB: Final = "https://gitlab.com"
_CIRCLECI: Final = "https://oidc.circleci.com"

PUBLIC_ISSUERS: Final[Mapping[str, Forge]] = MappingProxyType(
    {
        _GITHUB: Forge.GITHUB,
        _GITLAB: Forge.GITLAB,
        "https://accounts.google.com": Forge.GOOGLE,
        _CIRCLECI: Forge.CIRCLECI,
    }
)
# Some customers of the public forges have one of their own, for projects that are on the public hosts.
_ENTERPRISE: Final = re.compile(f"{re.escape(_GITHUB)}/{_ONE}", re.ASCII)
_ORGANISATION: Final = re.compile(f"{re.escape(_CIRCLECI)}/org/{_ONE}", re.ASCII)
_OWN_GITHUB: Final = "/_services/token"  # behind an own GitHub server's address


def forge_of(issuer: str, repository: str | None, claimed: Forge | None) -> Forge:
    """The forge whose identity this is. `repository` is the certificate's (.12).

    `claimed` is the kind of publisher that stands beside it: an own server is told by nothing else. What the issuer
    does not speak for is of no forge: else any issuer could speak for projects of another host.
    """
    if issuer in PUBLIC_ISSUERS:
        return PUBLIC_ISSUERS[issuer]
    if _ORGANISATION.fullmatch(issuer):
        return Forge.CIRCLECI
    forge = Forge.GITHUB if _ENTERPRISE.fullmatch(issuer) else claimed
    host = host_of(issuer, forge)
    if forge is not None and host is not None and repository is not None and repository.startswith(f"{host}/"):
        return forge
    return Forge.OIDC


def host_of(issuer: str, forge: Forge | None) -> str | None:
    """The address below which a forge's repositories stand for which an issuer speaks; None for none."""
    match forge:
        case Forge.GITHUB if issuer == _GITHUB or _ENTERPRISE.fullmatch(issuer):
            return "https://github.com"
        case Forge.GITHUB if issuer.endswith(_OWN_GITHUB):
            return issuer.removesuffix(_OWN_GITHUB)
        case Forge.GITLAB:
            return issuer
        case _:
            return None


def likely_forge(issuer: str, repository: str | None) -> Forge | None:
    """The kind of own server that an issuer seems to be of, where nobody claims one; `forge_of` decides by it."""
    if issuer.endswith(_OWN_GITHUB):
        return Forge.GITHUB
    return Forge.GITLAB if repository is not None and repository.startswith(f"{issuer}/") else None

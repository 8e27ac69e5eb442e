"""Who published a file, as far as releases can be compared by it: repository, workflow and kind of ref.

Commit, tag, runner, trigger and environment differ from release to release, or change for good reasons every day; a
policy that minds one has a rule for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final, assert_never

from inbond.model import globs
from inbond.model.evidence import EvidenceOrPending, Verified
from inbond.model.publisher import Forge, SigningIdentity

# Forges that do not tell capitals apart in the names of owners and repositories, and mail hosts alike.
_CASELESS: Final = frozenset({Forge.GITHUB, Forge.GITLAB, Forge.GOOGLE})


class RefKind(StrEnum):
    """What a release was built from; the values are words of a sentence."""

    TAG = "a tag"
    BRANCH = "a branch"
    PULL_REQUEST = "a pull request"
    NONE = "no ref"


_REF_KINDS: Final = (
    ("refs/tags/", RefKind.TAG),
    ("refs/heads/", RefKind.BRANCH),
    ("refs/pull/", RefKind.PULL_REQUEST),
    ("refs/merge-requests/", RefKind.PULL_REQUEST),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """What a certificate proves of who published.

    `repository` is the publisher without workflow and environment, as patterns write it; `place` is the same in small
    letters where the forge does not tell them apart: two are the same repository if their places are.
    """

    identity: SigningIdentity
    repository: str
    place: str
    workflow: str | None
    ref_kind: RefKind

    @property
    def way(self) -> tuple[str, str | None, RefKind]:
        """What a release is expected to share with one before it."""
        return self.place, self.workflow, self.ref_kind

    @property
    def publisher(self) -> str:
        """Repository and workflow, as a pin names them; a star in a name, which forges allow, stands for no other."""
        named = self.repository if self.workflow is None else f"{self.repository}@{self.workflow}"
        return globs.literal(named)


def signers_of(evidence: EvidenceOrPending | None) -> tuple[Signer, ...]:
    """Who signed the publish attestations of a file; nobody where it is not verified."""
    return tuple(map(_signer, evidence.identities)) if isinstance(evidence, Verified) else ()


@lru_cache(maxsize=4096)
def _signer(identity: SigningIdentity) -> Signer:
    repository = _repository(identity)
    return Signer(
        identity=identity,
        repository=repository,
        place=repository.lower() if identity.forge in _CASELESS else repository,
        workflow=identity.pattern_workflow,
        ref_kind=_ref_kind(identity.ref),
    )


def _repository(identity: SigningIdentity) -> str:
    named = f"{identity.forge}:{identity.pattern_subject}"
    match identity.forge:
        case Forge.GITHUB | Forge.GITLAB | Forge.GOOGLE | Forge.CIRCLECI:
            return named
        case Forge.OIDC:  # the issuer alone names everybody
            return f"{named}#{identity.pattern_environment or ''}"
        case _:
            assert_never(identity.forge)


def _ref_kind(ref: str | None) -> RefKind:
    return next((kind for prefix, kind in _REF_KINDS if ref is not None and ref.startswith(prefix)), RefKind.NONE)

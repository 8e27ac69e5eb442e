"""Who published a file: what the index claims, what the certificate proves, and how an operator names it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
from typing import Final, Self, assert_never


class Forge(StrEnum):
    """The kinds of publisher (PyPI's Trusted Publishers) and of identity that a pattern can name."""

    GITHUB = "github"
    GITLAB = "gitlab"
    GOOGLE = "google"
    CIRCLECI = "circleci"
    OIDC = "oidc"


# Owners, groups, repositories and mail hosts are case-insensitive there; identifiers and OIDC subjects are not.
_CASELESS: Final = frozenset({Forge.GITHUB, Forge.GITLAB, Forge.GOOGLE})
_WITH_WORKFLOW: Final = frozenset({Forge.GITHUB, Forge.GITLAB, Forge.CIRCLECI})


@dataclass(frozen=True, slots=True, kw_only=True)
class Publisher:
    """The publisher in an attestation bundle: only what the index says (PEP 740).

    `subject` is owner/repository, host/group/project, e-mail or project id, by `forge`.
    """

    forge: Forge
    subject: str
    workflow: str | None = None
    environment: str | None = None

    def __str__(self) -> str:
        return _written(self.forge, self.subject, self.workflow, self.environment)


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningIdentity:
    """What the signing certificate proves: Fulcio's extensions under 1.3.6.1.4.1.57264.1.N (N beside each field).

    Empty certificates fields are None. URIs are kept whole; `pattern_subject` gives the short form.
    """

    forge: Forge
    issuer: str  # .8, or .1 where it is missing
    subject: str | None = None  # subject alternative name: workflow URI or e-mail
    repository: str | None = None  # .12 source repository URI
    repository_id: str | None = None  # .15
    owner: str | None = None  # .16
    owner_id: str | None = None  # .17
    workflow: str | None = None  # .18 build config URI: the *calling* workflow, with its ref
    build_signer: str | None = None  # .9: the workflow that ran, a reusable one perhaps
    ref: str | None = None  # .14
    commit: str | None = None  # .13
    runner: str | None = None  # .11
    trigger: str | None = None  # .20
    run_url: str | None = None  # .21
    visibility: str | None = None  # .22
    environment: str | None = None  # .23
    token_subject: str | None = None  # .24

    @property
    def pattern_subject(self) -> str:
        """What stands behind the colon of a publisher pattern that would name this identity."""
        match self.forge:
            case Forge.GITHUB:
                return _after_host(self.repository or "")
            case Forge.GITLAB:
                path = _after_scheme(self.repository or "")
                return path.removeprefix("gitlab.com/")
            case Forge.GOOGLE:
                return self.subject or ""
            case Forge.CIRCLECI:
                return circleci_project(self.build_signer or self.subject or "")
            case Forge.OIDC:
                return self.issuer
            case _:
                assert_never(self.forge)

    @property
    def pattern_workflow(self) -> str | None:
        """The workflow file's name (GitHub), its path (GitLab) or the pipeline definition's id (CircleCI)."""
        match self.forge:
            case Forge.GITHUB:
                return self._workflow_path.rpartition("/")[2] or None
            case Forge.GITLAB:
                return self._workflow_path.partition("//")[2].partition("//")[2] or None
            case Forge.CIRCLECI:
                return circleci_pipeline(self.build_signer or self.subject or "")
            case Forge.GOOGLE | Forge.OIDC:
                return None
            case _:
                assert_never(self.forge)

    @property
    def _workflow_path(self) -> str:
        """The workflow's URI without its ref; empty where that does not end it.

        A ref may hold "@" itself and so may a file's name: only the ref that the certificate names is taken off,
        else `evil.yml@refs/heads/release.yml@x` would pass for `release.yml`.
        """
        for end in (self.ref, self.commit):
            if self.workflow and end and self.workflow.endswith(f"@{end}"):
                return self.workflow[: -len(end) - 1]
        return ""

    @property
    def pattern_environment(self) -> str | None:
        """The deployment environment that the certificate proves; for plain OIDC the token's subject."""
        return self.subject if self.forge is Forge.OIDC else self.environment

    def __str__(self) -> str:
        return _written(self.forge, self.pattern_subject, self.pattern_workflow, self.pattern_environment)


def circleci_project(uri: str) -> str:
    """The project id in CircleCI's signer URI, `https://circleci.com/api/v2/projects/ID/pipeline-definitions/ID`."""
    return _segment_after(uri, "projects") or ""


def circleci_pipeline(uri: str) -> str | None:
    """The pipeline definition's id in CircleCI's signer URI."""
    return _segment_after(uri, "pipeline-definitions")


def _segment_after(uri: str, word: str) -> str | None:
    parts = uri.split("/")
    for before, after in pairwise(parts):
        if before == word:
            return after
    return None


def _after_scheme(uri: str) -> str:
    return uri.partition("://")[2]


def _after_host(uri: str) -> str:
    return _after_scheme(uri).partition("/")[2]


def _written(forge: Forge, subject: str, workflow: str | None, environment: str | None) -> str:
    at = f"@{workflow}" if workflow else ""
    hash_ = f"#{environment}" if environment else ""
    return f"{forge}:{subject}{at}{hash_}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublisherPattern:
    """An operator's pin, `github:owner/repo@workflow.yml#environment`; later parts may be left out.

    `*` does not cross "/", `**` does. Matches what the certificate proves, never what the index claims.
    """

    forge: Forge
    subject: str
    workflow: str | None = None
    environment: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads a pattern. Raises ValueError that says what is missing."""
        kind, colon, rest = text.partition(":")
        try:
            forge = Forge(kind)
        except ValueError:
            known = ", ".join(Forge)
            raise ValueError(f"{text!r} does not begin with a kind of publisher ({known}) and a colon") from None
        rest, _, environment = rest.partition("#")
        workflow = ""
        if forge in _WITH_WORKFLOW:
            rest, _, workflow = rest.partition("@")
        if not colon or not rest:
            raise ValueError(f"{text!r} names nobody: write for example 'github:owner/repo'")
        return cls(forge=forge, subject=rest, workflow=workflow or None, environment=environment or None)

    def matches(self, identity: SigningIdentity) -> bool:
        """Whether the identity that a certificate proves is one this pattern names."""
        if identity.forge is not self.forge:
            return False
        caseless = self.forge in _CASELESS
        return (
            _glob(self.subject, caseless=caseless).fullmatch(identity.pattern_subject) is not None
            and _part_matches(self.workflow, identity.pattern_workflow)
            and _part_matches(self.environment, identity.pattern_environment)
        )

    def __str__(self) -> str:
        return _written(self.forge, self.subject, self.workflow, self.environment)


def _part_matches(pattern: str | None, value: str | None) -> bool:
    if pattern is None:
        return True
    return value is not None and _glob(pattern, caseless=False).fullmatch(value) is not None


@lru_cache(maxsize=4096)
def _glob(pattern: str, *, caseless: bool) -> re.Pattern[str]:
    parts = re.split(r"(\*\*|\*)", pattern)
    translated = "".join({"**": ".*", "*": "[^/]*"}.get(part) or re.escape(part) for part in parts)
    return re.compile(translated, re.IGNORECASE if caseless else 0)

"""Who published a file: what the index claims, what the certificate proves, and how an operator names it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Self, assert_never

from inbond.model import globs
from inbond.model.forge_uris import (
    GITHUB_HOST,
    GITLAB_HOST,
    circleci_pipeline,
    circleci_project,
    may_name_project,
    names_host,
    project_at,
    with_host,
)


class Forge(StrEnum):
    """The kinds of publisher (PyPI's Trusted Publishers) and of identity that a pattern can name."""

    GITHUB = "github"
    GITLAB = "gitlab"
    GOOGLE = "google"
    CIRCLECI = "circleci"
    OIDC = "oidc"


# Owners, groups, repositories and mail hosts are case-insensitive there; identifiers and OIDC subjects are not. Paths
# of workflows are case-sensitive everywhere, names of environments everywhere but on GitHub.
_CASELESS: Final = frozenset({Forge.GITHUB, Forge.GITLAB, Forge.GOOGLE})
_CASELESS_ENVIRONMENT: Final = frozenset({Forge.GITHUB})
_WITH_WORKFLOW: Final = frozenset({Forge.GITHUB, Forge.GITLAB, Forge.CIRCLECI})
_PUBLIC_HOST: Final = MappingProxyType({Forge.GITHUB: GITHUB_HOST, Forge.GITLAB: GITLAB_HOST})
_DEEPEST: Final = MappingProxyType({Forge.GITHUB: 2})  # parts of a repository's name; GitLab's groups lie in groups


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

    Empty fields of the certificate are None. URIs are kept whole; `pattern_subject` gives the short form. .1 to .6 are
    an older form, of GitHub but for the issuer; where both are there they say the same, and where the newer is missing
    the older stands for it, as it is signed by the same authority. Only .5 does not: it names no host.
    """

    forge: Forge
    issuer: str  # .8, or .1
    subject: str | None = None  # subject alternative name: workflow URI or e-mail
    repository: str | None = None  # .12 source repository URI
    repository_id: str | None = None  # .15
    owner: str | None = None  # .16
    owner_id: str | None = None  # .17
    workflow: str | None = None  # .18 build config URI: the *calling* workflow, with its ref
    workflow_digest: str | None = None  # .19 the commit that the calling workflow was read at
    build_signer: str | None = None  # .9: the workflow that ran, a reusable one perhaps
    build_signer_digest: str | None = None  # .10 the commit that it was read at
    ref: str | None = None  # .14, or .6
    commit: str | None = None  # .13, or .3
    runner: str | None = None  # .11
    trigger: str | None = None  # .20, or .2
    run_url: str | None = None  # .21
    visibility: str | None = None  # .22
    environment: str | None = None  # .23
    token_subject: str | None = None  # .24
    workflow_name: str | None = None  # .4, as it is titled; there is no newer form
    legacy_issuer: str | None = None  # .1
    legacy_trigger: str | None = None  # .2
    legacy_commit: str | None = None  # .3
    legacy_repository: str | None = None  # .5 owner/repository
    legacy_ref: str | None = None  # .6

    @property
    def pattern_subject(self) -> str:
        """What stands behind the colon of a publisher pattern that would name this identity."""
        match self.forge:
            case Forge.GITHUB:
                return project_at(self.repository or "", public=GITHUB_HOST)
            case Forge.GITLAB:
                return project_at(self.repository or "", public=GITLAB_HOST)
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


def _written(forge: Forge, subject: str, workflow: str | None, environment: str | None) -> str:
    at = f"@{workflow}" if workflow else ""
    hash_ = f"#{environment}" if environment else ""
    return f"{forge}:{subject}{at}{hash_}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublisherPattern:
    """An operator's pin, `github:owner/repo@workflow.yml#environment`; later parts may be left out.

    `*` does not cross "/", `**` does. Matches what the certificate proves, never what the index claims: in
    `oidc:ISSUER#SUBJECT` the subject is the certificate's alternative name. Of GitHub and GitLab, what begins with no
    host is on their public server.
    """

    forge: Forge
    subject: str
    workflow: str | None = None
    environment: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads a pattern. Raises ValueError that says what is missing, or why it would match nobody."""
        kind, colon, rest = text.partition(":")
        try:
            forge = Forge(kind)
        except ValueError:
            known = ", ".join(Forge)
            raise ValueError(f"{text!r} does not begin with a kind of publisher ({known}) and a colon") from None
        # A part that is empty would stand for anything: somebody has perhaps forgotten to fill it in.
        subject, environment = _cut(rest, "#", text)
        workflow = None
        if forge in _WITH_WORKFLOW:
            subject, workflow = _cut(subject, "@", text)
        if not colon or not subject:
            raise ValueError(f"{text!r} names nobody: write for example 'github:owner/repo'")
        fault = _subject_fault(forge, subject) or _workflow_fault(forge, workflow or "")
        if fault is not None:
            raise ValueError(f"{text!r}: {fault}")
        return cls(forge=forge, subject=subject, workflow=workflow, environment=environment)

    def matches(self, identity: SigningIdentity) -> bool:
        """Whether the identity that a certificate proves is one this pattern names."""
        if identity.forge is not self.forge:
            return False
        environment = identity.pattern_environment
        return (
            self._names(identity.pattern_subject)
            and _part_matches(self.workflow, identity.pattern_workflow)
            and _part_matches(self.environment, environment, caseless=self.forge in _CASELESS_ENVIRONMENT)
        )

    def _names(self, subject: str) -> bool:
        pattern, public = self.subject, _PUBLIC_HOST.get(self.forge)
        if public is not None:
            pattern, subject = with_host(pattern, public=public), with_host(subject, public=public)
        return globs.matches(pattern, subject, caseless=self.forge in _CASELESS)

    def __str__(self) -> str:
        return _written(self.forge, self.subject, self.workflow, self.environment)


def _part_matches(pattern: str | None, value: str | None, *, caseless: bool = False) -> bool:
    return pattern is None or (value is not None and globs.matches(pattern, value, caseless=caseless))


def _cut(rest: str, separator: str, text: str) -> tuple[str, str | None]:
    before, found, behind = rest.partition(separator)
    if found and not behind:
        raise ValueError(f"{text!r} has nothing behind {separator!r}: name it, or leave {separator!r} out for any")
    return before, behind or None


def _subject_fault(forge: Forge, subject: str) -> str | None:
    """Why a pattern would match nobody, or more than it seems to."""
    public = _PUBLIC_HOST.get(forge)
    if any(character.isspace() for character in subject):
        return "no name has a space in it"
    if public is not None and names_host(subject) and "**" in subject.partition("/")[0]:
        return "in the name of a host, '**' would reach beyond it; write '*'"
    if public is not None and not may_name_project(subject, public=public, deepest=_DEEPEST.get(forge)):
        return f"no repository is named so; write '{forge}:owner/repo', or '{forge}:owner/*' for all of an owner's"
    if forge is Forge.GOOGLE and "@" not in subject and "*" not in subject:
        return "no account is named so; write its e-mail address"
    return None


def _workflow_fault(forge: Forge, workflow: str) -> str | None:
    if (forge is Forge.GITHUB and "/" in workflow) or "@refs/" in workflow:
        name = "name" if forge is Forge.GITHUB else "path"
        return f"behind '@' stands the {name} of the workflow's file alone, as in 'release.yml'; refs have a key `refs`"
    return "no workflow's name begins or ends with a space" if workflow != workflow.strip() else None

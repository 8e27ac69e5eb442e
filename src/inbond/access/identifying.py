"""Which claims say whose job it is, and which patterns let in jobs of people nobody has heard of; pure.

A public CI system signs statements for everybody. What a job is called, which branch it runs on or by which event
anybody can have alike; only who it belongs to, nobody can.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

# Of GitHub, GitLab, Bitbucket, Buildkite, Google, Azure and whoever has a subject (OpenID Connect Core, section 2).
IDENTIFYING: Final = frozenset(
    {
        "sub", "email", "oid", "appid", "azp", "client_id",
        "repository", "repository_id", "repository_owner", "repository_owner_id", "enterprise", "enterprise_id",
        "project_path", "project_id", "namespace_path", "namespace_id",
        "organization_id", "organization_slug", "repositoryUuid", "workspaceUuid",
    }
)  # fmt: skip
_SERVICE_COLONS: Final = 2  # as in `system:serviceaccount:ci:*`: what stands before them is no kind alone


def is_exact(pattern: str) -> bool:
    """Whether a pattern fits one value alone."""
    return "*" not in pattern.replace("[*]", "")


def says_nothing(pattern: str) -> bool:
    """Whether a pattern fits every value, or every one of so many parts: it keeps nobody out."""
    return not pattern.replace("[*]", "x").strip("*/")


def is_identified(claims: Mapping[str, str]) -> bool:
    """Whether what the patterns fit belongs to somebody whom they name."""
    return any(name in IDENTIFYING and _names_an_owner(pattern) for name, pattern in claims.items())


def _names_an_owner(pattern: str) -> bool:
    """Whether all before the first star names a whole owner: `acme/*` and `repo:acme/*`, not `acme*` nor `repo:*`."""
    if is_exact(pattern):
        return True
    head = pattern.replace("[*]", "x").partition("*")[0]
    if "/" in head:
        return bool(head.rpartition("/")[0].rpartition(":")[2].strip("/"))
    return head.count(":") >= _SERVICE_COLONS

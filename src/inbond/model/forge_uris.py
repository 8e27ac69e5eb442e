"""The URIs in signing certificates, and the short names of what they name, as publisher patterns write them."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

GITHUB_HOST: Final = "github.com"
GITLAB_HOST: Final = "gitlab.com"
_HTTPS_PORT: Final = 443
_OWNER_AND_PROJECT: Final = 2  # parts


def after_host(uri: str) -> str:
    """The path of a URI, without its first slash; empty where there is none."""
    return _after_scheme(uri).partition("/")[2]


def host_and_owner(uri: str) -> tuple[str, str]:
    """The host of a repository's or workflow's URI and the first part of its path, who owns it; in small letters."""
    host, _, path = _after_scheme(uri).lower().partition("/")
    return host, path.partition("/")[0]


def project_at(uri: str, *, public: str) -> str:
    """`owner/project` on a forge's public server, `host/owner/project` on others.

    Names of owners may hold dots: one that could be taken for a host stands behind the public server's name, or else
    whoever takes the name of somebody's server for a group would pass for that server. A host without a dot gets its
    port.
    """
    host, _, path = _after_scheme(uri).partition("/")
    if not path or (host == public and not names_host(path)):
        return path
    return f"{host}/{path}" if names_host(host) else f"{host}:{_HTTPS_PORT}/{path}"


def with_host(subject: str, *, public: str) -> str:
    """A name or a pattern as above with its host: the public server's where it names none."""
    return subject if names_host(subject) else f"{public}/{subject}"


def may_name_project(pattern: str, *, public: str, deepest: int | None) -> bool:
    """Whether a pattern of such names fits any: below a host stand an owner and a project, in `deepest` parts at most.

    None: groups lie in groups. `**` stands for any number of parts, everything else for none or one.
    """
    parts = with_host(pattern, public=public).split("/")[1:]
    enough = "**" in pattern or len(parts) >= _OWNER_AND_PROJECT
    return bool(parts) and all(parts) and enough and (deepest is None or len(parts) <= deepest)


def names_host(subject: str) -> bool:
    """Whether such a name begins with a host: its first part has a dot, or a colon and a port."""
    first = subject.partition("/")[0]
    return "." in first or ":" in first


def circleci_project(uri: str) -> str:
    """The project id in CircleCI's signer URI, `https://circleci.com/api/v2/projects/ID/pipeline-definitions/ID`."""
    return _segment_after(uri, "projects") or ""


def circleci_pipeline(uri: str) -> str | None:
    """The pipeline definition's id in CircleCI's signer URI."""
    return _segment_after(uri, "pipeline-definitions")


def _segment_after(uri: str, word: str) -> str | None:
    return next((after for before, after in pairwise(uri.split("/")) if before == word), None)


def _after_scheme(uri: str) -> str:
    return uri.partition("://")[2]

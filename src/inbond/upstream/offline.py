"""An upstream that is not asked: inbond runs offline, and no bundle brought anything of it."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from inbond.model.errors import UpstreamUnavailable
from inbond.model.names import ProjectName
from inbond.model.page import File
from inbond.simple.addresses import last_segment
from inbond.upstream.answers import (
    FetchedPage,
    FileBody,
    ListBody,
    NotModified,
    ProjectUnknown,
    ProvenanceAbsent,
    ProvenanceFound,
    Resume,
    Validators,
)
from inbond.upstream.settings import UpstreamSettings


class OfflineUpstream:
    """Answers nothing, and says why. What the cache holds of it is served as stale, for as long as that is allowed."""

    local = False
    at_ease = False

    def __init__(self, settings: UpstreamSettings) -> None:
        self.settings = settings

    async def page(
        self,
        project: ProjectName,
        validators: Validators | None = None,  # noqa: ARG002 (the protocol's)
        *,
        bypass_caches: bool = False,  # noqa: ARG002 (the protocol's)
    ) -> FetchedPage | NotModified | ProjectUnknown:
        """Raises `UpstreamUnavailable`, as everything here does."""
        raise self._not_asked(f"for the project {project}")

    def project_list(self) -> AbstractAsyncContextManager[ListBody]:
        """The list of all projects: raises at once."""
        raise self._not_asked("for its list of projects")

    def file(
        self,
        url: str,
        resume: Resume | None = None,  # noqa: ARG002 (the protocol's)
        *,
        guess: bool = False,  # noqa: ARG002 (the protocol's)
    ) -> AbstractAsyncContextManager[FileBody]:
        """A file's bytes: raises at once."""
        raise self._not_asked(f"for {last_segment(url)}")

    async def metadata(
        self,
        file: File,
        *,
        guess: bool = False,  # noqa: ARG002 (the protocol's)
    ) -> bytes:
        """A file's core metadata: raises."""
        raise self._not_asked(f"for the core metadata of {file.filename}")

    async def provenance(
        self,
        project: ProjectName,  # noqa: ARG002 (the protocol's)
        version: str,  # noqa: ARG002 (the protocol's)
        file: File,
        *,
        guess: bool = False,  # noqa: ARG002 (the protocol's)
    ) -> ProvenanceFound | ProvenanceAbsent:
        """A file's provenance: raises, as nobody knows whether there is any."""
        raise self._not_asked(f"for the provenance of {file.filename}")

    async def aclose(self) -> None:
        """Nothing is under way."""

    def _not_asked(self, what: str) -> UpstreamUnavailable:
        return UpstreamUnavailable(
            f"inbond runs offline: {self.settings.name} is not asked {what}",
            remedy=f"import a bundle that brings what is needed of {self.settings.name}, or run without --offline",
        )

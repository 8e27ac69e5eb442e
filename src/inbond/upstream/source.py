"""What the gateway asks of an upstream, whoever answers: an index over the network, or what was imported."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from inbond.model.names import ProjectName
from inbond.model.page import File
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


class Source(Protocol):
    """One upstream. Everything raises `UpstreamFault`; see `inbond.upstream.index.Upstream` for what each means."""

    @property
    def settings(self) -> UpstreamSettings:
        """Its settings; `url` is where its pages are, for people and for PEP 708."""
        ...

    @property
    def local(self) -> bool:
        """Whether what it answers lies on this disk: then pages of it are not kept a second time."""
        ...

    @property
    def at_ease(self) -> bool:
        """Whether it may be asked now for what nobody waits for: it answers, and more than half of the places are free.

        Of each kind of them: for pages and metadata, for provenance, and for files.
        """
        ...

    async def page(
        self, project: ProjectName, validators: Validators | None = None, *, bypass_caches: bool = False
    ) -> FetchedPage | NotModified | ProjectUnknown:
        """A project's page."""
        ...

    def project_list(self) -> AbstractAsyncContextManager[ListBody]:
        """The list of all projects."""
        ...

    def file(
        self, url: str, resume: Resume | None = None, *, guess: bool = False
    ) -> AbstractAsyncContextManager[FileBody]:
        """A file's bytes, or its rest. `guess`: nobody has asked for it yet, so its first byte is soon here."""
        ...

    async def metadata(self, file: File, *, guess: bool = False) -> bytes:
        """A file's core metadata (PEP 658). `guess`: nobody has asked for it yet, so it may cost little."""
        ...

    async def provenance(
        self, project: ProjectName, version: str, file: File, *, guess: bool = False
    ) -> ProvenanceFound | ProvenanceAbsent:
        """A file's provenance object (PEP 740). `guess`: as for `metadata`."""
        ...

    async def aclose(self) -> None:
        """Ends what is under way."""
        ...

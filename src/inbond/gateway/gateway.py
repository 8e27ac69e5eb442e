"""All that the web and the command line need of the gateway, in one value."""

from __future__ import annotations

from dataclasses import dataclass, field

from inbond.gateway.advisories import KnownAdvisories, NoAdvisories
from inbond.gateway.clock import Clock
from inbond.gateway.downloads import Downloads
from inbond.gateway.file_service import FileService
from inbond.gateway.in_force import IndexesInForce
from inbond.gateway.indexes import Index
from inbond.gateway.page_service import PageService
from inbond.gateway.project_list import ProjectList
from inbond.gateway.why import WhyBook
from inbond.model.errors import NotFound
from inbond.model.events import Observer


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """The use cases, composed."""

    indexes: IndexesInForce
    pages: PageService
    files: FileService
    project_list: ProjectList
    downloads: Downloads  # of this process
    why: WhyBook
    clock: Clock
    observer: Observer
    advisories: KnownAdvisories = field(default_factory=NoAdvisories)

    def index(self, name: str) -> Index:
        """The index of that name. Raises `NotFound` that lists what there is."""
        index = self.indexes.get(name)
        if index is None:
            raise NotFound(f"there is no index {name!a} here", remedy=f"configured are: {', '.join(self.indexes)}")
        return index

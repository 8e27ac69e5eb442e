"""The pages of a static tree: in three forms each, under names that a web server can choose by the Accept header."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from inbond.gateway.entries import published_page
from inbond.gateway.paths import METADATA_SUFFIX, quoted
from inbond.model.names import ProjectName
from inbond.model.page import Claim, File, Page
from inbond.simple.listing import render_list_html, render_list_json
from inbond.simple.render import Entry, render_html, render_json

PROVENANCE_SUFFIX: Final = ".provenance"
# What a server without any configuration serves, and the names that mirrors have given to the others for long.
HTML_PAGES: Final = ("index.html", "index.v1_html")
JSON_PAGE: Final = "index.v1_json"
_TO_TOP: Final = "../../"


@dataclass(frozen=True, slots=True, kw_only=True)
class ThereFile:
    """A file that lies in the tree, under `path`. `metadata`: the sha256 of the core metadata beside it.

    `provenance`: whether its provenance object lies beside it.
    """

    file: File
    path: str
    metadata: str | None = None
    provenance: bool = False

    @property
    def metadata_path(self) -> str:
        """Where its core metadata is, in the tree (PEP 658)."""
        return self.path + METADATA_SUFFIX

    @property
    def provenance_path(self) -> str:
        """Where its provenance object is, in the tree."""
        return self.path + PROVENANCE_SUFFIX


@dataclass(frozen=True, slots=True, kw_only=True)
class TreePage:
    """A project's page in a tree, with the files that are there. `url`: the tree's own address, or empty.

    Addresses are relative to the page, but for provenance where the tree's address is known: PEP 740 wants it whole.
    """

    page: Page
    files: tuple[ThereFile, ...]
    url: str = ""

    @classmethod
    def of(cls, page: Page, files: Sequence[ThereFile], *, at: str, owned: bool, url: str = "") -> TreePage:
        """The page as the tree has it. `at`: where upstream has it; `owned`: whether it belongs there alone."""
        published = published_page(page, at=at, owned=owned)
        # Releases that are not in the tree cannot be had from it, and are not listed.
        return cls(page=replace(published, versions=None), files=tuple(files), url=url)

    def rendered(self) -> dict[str, bytes]:
        """Each form by its path in the tree."""
        entries = [self._entry(file) for file in self.files]
        directory = f"simple/{self.page.name}/"
        html = render_html(self.page, entries)
        return {
            **{directory + name: html for name in HTML_PAGES},
            directory + JSON_PAGE: render_json(self.page, entries),
        }

    def _entry(self, there: ThereFile) -> Entry:
        metadata: bool | Mapping[str, str] = False
        if there.metadata is not None:
            metadata = {"sha256": there.metadata}
        provenance = (self.url or _TO_TOP) + quoted(there.provenance_path)
        return Entry(
            file=there.file,
            url=_TO_TOP + quoted(there.path),
            provenance=provenance if there.provenance else Claim.NONE,
            yanked=there.file.yanked,
            core_metadata=metadata,
        )


def rendered_list(projects: Sequence[ProjectName]) -> dict[str, bytes]:
    """The list of a tree's projects, each form by its path."""
    names = [str(project) for project in projects]
    html = b"".join(render_list_html(names))
    return {
        **{f"simple/{name}": html for name in HTML_PAGES},
        f"simple/{JSON_PAGE}": b"".join(render_list_json(names)),
    }

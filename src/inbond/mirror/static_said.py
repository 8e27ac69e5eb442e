"""What the pages of a static tree say, held against its manifest: they must lead to its own files and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import unquote

from inbond.gateway.paths import METADATA_SUFFIX
from inbond.mirror.static_manifest import TreeFile
from inbond.mirror.static_pages import HTML_PAGES, JSON_PAGE, PROVENANCE_SUFFIX
from inbond.model.errors import InbondError, InvalidName
from inbond.model.names import ProjectName
from inbond.model.page import Claim, File, Page
from inbond.simple.parse_html import parse_html
from inbond.simple.parse_json import parse_json

# Where the tree would be: a host that cannot be (RFC 6761), so that no other address can begin so.
BASE: Final = "https://tree.invalid/"
_SEGMENTS: Final = 3  # simple/PROJECT/index.html; the list of projects names no file


def page_problems(path: str, content: bytes, named: Mapping[str, TreeFile]) -> Iterator[str]:
    """What a page says that is not so in the tree."""
    segments = path.split("/")
    if len(segments) < _SEGMENTS:
        return
    _, *middle, name = segments
    try:
        page = _parsed(ProjectName("/".join(middle)), name, path, content)
    except InvalidName:
        yield "it stands where no page of a project belongs"
        return
    except InbondError as error:
        yield f"it is no page: {error.message}"
        return
    for file in page.files:
        yield from _said_of(file, named)


def _parsed(project: ProjectName, name: str, path: str, content: bytes) -> Page:
    base = BASE + path
    if name == JSON_PAGE:
        return parse_json(content, project=project, base_url=base)
    if name in HTML_PAGES:
        return parse_html(content, project=project, base_url=base)
    raise InvalidName(name)


def _said_of(file: File, named: Mapping[str, TreeFile]) -> Iterator[str]:
    itself = _in_tree(file.url, named)
    if itself is None:
        yield f"it names {file.url!a} for {file.filename}, which is no file of the tree"
        return
    if file.sha256 != itself.sha256:
        yield f"it gives {file.filename} another sha256 than the tree's file has"
    if file.size is not None and file.size != itself.size:
        yield f"it gives {file.filename} another length than the tree's file has"
    metadata = named.get(itself.path + METADATA_SUFFIX)
    if file.core_metadata is not False and (metadata is None or file.metadata_sha256 != metadata.sha256):
        yield f"it promises core metadata of {file.filename} that is not in the tree"
    beside = named.get(itself.path + PROVENANCE_SUFFIX)
    if not isinstance(file.provenance, Claim) and beside is None:
        yield f"it names provenance of {file.filename} that is not in the tree"
    if isinstance(file.provenance, Claim) and beside is not None:
        yield f"it does not name the provenance of {file.filename} that is in the tree"


def _in_tree(url: str, named: Mapping[str, TreeFile]) -> TreeFile | None:
    path = url.removeprefix(BASE)
    return named.get(unquote(path)) if path != url else None

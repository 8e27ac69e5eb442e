"""What the simulated upstream answers, as bytes that are ready: pages, files, core metadata and provenance."""

from __future__ import annotations

import gzip
import hashlib
import html
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

JSON = "application/vnd.pypi.simple.v1+json"
HTML = "application/vnd.pypi.simple.v1+html"
INTEGRITY = "application/vnd.pypi.integrity.v1+json"
BINARY = "application/octet-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """Something that is at a path. A body of many MiB stays on disk."""

    kind: str  # list, page, file, metadata, provenance
    media: str
    body: bytes | Path
    etag: str
    zipped: bytes | None = None

    @property
    def size(self) -> int:
        return self.body.stat().st_size if isinstance(self.body, Path) else len(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file as its page lists it."""

    filename: str
    version: str
    path: str
    sha256: str
    size: int
    uploaded: str
    metadata_sha256: str | None = None
    provenance: str | None = None  # a URL


@dataclass
class Catalog:
    """Projects and what is at each path. Pages are written when they are first asked for, and kept."""

    origin: str
    projects: dict[str, list[Entry]] = field(default_factory=dict)
    things: dict[str, Thing] = field(default_factory=dict)
    listed: int = 0  # further names on the project list
    written: dict[tuple[str, str], Thing | None] = field(default_factory=dict)  # pages by project and format

    def add(
        self, project: str, version: str, filename: str, content: bytes | Path, *, uploaded: str, sha256: str = "",
        metadata: bytes | None = None, provenance: bytes | None = None,
    ) -> Entry:  # fmt: skip
        """Puts a file on its page and at its path. `sha256` is given where the content is a path."""
        sha256 = sha256 or hashlib.sha256(_bytes(content)).hexdigest()
        path = f"/packages/{sha256[:2]}/{sha256[2:4]}/{sha256[4:]}/{filename}"
        thing = Thing(kind="file", media=BINARY, body=content, etag=f'"{sha256}"')
        self.things[path] = thing
        if metadata is not None:
            self.things[f"{path}.metadata"] = ready("metadata", BINARY, metadata)
        place = f"/integrity/{project}/{version}/{filename}/provenance"
        if provenance is not None:
            self.things[place] = ready("provenance", INTEGRITY, provenance)
        entry = Entry(
            filename=filename, version=version, path=path, sha256=sha256, size=thing.size, uploaded=uploaded,
            metadata_sha256=None if metadata is None else hashlib.sha256(metadata).hexdigest(),
            provenance=None if provenance is None else self.origin + place,
        )  # fmt: skip
        self.projects.setdefault(project, []).append(entry)
        return entry

    def entries(self, project: str) -> list[Entry]:
        """All files of a project."""
        return self.projects.get(project) or made_up(project) or []

    def at(self, path: str, accept: str) -> Thing | None:
        """What is at a path, in the format that the client takes."""
        if not path.startswith("/simple/"):
            return self.things.get(path)
        media = JSON if "json" in accept or "html" not in accept else HTML
        project = path.removeprefix("/simple/").rstrip("/")
        if (project, media) not in self.written:
            self.written[project, media] = self._page(project, media) if project else self._list(media)
        return self.written[project, media]

    def _page(self, project: str, media: str) -> Thing | None:
        entries = self.entries(project)
        if not entries:
            return None
        body = json_page(project, entries) if media == JSON else html_page(project, entries)
        return ready("page", media, body, zipped=True)

    def _list(self, media: str) -> Thing:
        names = [*self.projects, *(f"listed-{number:06}" for number in range(self.listed))]
        if media == JSON:
            body = json.dumps({"meta": _META, "projects": [{"name": name} for name in names]}).encode()
        else:
            links = "".join(f'<a href="/simple/{name}/">{name}</a><br>\n' for name in names)
            body = f"<!DOCTYPE html><html><body>\n{links}</body></html>\n".encode()
        return ready("list", media, body, zipped=True)


_META = {"api-version": "1.4", "_last-serial": 1}


def made_up(project: str) -> list[Entry] | None:
    """The page of one of very many small projects; its files cannot be had."""
    if not project.startswith("bulk-"):
        return None
    return [listed(project, f"1.{number}") for number in range(4)]


def listed(project: str, version: str, *, sdist: bool = False) -> Entry:
    """An entry of a file that is on the page and nowhere else."""
    name = project.replace("-", "_")
    filename = f"{name}-{version}.tar.gz" if sdist else f"{name}-{version}-py3-none-any.whl"
    sha256 = hashlib.sha256(filename.encode()).hexdigest()
    return Entry(
        filename=filename, version=version, path=f"/packages/{sha256[:2]}/{sha256[2:4]}/{sha256[4:]}/{filename}",
        sha256=sha256, size=20_000, uploaded="2024-03-01T12:00:00.000000Z",
        metadata_sha256=None if sdist else hashlib.sha256(sha256.encode()).hexdigest(),
    )  # fmt: skip


def ready(kind: str, media: str, body: bytes, *, zipped: bool = False) -> Thing:
    """A thing in memory."""
    coded = gzip.compress(body, 6, mtime=0) if zipped else None
    return Thing(kind=kind, media=media, body=body, etag=f'"{hashlib.sha256(body).hexdigest()[:32]}"', zipped=coded)


def json_page(project: str, entries: list[Entry]) -> bytes:
    """A page in the shape of the index's own; file URLs are relative, so that every proxy keeps them its own."""
    versions = list(dict.fromkeys(entry.version for entry in entries))
    page = {"meta": _META, "name": project, "versions": versions, "files": [_json_file(entry) for entry in entries]}
    return json.dumps(page).encode()


def _json_file(entry: Entry) -> dict[str, Any]:
    offered = {"sha256": entry.metadata_sha256} if entry.metadata_sha256 is not None else False
    return {
        "filename": entry.filename, "url": f"../..{entry.path}", "hashes": {"sha256": entry.sha256},
        "requires-python": ">=3.8", "size": entry.size, "upload-time": entry.uploaded, "yanked": False,
        "core-metadata": offered, "data-dist-info-metadata": offered, "provenance": entry.provenance,
    }  # fmt: skip


def html_page(project: str, entries: list[Entry]) -> bytes:
    links = "".join(
        f'<a href="../..{entry.path}#sha256={entry.sha256}" data-requires-python="&gt;=3.8"'
        + (f' data-core-metadata="sha256={entry.metadata_sha256}"' if entry.metadata_sha256 else "")
        + f">{html.escape(entry.filename)}</a><br />\n"
        for entry in entries
    )
    head = '<meta name="pypi:repository-version" content="1.4">'
    return f"<!DOCTYPE html>\n<html><head>{head}<title>{project}</title></head><body>\n{links}</body></html>\n".encode()


def _bytes(content: bytes | Path) -> bytes:
    return content.read_bytes() if isinstance(content, Path) else content

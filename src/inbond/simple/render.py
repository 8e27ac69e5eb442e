"""A page as clients get it, in JSON (PEP 691) and HTML (PEP 503), from one stored page.

Both are pure functions of their arguments: equal input gives equal bytes, which an ETag relies on. What was decided
about each file (its address here, its yank, whether its metadata is served) comes in an `Entry`; all else is
upstream's and passed on, unknown keys included. Of digests only sha256 is published: pip accepts a file if any one
of several matches, and dies on a hash it does not know. Signatures are not served, so none is announced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

import msgspec
from packaging.version import Version

from inbond.model.names import is_sha256
from inbond.model.page import Claim, File, Page, Status
from inbond.simple.addresses import quoted
from inbond.simple.json_file import FILE_KEYS
from inbond.simple.parse_json import META_KEYS, PAGE_KEYS

API_VERSION: Final = "1.4"
# PEP 700 asks for a size on every file from api-version 1.1 on.
API_VERSION_WITHOUT_SIZES: Final = "1.0"

_encode: Final = msgspec.json.Encoder().encode
_LEFT_OUT: Final = msgspec.UNSET


class Entry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A file as it is to be published."""

    file: File
    # Relative to the page, percent-encoded; its last segment is the filename. What cannot stand in a URL is encoded
    # here all the same, but "%" is left alone.
    url: str
    # Absolute URL of the provenance; NONE: null; SILENT: the key is left out.
    provenance: str | Claim = Claim.SILENT
    # False, True, or the reason. An empty reason is True.
    yanked: bool | str = False
    # False: not served, so not announced; True: served; mapping: served, with these digests.
    core_metadata: bool | Mapping[str, str] = False


def render_json(page: Page, entries: Sequence[Entry]) -> bytes:
    """The page in JSON. Unknown keys stand behind the known ones and never replace one."""
    document: dict[str, Any] = {"meta": _meta(page, entries), "name": str(page.name)}
    if page.status != Status.ACTIVE or page.status_reason is not None:
        reason = {} if page.status_reason is None else {"reason": page.status_reason}
        document["project-status"] = {"status": str(page.status), **reason}
    if page.alternate_locations:
        document["alternate-locations"] = page.alternate_locations
    versions = _versions(page, entries)
    if versions is not None:
        document["versions"] = versions
    document["files"] = [_file(entry) for entry in entries]
    document.update(_unknown(page.extra, PAGE_KEYS))
    return _encode(document)


def _meta(page: Page, entries: Sequence[Entry]) -> dict[str, Any]:
    meta: dict[str, Any] = {"api-version": _api_version(entries)}
    if page.serial is not None:
        meta["_last-serial"] = page.serial
    if page.tracks:
        meta["tracks"] = page.tracks
    meta.update(_unknown(page.meta_extra, META_KEYS))
    return meta


def _sized(entries: Sequence[Entry]) -> bool:
    return all(entry.file.size is not None for entry in entries)


def _api_version(entries: Sequence[Entry]) -> str:
    return API_VERSION if _sized(entries) else API_VERSION_WITHOUT_SIZES


def _versions(page: Page, entries: Sequence[Entry]) -> Sequence[str] | None:
    # PEP 700 wants the list from api-version 1.1 on. Upstream's is passed on whole: a release whose files are
    # hidden, or were all deleted, is still a release.
    if page.versions is not None:
        return page.versions
    if not _sized(entries):
        return None
    found: set[Version] = {v for v in (page.version_of(entry.file) for entry in entries) if v is not None}
    return [str(version) for version in sorted(found)]


def _unknown(extra: Mapping[str, Any], known: frozenset[str]) -> dict[str, Any]:
    return {key: value for key, value in extra.items() if key not in known} if extra else {}


class _Row(msgspec.Struct, rename="kebab", gc=False):
    """A file as JSON shows it, in this order: written from this in half the time that a dictionary takes."""

    filename: str
    url: str
    hashes: Mapping[str, str]
    size: int | msgspec.UnsetType
    upload_time: str | msgspec.UnsetType
    requires_python: str | msgspec.UnsetType
    yanked: bool | str
    # PEP 714: in JSON under this name only; on the older one pip 22.3 to 23.1 end in a traceback.
    core_metadata: bool | Mapping[str, str] | msgspec.UnsetType
    provenance: str | msgspec.UnsetType | None


def _file(entry: Entry) -> _Row | dict[str, Any]:
    file, url, yanked = entry.file, entry.url, entry.yanked
    size, uploaded, requires_python = file.size, file.upload_time_text, file.requires_python
    metadata = False if entry.core_metadata is False else _served_metadata(entry)
    provenance = entry.provenance
    shown = _Row(
        str(file.filename),
        quoted(url),
        _shown_digest(file),
        _LEFT_OUT if size is None else size,
        _LEFT_OUT if uploaded is None else uploaded,
        _LEFT_OUT if requires_python is None else requires_python,
        yanked if yanked is False else yanked or True,
        _LEFT_OUT if metadata is False else metadata,
        (_LEFT_OUT if provenance is Claim.SILENT else None) if isinstance(provenance, Claim) else provenance,
    )
    return {**msgspec.to_builtins(shown), **_unknown(file.extra, FILE_KEYS)} if file.extra else shown


def _shown_digest(file: File) -> Mapping[str, str]:
    sha256 = file.sha256
    if sha256 is None:
        return {}
    # nearly always that is all that the page gives
    return file.hashes if len(file.hashes) == 1 and file.remembered is None else {"sha256": sha256}


def _served_metadata(entry: Entry) -> bool | Mapping[str, str]:
    metadata = entry.core_metadata
    if isinstance(metadata, bool):
        return metadata
    digest = metadata.get("sha256")
    if digest is None or not is_sha256(digest):
        return True
    return metadata if len(metadata) == 1 else {"sha256": digest}


def render_html(page: Page, entries: Sequence[Entry]) -> bytes:
    """The page in HTML. It has no place for a null provenance, sizes, versions and unknown keys."""
    title = f"Links for {_text(page.name)}"
    lines = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        *(f'<meta name="pypi:{name}" content="{_text(content)}">' for name, content in _metas(page, entries)),
        f"<title>{title}</title>",
        "</head>",
        "<body>",
        f"<h1>{title}</h1>",
        *map(_anchor, entries),
        "</body>",
        "</html>",
        "",
    ]
    return "\n".join(lines).encode()


def _metas(page: Page, entries: Sequence[Entry]) -> list[tuple[str, str]]:
    metas = [("repository-version", _api_version(entries))]
    if page.status != Status.ACTIVE or page.status_reason is not None:
        metas.append(("project-status", str(page.status)))
    if page.status_reason is not None:
        metas.append(("project-status-reason", page.status_reason))
    metas += [("tracks", url) for url in page.tracks]
    metas += [("alternate-locations", url) for url in page.alternate_locations]
    return metas


def _anchor(entry: Entry) -> str:
    file = entry.file
    sha256 = file.sha256
    href = quoted(entry.url) + ("" if sha256 is None else f"#sha256={sha256}")
    attributes = "".join(f' {name}="{_text(value)}"' for name, value in _attributes(entry))
    return f'<a href="{_text(href)}"{attributes}>{_text(file.filename)}</a><br>'


def _attributes(entry: Entry) -> list[tuple[str, str]]:
    file = entry.file
    found: list[tuple[str, str]] = []
    if file.requires_python is not None:
        found.append(("data-requires-python", file.requires_python))
    if file.upload_time_text is not None:
        found.append(("data-upload-time", file.upload_time_text))
    if entry.yanked is not False:
        found.append(("data-yanked", entry.yanked if isinstance(entry.yanked, str) else ""))
    metadata = _served_metadata(entry)
    if metadata is not False:
        value = "true" if metadata is True else f"sha256={metadata['sha256']}"
        found += [("data-core-metadata", value), ("data-dist-info-metadata", value)]
    if not isinstance(entry.provenance, Claim):
        found.append(("data-provenance", entry.provenance))
    return found


def _text(text: str) -> str:
    # HTML readers turn a bare carriage return into a line feed, and nothing can stand for U+0000.
    return escape(text).replace("\r", "&#13;").replace("\0", "\ufffd")

"""The JSON form of a project's page: PEP 691, and the PEPs named beside each field of `inbond.model.page`.

A document of the wrong shape is refused whole. A file that could never be fetched (no valid name, no http or https
URL) is left out. An optional value of the wrong type counts as absent: one slip of an index must not take a project
away. Of a key that occurs twice the last counts, as in every common reader; clients see only what was read here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final

import msgspec

from inbond.model.errors import InvalidName, UpstreamBroken
from inbond.model.names import ProjectName
from inbond.model.page import File, Page, Status
from inbond.simple.fields import api_version, check_file_count, is_count, status
from inbond.simple.json_file import file_of, read_file, text, unknown
from inbond.simple.known_files import KnownFiles

META_KEYS: Final = frozenset({"api-version", "_last-serial", "tracks", "project-status", "project-status-reason"})
PAGE_KEYS: Final = frozenset(
    {"meta", "name", "files", "versions", "alternate-locations", "project-status", "project-status-reason"}
)


class _Key(str):
    """A key of a page. Two alike are refused: the value under the first would never be looked at, JSON or not."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        alike = str.__eq__(self, other)
        if alike is True and isinstance(other, _Key):
            raise ValueError(f"{ascii(self)[:80]} stands twice in one object")
        return alike


_decode: Final = msgspec.json.Decoder().decode
_decode_parts: Final = msgspec.json.Decoder(dict[_Key, msgspec.Raw], dec_hook=lambda _, key: _Key(key)).decode
_decode_list: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_known: Final = KnownFiles()


def parse_json(body: bytes, *, project: ProjectName, base_url: str, known_as: str | None = None) -> Page:
    """Reads the page of `project` that was found at `base_url` (the final URL, after redirects).

    `known_as` names the page among all others: of its files only those are read that it did not have before.
    Raises `UpstreamBroken` for what is not a page in api-version 1.x, and for the page of another project.
    """
    # Nearly all pages are read file by file. Whatever is wrong with one, or odd, is for the reader of the whole to say.
    with suppress(UpstreamBroken, msgspec.MsgspecError, ValueError, RecursionError):
        return _by_file(body, project, base_url, known_as)
    return _page(_object(_decoded(body), "upstream's page"), project, partial(_files, base_url=base_url))


def _by_file(body: bytes, project: ProjectName, base_url: str, known_as: str | None) -> Page:
    parts: dict[Any, msgspec.Raw] = _decode_parts(body)
    entries = _decode_list(parts.pop("files", b"null"))
    document = {str(key): _decode(part) for key, part in parts.items()}
    document["files"] = entries
    return _page(document, project, partial(_known_files, base_url=base_url, known_as=known_as))


def _page(document: dict[str, Any], project: ProjectName, files: Callable[[Any], tuple[File, ...]]) -> Page:
    meta = _object(document.get("meta"), "`meta` of upstream's page")
    version = api_version(meta.get("api-version"))
    _check_name(document, project)
    marker, reason = _status(document, meta)
    serial = meta.get("_last-serial")
    return Page(
        name=project,
        files=files(document.get("files")),
        api_version=version,
        serial=serial if is_count(serial) else None,
        status=marker,
        status_reason=reason,
        tracks=_texts(meta.get("tracks")) or (),
        alternate_locations=_texts(document.get("alternate-locations")) or (),
        versions=_texts(document.get("versions")),
        meta_extra=unknown(meta, META_KEYS),
        extra=unknown(document, PAGE_KEYS),
    )


def _decoded(body: bytes) -> Any:
    try:
        return _decode(body)
    except RecursionError:
        raise UpstreamBroken("upstream's page nests deeper than anything that is one") from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise UpstreamBroken(f"upstream's page is not JSON, or was cut: {error}") from error


def _object(value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UpstreamBroken(f"{what} is not a JSON object (PEP 691)")
    return value


def _check_name(document: Mapping[str, Any], project: ProjectName) -> None:
    name = document.get("name", project)
    try:
        matches = isinstance(name, str) and ProjectName(name) == project
    except InvalidName:
        matches = False
    if not matches:
        raise UpstreamBroken(f"upstream answered with the page of {ascii(name)[:80]} where {project} was asked for")


def _status(document: Mapping[str, Any], meta: Mapping[str, Any]) -> tuple[Status | str, str | None]:
    # PEP 792 has an object beside `meta`; indexes that followed its drafts write it in `meta`, or as two keys.
    for holder in (document, meta):
        marker: Any = holder.get("project-status")
        reason: Any = holder.get("project-status-reason")
        if isinstance(marker, dict):
            marker, reason = marker.get("status"), marker.get("reason")
        if isinstance(marker, str) and marker:
            return status(marker), text(reason)
    return Status.ACTIVE, None


def _known_files(entries: list[msgspec.Raw], base_url: str, known_as: str | None) -> tuple[File, ...]:
    check_file_count(len(entries))
    before = _known.of(known_as, base_url)
    read: dict[bytes, File] = {}
    for entry in map(bytes, entries):
        file = before.get(entry) or read_file(entry, base_url)
        if file is not None:
            read[entry] = file
    _known.keep(known_as, base_url, read)
    return _first(read.values())


def _files(entries: object, base_url: str) -> tuple[File, ...]:
    if not isinstance(entries, list):
        raise UpstreamBroken("`files` of upstream's page is not a list (PEP 691)")
    check_file_count(len(entries))
    read = (file_of(entry, base_url) for entry in entries)
    return _first(file for file in read if file is not None)


def _first(files: Iterable[File]) -> tuple[File, ...]:
    """The first of each name."""
    found: dict[str, File] = {}
    for file in files:
        found.setdefault(file.filename, file)
    return tuple(found.values())


def _texts(value: object) -> tuple[str, ...] | None:
    if not isinstance(value, list):
        return None
    return tuple(dict.fromkeys(text for text in value if isinstance(text, str)))

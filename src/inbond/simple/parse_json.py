"""The JSON form of a project's page: PEP 691, and the PEPs named beside each field of `inbond.model.page`.

A document of the wrong shape is refused whole. A file that could never be fetched (no valid name, no http or https
URL) is left out. An optional value of the wrong type counts as absent: one slip of an index must not take a project
away. Of a key that occurs twice the last counts, as in every common reader; clients see only what was read here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from inbond.model.errors import InvalidName, UpstreamBroken
from inbond.model.names import ProjectName
from inbond.model.page import File, Page, Status
from inbond.simple.fields import api_version, check_file_count, is_count, status
from inbond.simple.json_file import read_file, text, unknown
from inbond.simple.known_files import KnownFiles

META_KEYS: Final = frozenset({"api-version", "_last-serial", "tracks", "project-status", "project-status-reason"})
PAGE_KEYS: Final = frozenset(
    {"meta", "name", "files", "versions", "alternate-locations", "project-status", "project-status-reason"}
)

_decode: Final = msgspec.json.Decoder().decode
_decode_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_list: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_known: Final = KnownFiles()


def parse_json(body: bytes, *, project: ProjectName, base_url: str) -> Page:
    """Reads the page of `project` that was found at `base_url` (the final URL, after redirects).

    Raises `UpstreamBroken` for what is not a page in api-version 1.x, and for the page of another project.
    """
    try:
        return _page(body, project, base_url)
    except RecursionError:
        raise UpstreamBroken("upstream's page nests deeper than anything that is one") from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise UpstreamBroken(f"upstream's page is not JSON, or was cut: {error}") from error


def _page(body: bytes, project: ProjectName, base_url: str) -> Page:
    document = _document(body)
    files = document.pop("files", None)
    other = {key: _decode(raw) for key, raw in document.items()}
    meta = _object(other.get("meta"), "`meta` of upstream's page")
    version = api_version(meta.get("api-version"))
    _check_name(other, project)
    marker, reason = _status(other, meta)
    serial = meta.get("_last-serial")
    return Page(
        name=project,
        files=_files(files, base_url),
        api_version=version,
        serial=serial if is_count(serial) else None,
        status=marker,
        status_reason=reason,
        tracks=_texts(meta.get("tracks")) or (),
        alternate_locations=_texts(other.get("alternate-locations")) or (),
        versions=_texts(other.get("versions")),
        meta_extra=unknown(meta, META_KEYS),
        extra=unknown(other, PAGE_KEYS),
    )


def _document(body: bytes) -> dict[str, msgspec.Raw]:
    try:
        return _decode_object(body)
    except msgspec.ValidationError:
        raise UpstreamBroken("upstream's page is not a JSON object (PEP 691)") from None


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


def _files(raw: msgspec.Raw | None, base_url: str) -> tuple[File, ...]:
    before = _known.of(base_url)
    read: dict[bytes, File] = {}
    found: dict[str, File] = {}
    for entry in map(bytes, _entries(raw)):
        file = before.get(entry) or read_file(entry, base_url)
        if file is not None:
            read[entry] = file
            found.setdefault(file.filename, file)
    _known.keep(base_url, read)
    return tuple(found.values())


def _entries(raw: msgspec.Raw | None) -> list[msgspec.Raw]:
    try:
        entries = _decode_list(raw if raw is not None else b"null")
    except msgspec.ValidationError:
        raise UpstreamBroken("`files` of upstream's page is not a list (PEP 691)") from None
    check_file_count(len(entries))
    return entries


def _texts(value: object) -> tuple[str, ...] | None:
    if not isinstance(value, list):
        return None
    return tuple(dict.fromkeys(text for text in value if isinstance(text, str)))

"""The JSON form of a project's page: PEP 691, and the PEPs named beside each field of `inbond.model.page`.

A document of the wrong shape is refused whole. A file that could never be fetched (no valid name, no http or https
URL) is left out. An optional value of the wrong type counts as absent: one slip of an index must not take a project
away. Of a key that occurs twice the last counts, as in every common reader; clients see only what was read here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from inbond.model.errors import InvalidFilename, InvalidName, UpstreamBroken
from inbond.model.names import Filename, ProjectName
from inbond.model.page import Claim, File, Page, Status
from inbond.simple.addresses import resolve, with_fragment
from inbond.simple.digests import usable_digests
from inbond.simple.fields import api_version, check_file_count, is_count, keepable, status, upload_time

META_KEYS: Final = frozenset({"api-version", "_last-serial", "tracks", "project-status", "project-status-reason"})
PAGE_KEYS: Final = frozenset(
    {"meta", "name", "files", "versions", "alternate-locations", "project-status", "project-status-reason"}
)
# PEP 714 tells the story of the three spellings. The first that says something readable counts.
METADATA_KEYS: Final = ("core-metadata", "dist-info-metadata", "data-dist-info-metadata")
FILE_KEYS: Final = frozenset(
    {
        "filename", "url", "hashes", "size", "upload-time", "requires-python", "yanked", "gpg-sig", "provenance",
        *METADATA_KEYS,
    }
)  # fmt: skip

_MISSING: Final = object()
_decode: Final = msgspec.json.Decoder().decode


def parse_json(body: bytes, *, project: ProjectName, base_url: str) -> Page:
    """Reads the page of `project` that was found at `base_url` (the final URL, after redirects).

    Raises `UpstreamBroken` for what is not a page in api-version 1.x, and for the page of another project.
    """
    document = _object(_decoded(body), "upstream's page")
    meta = _object(document.get("meta"), "`meta` of upstream's page")
    version = api_version(meta.get("api-version"))
    _check_name(document, project)
    marker, reason = _status(document, meta)
    serial = meta.get("_last-serial")
    return Page(
        name=project,
        files=_files(document.get("files"), base_url),
        api_version=version,
        serial=serial if is_count(serial) else None,
        status=marker,
        status_reason=reason,
        tracks=_texts(meta.get("tracks")) or (),
        alternate_locations=_texts(document.get("alternate-locations")) or (),
        versions=_texts(document.get("versions")),
        meta_extra=_unknown(meta, META_KEYS),
        extra=_unknown(document, PAGE_KEYS),
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
            return status(marker), _text(reason)
    return Status.ACTIVE, None


def _files(raw: object, base_url: str) -> tuple[File, ...]:
    if not isinstance(raw, list):
        raise UpstreamBroken("`files` of upstream's page is not a list (PEP 691)")
    check_file_count(len(raw))
    found: dict[str, File] = {}
    for entry in raw:
        file = _file(entry, base_url) if isinstance(entry, dict) else None
        if file is not None:
            found.setdefault(file.filename, file)
    return tuple(found.values())


def _file(raw: dict[str, Any], base_url: str) -> File | None:
    get: Callable[..., Any] = raw.get
    filename, url = get("filename"), get("url")
    located = resolve(base_url, url) if isinstance(url, str) and isinstance(filename, str) else None
    if located is None:
        return None
    try:
        name = Filename(filename)
    except InvalidFilename:
        return None
    size, gpg_sig = get("size"), get("gpg-sig")
    uploaded, uploaded_text = _time(get("upload-time"))
    return File(
        filename=name,
        url=located[0],
        hashes=with_fragment(_digests(get("hashes")), located[1]),
        size=size if is_count(size) else None,
        upload_time=uploaded,
        upload_time_text=uploaded_text,
        requires_python=_text(get("requires-python")),
        yanked=_yanked(get("yanked")),
        core_metadata=_core_metadata(raw),
        gpg_sig=gpg_sig if isinstance(gpg_sig, bool) else None,
        provenance=_provenance(get("provenance", _MISSING), base_url),
        extra=_unknown(raw, FILE_KEYS),
    )


def _time(value: object) -> tuple[datetime | None, str | None]:
    parsed = upload_time(value) if isinstance(value, str) else None
    return (None, None) if parsed is None else (parsed, str(value))


def _digests(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    return usable_digests((name, digest) for name, digest in value.items() if isinstance(digest, str))


def _yanked(value: object) -> bool | str:
    # PEP 592: a reason is "non-empty"; an empty one says no more than a missing key, and pip reads it so.
    return value if isinstance(value, (bool, str)) and value else False


def _core_metadata(raw: Mapping[str, Any]) -> bool | Mapping[str, str]:
    for key in METADATA_KEYS:
        value = raw.get(key)
        if isinstance(value, bool):
            return value
        if isinstance(value, dict):
            return _digests(value) or True
    return False


def _provenance(value: object, base_url: str) -> str | Claim:
    if value is None:
        return Claim.NONE
    if not isinstance(value, str) or not value:
        return Claim.SILENT
    located = resolve(base_url, value)
    # An address that cannot be fetched is still a claim: it makes the provenance unavailable, never absent.
    return value if located is None else located[0]


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _texts(value: object) -> tuple[str, ...] | None:
    if not isinstance(value, list):
        return None
    return tuple(dict.fromkeys(text for text in value if isinstance(text, str)))


def _unknown(raw: dict[str, Any], known: frozenset[str]) -> dict[str, Any]:
    if raw.keys() <= known:
        return {}
    return {key: value for key, value in raw.items() if key not in known and keepable(value)}

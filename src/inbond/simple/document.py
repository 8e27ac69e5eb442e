"""The stored form of a page: lossless, quick to read, and refused unless this module wrote it.

It is JSON with the fields of a file in a fixed order and without their names, which halves its size. A change of any
field is a new `FORMAT`: an older document then counts as missing and is fetched again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

import msgspec

from inbond.model.names import Filename, ProjectName
from inbond.model.page import Claim, File, Page, Status
from inbond.simple.fields import MAX_COUNT

FORMAT: Final = 1

_Count = Annotated[int, msgspec.Meta(ge=0, le=MAX_COUNT)]
_Number = Annotated[int, msgspec.Meta(ge=0)]
_Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class _File(msgspec.Struct, array_like=True, forbid_unknown_fields=True, gc=False):
    filename: str
    url: str
    hashes: dict[str, str]
    size: _Count | None
    upload_time: _Instant | None
    upload_time_text: str | None
    requires_python: str | None
    yanked: bool | str
    core_metadata: bool | dict[str, str]
    gpg_sig: bool | None
    provenance: str | bool  # a URL; False: the index knows of none; True: it is silent
    extra: dict[str, Any]


class _Page(msgspec.Struct, forbid_unknown_fields=True):
    inbond_page: Literal[1]
    name: str
    files: list[_File]
    api_version: tuple[_Number, _Number]
    serial: _Count | None
    status: str
    status_reason: str | None
    tracks: tuple[str, ...]
    alternate_locations: tuple[str, ...]
    versions: tuple[str, ...] | None
    meta_extra: dict[str, Any]
    extra: dict[str, Any]


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(_Page, strict=True).decode


def encode_page(page: Page) -> bytes:
    """The stored form of a page. Equal pages give equal bytes where their mappings are in the same order."""
    return _encode(
        _Page(
            inbond_page=FORMAT,
            name=str(page.name),
            files=[_stored(file) for file in page.files],
            api_version=page.api_version,
            serial=page.serial,
            status=str(page.status),
            status_reason=page.status_reason,
            tracks=page.tracks,
            alternate_locations=page.alternate_locations,
            versions=page.versions,
            meta_extra=dict(page.meta_extra),
            extra=dict(page.extra),
        )
    )


def decode_page(stored: bytes) -> Page:
    """The page that `encode_page` wrote. Raises ValueError for anything else, cut or tampered documents included."""
    try:
        document = _decode(stored)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(f"not a stored page of format {FORMAT}: {error}") from error
    files = tuple(_file(row) for row in document.files)
    if len({file.filename for file in files}) != len(files):
        raise ValueError("not a stored page: it lists a file twice")
    return Page(
        name=_same_name(document.name),
        files=files,
        api_version=document.api_version,
        serial=document.serial,
        status=_status(document.status),
        status_reason=document.status_reason,
        tracks=document.tracks,
        alternate_locations=document.alternate_locations,
        versions=document.versions,
        meta_extra=document.meta_extra,
        extra=document.extra,
    )


def _same_name(raw: str) -> ProjectName:
    name = ProjectName(raw)
    if name != raw:
        raise ValueError("not a stored page: the project's name is not normalised")
    return name


def _status(text: str) -> Status | str:
    try:
        return Status(text)
    except ValueError:
        return text


_CLAIMS: Final[Mapping[bool, Claim]] = {False: Claim.NONE, True: Claim.SILENT}
_STORED_CLAIMS: Final[Mapping[Claim, bool]] = {claim: flag for flag, claim in _CLAIMS.items()}


def _stored(file: File) -> _File:
    claim = file.provenance
    metadata = file.core_metadata
    return _File(
        str(file.filename),
        file.url,
        dict(file.hashes),
        file.size,
        file.upload_time,
        file.upload_time_text,
        file.requires_python,
        file.yanked,
        metadata if isinstance(metadata, bool) else dict(metadata),
        file.gpg_sig,
        _STORED_CLAIMS[claim] if isinstance(claim, Claim) else claim,
        dict(file.extra),
    )


def _file(row: _File) -> File:
    claim = row.provenance
    return File(
        filename=Filename(row.filename),
        url=row.url,
        hashes=row.hashes,
        size=row.size,
        upload_time=None if row.upload_time is None else row.upload_time.astimezone(UTC),
        upload_time_text=row.upload_time_text,
        requires_python=row.requires_python,
        yanked=row.yanked,
        core_metadata=row.core_metadata,
        gpg_sig=row.gpg_sig,
        provenance=_CLAIMS[claim] if isinstance(claim, bool) else claim,
        extra=row.extra,
    )

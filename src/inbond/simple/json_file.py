"""One file of a JSON page: PEP 691, and the PEPs named beside each field of `inbond.model.page.File`.

Nearly all files are written as the PEPs have it, with known keys and values of the right types. Those are read in a
quick way; all others, file by file, in the general way, which forgives. The two agree (tests/simple/test_json_file.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from inbond.model.errors import InvalidFilename
from inbond.model.names import Filename, is_sha256
from inbond.model.page import Claim, File
from inbond.simple.addresses import resolve, with_fragment
from inbond.simple.digests import usable_digests
from inbond.simple.fields import is_count, keepable, upload_time

# PEP 714 tells the story of the three spellings. The first that says something readable counts.
METADATA_KEYS: Final = ("core-metadata", "dist-info-metadata", "data-dist-info-metadata")
FILE_KEYS: Final = frozenset(
    {
        "filename", "url", "hashes", "size", "upload-time", "requires-python", "yanked", "gpg-sig", "provenance",
        *METADATA_KEYS,
    }
)  # fmt: skip

_MISSING: Final = object()
_Digests = dict[str, str]


class _Plain(msgspec.Struct, forbid_unknown_fields=True, rename="kebab", gc=False):
    """A file of which all keys are known and all values are of the right type."""

    filename: str
    url: str
    hashes: _Digests
    size: object = None  # what is no count is left out, not refused
    upload_time: str | None = None
    requires_python: str | None = None
    yanked: bool | str = False
    core_metadata: bool | _Digests | None = None
    dist_info_metadata: bool | _Digests | None = None
    data_dist_info_metadata: bool | _Digests | None = None
    gpg_sig: bool | None = None
    provenance: str | msgspec.UnsetType | None = msgspec.UNSET


_decode: Final = msgspec.json.Decoder().decode
_decode_plain: Final = msgspec.json.Decoder(_Plain).decode


def read_file(raw: msgspec.Raw | bytes, base_url: str) -> File | None:
    """The file that a JSON value describes; None where it could never be fetched.

    Raises what msgspec does for bytes that are no JSON value.
    """
    try:
        plain = _decode_plain(raw)
    except (msgspec.MsgspecError, ValueError):
        value = _decode(raw)
        return _general(value, base_url) if isinstance(value, dict) else None
    return _read(plain, base_url)


def _read(plain: _Plain, base_url: str) -> File | None:
    located, filename = resolve(base_url, plain.url), _filename(plain.filename)
    if located is None or filename is None:
        return None
    url, fragment = located
    hashes = _usable(plain.hashes)
    uploaded_text = plain.upload_time
    uploaded = None if uploaded_text is None else upload_time(uploaded_text)
    metadata = plain.core_metadata
    if metadata is None:
        metadata = plain.data_dist_info_metadata if plain.dist_info_metadata is None else plain.dist_info_metadata
    claim = plain.provenance
    return File(
        filename=filename,
        url=url,
        hashes=with_fragment(hashes, fragment) if fragment else hashes,
        size=plain.size if is_count(plain.size) else None,
        upload_time=uploaded,
        upload_time_text=None if uploaded is None else uploaded_text,
        requires_python=plain.requires_python or None,
        yanked=plain.yanked or False,
        core_metadata=metadata if isinstance(metadata, bool) else metadata is not None and (_usable(metadata) or True),
        gpg_sig=plain.gpg_sig,
        provenance=Claim.SILENT if isinstance(claim, msgspec.UnsetType) else _claim(claim, base_url),
        extra={},
    )


def _general(raw: dict[str, Any], base_url: str) -> File | None:
    get: Callable[..., Any] = raw.get
    filename, url = get("filename"), get("url")
    located = resolve(base_url, url) if isinstance(url, str) and isinstance(filename, str) else None
    name = None if located is None else _filename(filename)
    if located is None or name is None:
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
        requires_python=text(get("requires-python")),
        yanked=_yanked(get("yanked")),
        core_metadata=_core_metadata(raw),
        gpg_sig=gpg_sig if isinstance(gpg_sig, bool) else None,
        provenance=_claim(get("provenance", _MISSING), base_url),
        extra=unknown(raw, FILE_KEYS),
    )


def _filename(raw: str) -> Filename | None:
    try:
        return Filename(raw)
    except InvalidFilename:
        return None


def _usable(digests: _Digests) -> _Digests:
    """As `usable_digests`; nearly always it is one sha256, well written."""
    digest = digests.get("sha256")
    if digest is not None and len(digests) == 1 and is_sha256(digest):
        return digests
    return usable_digests(digests.items()) if digests else digests


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


def _claim(value: object, base_url: str) -> str | Claim:
    if value is None:
        return Claim.NONE
    if not isinstance(value, str) or not value:
        return Claim.SILENT
    located = resolve(base_url, value)
    # An address that cannot be fetched is still a claim: it makes the provenance unavailable, never absent.
    return value if located is None else located[0]


def text(value: object) -> str | None:
    """Text that says something."""
    return value if isinstance(value, str) and value else None


def unknown(raw: dict[str, Any], known: frozenset[str]) -> dict[str, Any]:
    """What stands under keys that no PEP of today names."""
    if raw.keys() <= known:
        return {}
    return {key: value for key, value in raw.items() if key not in known and keepable(value)}

"""One file of a JSON page: PEP 691, and the PEPs named beside each field of `inbond.model.page.File`.

Nearly all files are written as the PEPs have it, with known keys and values of the right types. Those are read in a
quick way; from all others what is wrong is left out first. The two agree (tests/simple/test_json_file.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
    """The file that the bytes of a JSON value describe; None where it could never be fetched.

    Raises what msgspec does for bytes that are no JSON value.
    """
    try:
        plain = _decode_plain(raw)
    except (msgspec.MsgspecError, ValueError):
        return file_of(_decode(raw), base_url)
    return _file(plain, base_url, {})


def file_of(value: object, base_url: str) -> File | None:
    """The file that a JSON value describes, whatever it is; None where it could never be fetched."""
    if not isinstance(value, dict):
        return None
    plain = _forgiven(value)
    return None if plain is None else _file(plain, base_url, unknown(value, FILE_KEYS))


def _forgiven(raw: dict[str, Any]) -> _Plain | None:
    """The same without the values of wrong types; None where it has no name or no address."""
    get: Callable[..., Any] = raw.get
    filename, url, yanked, gpg_sig = get("filename"), get("url"), get("yanked"), get("gpg-sig")
    if not isinstance(filename, str) or not isinstance(url, str):
        return None
    return _Plain(
        filename=filename,
        url=url,
        hashes=_digests(get("hashes")),
        size=get("size"),
        upload_time=text(get("upload-time")),
        requires_python=text(get("requires-python")),
        yanked=yanked if isinstance(yanked, (bool, str)) else False,
        core_metadata=_told(raw),
        gpg_sig=gpg_sig if isinstance(gpg_sig, bool) else None,
        provenance=_named(get("provenance", msgspec.UNSET)),
    )


def _file(plain: _Plain, base_url: str, extra: Mapping[str, Any]) -> File | None:
    located, filename = resolve(base_url, plain.url), _filename(plain.filename)
    if located is None or filename is None:
        return None
    (url, fragment), hashes = located, _usable(plain.hashes)
    uploaded = None if plain.upload_time is None else upload_time(plain.upload_time)
    return File(
        filename=filename,
        url=url,
        hashes=with_fragment(hashes, fragment) if fragment else hashes,
        size=plain.size if is_count(plain.size) else None,
        upload_time=uploaded,
        upload_time_text=None if uploaded is None else plain.upload_time,
        requires_python=plain.requires_python or None,
        # PEP 592: a reason is "non-empty"; an empty one says no more than a missing key, and pip reads it so.
        yanked=plain.yanked or False,
        core_metadata=_core_metadata(plain),
        gpg_sig=plain.gpg_sig,
        provenance=_claim(plain.provenance, base_url),
        extra=extra,
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


def _core_metadata(plain: _Plain) -> bool | Mapping[str, str]:
    said = plain.core_metadata
    if said is None:
        said = plain.data_dist_info_metadata if plain.dist_info_metadata is None else plain.dist_info_metadata
    return said if isinstance(said, bool) else said is not None and (_usable(said) or True)


def _claim(value: str | msgspec.UnsetType | None, base_url: str) -> str | Claim:
    if value:
        located = resolve(base_url, value)
        # An address that cannot be fetched is still a claim: it makes the provenance unavailable, never absent.
        return value if located is None else located[0]
    return Claim.NONE if value is None else Claim.SILENT


def _digests(value: object) -> _Digests:
    if not isinstance(value, dict):
        return {}
    return {name: digest for name, digest in value.items() if isinstance(digest, str)}


def _told(raw: Mapping[str, Any]) -> bool | _Digests | None:
    for key in METADATA_KEYS:
        value = raw.get(key)
        if isinstance(value, (bool, dict)):
            return value if isinstance(value, bool) else _digests(value)
    return None


def _named(value: object) -> str | msgspec.UnsetType | None:
    return value if value is None or isinstance(value, str) else msgspec.UNSET


def text(value: object) -> str | None:
    """Text that says something."""
    return value if isinstance(value, str) and value else None


def unknown(raw: dict[str, Any], known: frozenset[str]) -> dict[str, Any]:
    """What stands under keys that no PEP of today names."""
    if raw.keys() <= known:
        return {}
    return {key: value for key, value in raw.items() if key not in known and keepable(value)}

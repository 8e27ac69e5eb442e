"""Under which keys it is stored what was found in archives, and how that is written."""

from __future__ import annotations

import hashlib
from typing import assert_never

import msgspec

from inbond.gateway.page_state import PageState
from inbond.model.inspection import FORMAT, Inspection, Odd, Sane
from inbond.model.names import Filename, ProjectName
from inbond.model.page import File

Key = tuple[str, Filename]  # sha256 and name: all that an inspection depends on
ServedKey = tuple[str, ProjectName, Filename]  # upstream, project and name


class _Stored(msgspec.Struct, array_like=True, frozen=True):
    """An inspection as it is stored: reasons where it is odd, and none where it is sane."""

    metadata_sha256: str | None
    reasons: tuple[str, ...]


def served_key(state: PageState, file: File) -> ServedKey:
    """Of what the core metadata is."""
    return state.upstream, state.page.name, file.filename


def comes_without_digest(file: File) -> bool:
    """Whether its index offers core metadata and does not say which."""
    return file.core_metadata is not False and file.metadata_sha256 is None


def document(key: Key) -> str:
    """Where an inspection is stored."""
    sha256, filename = key
    return f"inspection/{FORMAT}/{sha256}/{filename}"


def metadata_document(digest: str) -> str:
    """Where METADATA is stored."""
    return f"extracted/{digest}"


def served_document(key: ServedKey) -> str:
    """Where the digest of core metadata that came without one is stored."""
    return "sent-metadata/" + hashlib.sha256("\0".join(key).encode()).hexdigest()


def encoded(inspection: Sane | Odd) -> bytes:
    """An inspection as it is stored."""
    match inspection:
        case Sane(metadata_sha256=digest):
            return msgspec.msgpack.encode(_Stored(digest, ()))
        case Odd(reasons=reasons):
            return msgspec.msgpack.encode(_Stored(None, reasons))
        case _:
            assert_never(inspection)


def decoded(raw: bytes) -> Inspection | None:
    """An inspection as it is stored; None for what is none of this version."""
    try:
        stored = msgspec.msgpack.decode(raw, type=_Stored)
    except msgspec.MsgspecError:
        return None
    return Odd(reasons=stored.reasons) if stored.reasons else Sane(metadata_sha256=stored.metadata_sha256)

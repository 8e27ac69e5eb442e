"""What the ledger remembers of a page, as a blob of a bundle: canonical JSON."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import msgspec

from inbond.bundles import canonical
from inbond.bundles.canonical import EXPORT_ANEW, is_utc
from inbond.model.errors import InvalidBundle
from inbond.model.memory import PageRecord
from inbond.model.names import ProjectName, is_sha256

FORMAT: Final = 1
_MAX_SERIAL: Final = 2**53 - 1  # the largest integer that every JSON reader holds exactly (RFC 8259, section 6)


class _Stored(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    inbond_memory: int
    page: PageRecord


_STORED: Final = canonical.reader(_Stored)


def encode_memory(record: PageRecord) -> bytes:
    """The bytes of what is remembered. Raises `InvalidBundle` for what no reader would take."""
    _check(record, what=_what(record.project))
    return canonical.encode(_Stored(FORMAT, record))


def decode_memory(raw: bytes, *, upstream: str, project: ProjectName) -> PageRecord:
    """What `encode_memory` was given, of this project. Raises `InvalidBundle` for all else."""
    what = _what(project)
    stored = canonical.decode(raw, _STORED, what=what)
    if stored.inbond_memory != FORMAT:
        raise _refused(f"{what} is of format {stored.inbond_memory}, and this inbond reads format {FORMAT}")
    if (stored.page.upstream, stored.page.project) != (upstream, project):
        raise _refused(f"{what} is that of {stored.page.project} of {stored.page.upstream!a}")
    _check(stored.page, what=what)
    return stored.page


def _check(record: PageRecord, *, what: str) -> None:
    names = [file.filename for file in record.files]
    if any(one >= other for one, other in pairwise(names)):
        raise _refused(f"{what} names a file twice, or not in the order of their names")
    if any(file.first_sha256 is not None and not is_sha256(file.first_sha256) for file in record.files):
        raise _refused(f"{what} has a digest that is no sha256")
    if record.highest_serial is not None and not 0 <= record.highest_serial <= _MAX_SERIAL:
        raise _refused(f"{what} has a serial that none can be")
    seen = (time for file in record.files for time in (file.first_seen, file.vanished_at))
    if not all(time is None or is_utc(time) for time in (record.first_seen, *seen)):
        raise _refused(f"{what} has a time that is not told in UTC")


def _what(project: ProjectName) -> str:
    return f"the memory of the project {project}"


def _refused(message: str) -> InvalidBundle:
    return InvalidBundle(message, remedy=EXPORT_ANEW)

"""The rest of a file whose transfer was cut (RFC 9110, section 14): how it is asked for, and what the answer holds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from inbond.model.errors import UpstreamBroken
from inbond.upstream.answers import Resume
from inbond.upstream.media import FILE

WHOLE: Final = frozenset({int(HTTPStatus.OK)})
PART: Final = WHOLE | {int(HTTPStatus.PARTIAL_CONTENT)}  # what an answer to a range may be
_CONTENT_RANGE: Final = re.compile(r"bytes ([0-9]{1,15})-([0-9]{1,15})/([0-9]{1,15})", re.ASCII | re.IGNORECASE)


def asked(resume: Resume | None) -> dict[str, str]:
    """The headers of a file's request. If-Range has a file that has changed sent whole.

    A date guards less than a strong ETag, and nothing guards nothing: the file's digest decides in any case.
    """
    if resume is None:
        return dict(FILE)
    guard = resume.validators.strong or resume.validators.last_modified
    return {**FILE, "Range": f"bytes={resume.start}-", **({} if guard is None else {"If-Range": guard})}


def held(status: int, headers: Mapping[str, str], resume: Resume | None, subject: str) -> tuple[int, int | None]:
    """Where in the file an answer's bytes begin, and how long the file is; None where it is not announced.

    Raises `UpstreamBroken` for a part that is not the one that was asked for, to the file's end.
    """
    length = _length(headers)
    if resume is None or status != HTTPStatus.PARTIAL_CONTENT:
        return 0, length
    written = headers.get("Content-Range", "").strip()
    found = _CONTENT_RANGE.fullmatch(written)
    start, last, total = map(int, found.groups()) if found is not None else (-1, -1, -1)
    if (start, last) != (resume.start, total - 1) or last < start or length not in (None, total - start):
        raise UpstreamBroken(
            f"{subject}: asked for the bytes from {resume.start} on, it sent Content-Range {ascii(written)[:80]}"
        )
    return start, total


def _length(headers: Mapping[str, str]) -> int | None:
    written = headers.get("Content-Length", "").strip()
    return int(written) if written.isascii() and written.isdecimal() else None

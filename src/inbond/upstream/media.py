"""What is asked for and what came: content types and codings (PEP 691, PEP 740)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import aiohttp

from inbond.model.errors import UpstreamBroken
from inbond.upstream.answers import Validators

PAGE: Final = {
    "Accept": "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1",
    "Accept-Encoding": "gzip",
}
PROVENANCE: Final = {"Accept": "application/vnd.pypi.integrity.v1+json", "Accept-Encoding": "gzip"}
METADATA: Final = {"Accept": "*/*", "Accept-Encoding": "gzip"}
# A file is stored as its digest names it: no coding on the way (RFC 9110, section 12.5.3).
FILE: Final = {"Accept": "*/*", "Accept-Encoding": "identity"}

_JSON: Final = "application/vnd.pypi.simple.v1+json"
_HTML: Final = ("application/vnd.pypi.simple.v1+html", "text/html")
_SERIAL: Final = re.compile(r"[0-9]{1,18}", re.ASCII)


def conditional(validators: Validators | None, *, bypass_caches: bool) -> dict[str, str]:
    """The headers of a page's request (RFC 9110, section 13.1; RFC 9111, section 5.2.1)."""
    headers = dict(PAGE)
    if validators is not None and validators.etag is not None:
        headers["If-None-Match"] = validators.etag
    if validators is not None and validators.last_modified is not None:
        headers["If-Modified-Since"] = validators.last_modified
    if bypass_caches:
        headers["Cache-Control"] = "no-cache"
    return headers


def content_type(response: aiohttp.ClientResponse) -> str:
    """The media type without parameters, in lower case; "" where there is none."""
    return response.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def coding(response: aiohttp.ClientResponse) -> str:
    """The content coding in lower case; "" where there is none."""
    return ", ".join(response.headers.getall("Content-Encoding", ())).strip().lower()


def is_json(response: aiohttp.ClientResponse, subject: str) -> bool:
    """Whether a page came as JSON; False: as HTML. Raises `UpstreamBroken` for everything else.

    `application/json` is refused: who serves that has another format in mind, or an error page.
    """
    found = content_type(response)
    if found == _JSON:
        return True
    if found in _HTML:
        return False
    raise UpstreamBroken(
        f"{subject} came as {ascii(found)[:80]}, which is no Simple API format",
        remedy="check that the upstream's URL is an index, as one gives it to pip",
    )


def last_serial(headers: Mapping[str, str]) -> int | None:
    """The X-PyPI-Last-Serial header, or None where it is missing or no number."""
    found = headers.get("X-PyPI-Last-Serial", "").strip()
    return int(found) if _SERIAL.fullmatch(found) else None

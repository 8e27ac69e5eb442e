"""Pages read off the event loop where they are large: a page of thousands of files takes milliseconds."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from inbond.model.names import ProjectName
from inbond.model.page import Page
from inbond.simple.parse_html import parse_html
from inbond.simple.parse_json import parse_json
from inbond.upstream.limits import PARSE_INLINE_BYTES


async def read_page(
    body: bytes, *, is_json: bool, project: ProjectName, base_url: str, known_as: str, serial: int | None
) -> Page:
    """The page that a body holds. `serial`: what the answer's headers say, for a body that names none.

    `known_as` names the page whatever address it came from: see `parse_json`.

    Raises `UpstreamBroken`.
    """

    def read() -> Page:
        if not is_json:
            return parse_html(body, project=project, base_url=base_url, serial=serial)
        page = parse_json(body, project=project, base_url=base_url, known_as=known_as)
        return page if page.serial is not None else replace(page, serial=serial)

    return await asyncio.to_thread(read) if len(body) > PARSE_INLINE_BYTES else read()

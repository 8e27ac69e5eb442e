"""A simulated index that can answer badly when the rest of a file is asked for, and one whose line always breaks.

async with RangeIndex() as index:
    wheel = index.add_wheel("demo", "1.0", size=3_000_000)
    index.breaks_at = [1_000_000]      # the first answer that would pass this byte of the file is cut there
    index.rest = Changed(other)       # and this is what comes when the rest is asked for
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from aiohttp import web

from sim.index import Cut, Fault, SimIndex, _Reply


@dataclass(frozen=True, slots=True)
class Ignored:
    """Ranges are not known here: the whole file is sent, or another one."""

    content: bytes | None = None


@dataclass(frozen=True, slots=True)
class Changed:
    """The part asked for, of other bytes. `etag`: whether the answer says that they are others."""

    content: bytes
    etag: bool = False


@dataclass(frozen=True, slots=True)
class Labelled:
    """The part asked for, under other headers; None takes one away."""

    headers: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Refused:
    """A status in place of the part."""

    code: int


Rest = Ignored | Changed | Labelled | Refused


class RangeIndex(SimIndex):
    """`rest` tells how requests with a Range are answered; None: as they should be.

    `breaks_at`: bytes of the file, in its own count, at which answers are cut, each once and in this order. Answers are
    cut at the last one for ever where `for_ever`. `announced`: whether answers say how long they are. `validators`: the
    headers of a file's answers that are validators; None: its ETag.
    """

    def __init__(self, **switches: Any) -> None:
        super().__init__(**switches)
        self.rest: Rest | None = None
        self.breaks_at: list[int] = []
        self.for_ever = False
        self.announced = True
        self.validators: dict[str, str] | None = None

    def _object(self, request: web.BaseRequest, kind: str) -> _Reply:
        asked = "Range" in request.headers
        reply = super()._object(request, kind)
        if kind == "file" and asked and reply.status != 404:
            reply = self._rest(request, reply)
        if kind == "file" and self.validators is not None and reply.status != 404:
            kept = {name: value for name, value in reply.headers.items() if name != "ETag"}
            reply = replace(reply, headers={**kept, **self.validators})
        if kind == "file" and not self.announced:
            body = reply.body
            reply = replace(reply, body=b"", chunks=lambda: [body])
        return reply

    def _rest(self, request: web.BaseRequest, reply: _Reply) -> _Reply:
        file = self._objects[request.raw_path.partition("?")[0]]
        start = int(request.headers["Range"].removeprefix("bytes=").partition("-")[0])
        match self.rest:
            case Ignored(content):
                return _Reply(200, {"ETag": reply.headers["ETag"]}, file.content if content is None else content)
            case Changed(content, etag):
                headers = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
                tag = hashlib.sha256(content if etag else file.content).hexdigest()
                return _Reply(206, {**headers, "ETag": f'"{tag}"'}, content[start:])
            case Labelled(labels):
                changed = {**reply.headers, **labels}
                return replace(reply, headers={name: value for name, value in changed.items() if value is not None})
            case Refused(code):
                return _Reply(code)
            case None if self.validators is not None:  # whoever has no ETag of this index takes its word
                headers = {"Content-Range": f"bytes {start}-{file.size - 1}/{file.size}"}
                return _Reply(206, {**reply.headers, **headers}, file.content[start:])
            case None:
                return reply

    async def _send(self, request: web.BaseRequest, reply: _Reply, fault: Fault | None) -> web.StreamResponse:
        if self.breaks_at and fault is None and request.path.startswith("/packages/") and reply.status in (200, 206):
            partial = reply.headers.get("Content-Range", "bytes 0-").removeprefix("bytes ")
            start = int(partial.partition("-")[0])
            fault = Cut(after=max(0, self.breaks_at[0] - start))
            if len(self.breaks_at) > 1 or not self.for_ever:
                self.breaks_at.pop(0)
        return await super()._send(request, reply, fault)

"""An answer as it went over the wire, ready to go again with another date."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from aiohttp import HttpVersion11, web

from inbond.web.access_log import Line, route_name
from inbond.web.again import MAX_AGAIN_BYTES, Again
from inbond.web.pieces import Pieces

REPEATABLE: Final = frozenset({HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT, HTTPStatus.NOT_MODIFIED})
_READING: Final = frozenset({"GET", "HEAD"})
_OVERHEAD: Final = 4096  # bytes that an answer takes in memory besides its head and its body
DATE: Final = "Date"


@dataclass(slots=True, kw_only=True, eq=False)
class HotAnswer:
    """An answer that was given once. `turn`: the turn of the event loop in which it was last found to hold."""

    again: Again
    status: int
    status_line: str
    headers: Mapping[str, str]  # in their order on the wire
    body: bytes
    route: str
    line: Line
    client: str | None  # where a trusted proxy says who it is; None: whoever is connected
    turn: int = -1
    ready: bytes = b""
    cleared_for: str | None = None  # the client for whom it was found in that turn that there is room
    _made_of: tuple[str, Mapping[str, str]] | None = field(default=None, init=False)

    @property
    def weight(self) -> int:
        """Bytes that it takes in memory; its ready form is a copy."""
        return _OVERHEAD + 2 * len(self.body)

    def make_ready(self, date: str, changed: Mapping[str, str]) -> None:
        """Makes the bytes to send: those of the first time, with these headers in the places of theirs."""
        made_of = (date, changed)
        if made_of == self._made_of:
            return
        headers = {**self.headers, DATE: date, **changed}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.ready = f"{self.status_line}\r\n{lines}\r\n".encode() + self.body
        self._made_of = made_of


def repeatable(
    request: web.Request, response: web.StreamResponse, again: Again, *, client: str | None
) -> HotAnswer | None:
    """The answer that went out whole, to be given again; None for one that cannot be."""
    if not isinstance(response, web.Response) or not response.keep_alive or request.version != HttpVersion11:
        return None
    body = _body_of(request, response)
    headers = dict(response.headers)
    if body is None or len(headers) != len(response.headers) or response.status not in REPEATABLE:
        return None
    if request.method not in _READING or len(body) > MAX_AGAIN_BYTES:
        return None
    if "Expect" in request.headers:  # another answer came before this one
        return None
    return HotAnswer(
        again=again,
        status=response.status,
        status_line=f"HTTP/1.1 {response.status} {response.reason}",
        headers=headers,
        body=body,
        route=route_name(request),
        line=Line.of(request, response.status),
        client=client,
    )


def _body_of(request: web.Request, response: web.Response) -> bytes | None:
    """The bytes that stood behind the headers; None where they are not at hand."""
    if request.method == "HEAD" or response.status == HTTPStatus.NOT_MODIFIED:
        return b""
    match response.body:
        case None:
            return b""
        case bytes() as body:
            return body
        case Pieces() as pieces:
            return pieces.whole
        case _:
            return None

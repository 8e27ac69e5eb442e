"""An answer as it went over the wire, ready to go again with another date."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from aiohttp import HttpVersion11, web

from inbond.web import outflow
from inbond.web.access_log import Line, route_name
from inbond.web.again import MAX_AGAIN_BYTES, STRETCH, Again, Stretch
from inbond.web.hot_source import READ_AT_ONCE_BYTES, InFile, InMemory, stretch_read
from inbond.web.pieces import PIECE_BYTES, Pieces

REPEATABLE: Final = frozenset({HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT, HTTPStatus.NOT_MODIFIED})
ONE_PIECE_BYTES: Final = 256 * 1024  # of a body that is kept once more, behind its head, to be sent in one piece
_READING: Final = frozenset({"GET", "HEAD"})
_OVERHEAD: Final = 4096  # bytes that an answer takes in memory besides its head and its body
DATE: Final = "Date"


@dataclass(slots=True, kw_only=True, eq=False)
class HotAnswer:
    """An answer that was given once. `turn`: the turn of the event loop in which it was last found to hold.

    `ready`: all of it where it goes `in_one_piece`, else its head; `read`: of a short stretch of a file, the bytes,
    for this turn.
    """

    again: Again
    status: int
    status_line: str
    headers: Mapping[str, str]  # in their order on the wire
    body: bytes | Stretch
    route: str
    line: Line
    client: str | None  # where a trusted proxy says who it is; None: whoever is connected
    turn: int = -1
    ready: bytes = b""
    read: bytes | None = None
    cleared_for: str | None = None  # the client for whom it was found in that turn that there is room
    turns: int = 0  # in which `ready` was wanted as it is
    copy: int | None = None  # a file in memory that holds `ready`: its descriptor (`inbond.web.hot_copies`)
    times: list[float] = field(default_factory=list)  # how many seconds it took each time for that client, untold yet
    in_one_piece: bool = field(init=False)
    _made_of: tuple[str, Mapping[str, str]] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.in_one_piece = isinstance(self.body, bytes) and len(self.body) <= ONE_PIECE_BYTES

    @property
    def weight(self) -> int:
        """Bytes that it takes in memory by itself, without the body that it may share with others."""
        return _OVERHEAD + (len(self.body) if self.in_one_piece else 0)

    def make_ready(self, date: str, changed: Mapping[str, str]) -> bool:
        """Makes the bytes to send: those of the first time, with these headers in the places of theirs.

        Whether they are others than before.
        """
        made_of = (date, changed)
        if made_of == self._made_of:
            return False
        headers = {**self.headers, DATE: date, **changed}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"{self.status_line}\r\n{lines}\r\n".encode()
        self.ready = head + self.body if self.in_one_piece and isinstance(self.body, bytes) else head
        self._made_of = made_of
        return True

    @property
    def tells_at_end(self) -> bool:
        """Whether its line comes with its last byte, as of all that is sent from files."""
        return isinstance(self.body, Stretch)

    @property
    def is_short_stretch(self) -> bool:
        """Whether its bytes may be read from a file for a turn."""
        return isinstance(self.body, Stretch) and self.body.count <= READ_AT_ONCE_BYTES

    @property
    def piece_bytes(self) -> int:
        """How many a client must take in time, as on the full way."""
        return outflow.PIECE_BYTES if isinstance(self.body, Stretch) else PIECE_BYTES

    def of_body(self, count: int) -> int:
        """How many of the last bytes that are sent are of its body."""
        return min(count, len(self.body))

    @property
    def is_part(self) -> bool:
        """Whether it is one of the many that there may be of a single file."""
        return isinstance(self.body, Stretch) or self.status == HTTPStatus.PARTIAL_CONTENT

    def read_stretch(self) -> None:
        """Has the bytes of a short stretch for this turn. Raises OSError, and `FileShrank` where its file has fewer."""
        if isinstance(self.body, Stretch):
            self.read = stretch_read(self.body)

    def source(self) -> InMemory | InFile:
        """Where the bytes come from of one that does not go in one piece. Raises OSError."""
        if isinstance(self.body, bytes):
            return InMemory(self.ready, self.body)
        return InFile(self.ready, self.body) if self.read is None else InMemory(self.ready, self.read)


def repeatable(
    request: web.Request, response: web.StreamResponse, again: Again, *, client: str | None
) -> HotAnswer | None:
    """The answer that went out whole, to be given again; None for one that cannot be."""
    if not response.keep_alive or request.version != HttpVersion11:
        return None
    body = _body_of(request, response)
    headers = dict(response.headers)
    if body is None or len(headers) != len(response.headers) or response.status not in REPEATABLE:
        return None
    if request.method not in _READING or (isinstance(body, bytes) and len(body) > MAX_AGAIN_BYTES):
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


def _body_of(request: web.Request, response: web.StreamResponse) -> bytes | Stretch | None:
    """What stood behind the headers; None where it is not at hand."""
    if request.method == "HEAD" or response.status == HTTPStatus.NOT_MODIFIED:
        return b""
    if not isinstance(response, web.Response):
        return request.get(STRETCH)
    match response.body:
        case None:
            return b""
        case bytes() as body:
            return body
        case Pieces() as pieces:
            return pieces.whole
        case _:
            return None

"""The list of all projects: over 900,000 names and 40 MB, so it is read and written in pieces and never held whole.

A splitter is fed the body as it arrives and gives the names found so far, as upstream writes them; what is not a
project's name is left out. Only when `close` returns is the list known to have been whole: whoever keeps names must
let go of them again if it raises. The serial that an index may give beside each name is dropped; a page tells its own.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from html import escape
from typing import Any, Final, TypeVar

import msgspec

from inbond.model.errors import InvalidName, UpstreamBroken
from inbond.model.names import ProjectName
from inbond.simple.addresses import last_segment
from inbond.simple.fields import api_version
from inbond.simple.markup import Markup

# Bytes looked at together, and the most that may be held back for want of an end: no entry is nearly as long.
MAX_PIECE_BYTES: Final = 256 * 1024
# Bytes gathered before they are looked at, so that a body that drips in costs no more than one that pours.
BATCH_BYTES: Final = 64 * 1024
# Characters in a piece of a rendered list, about.
RENDERED_CHARS: Final = 64 * 1024
API_VERSION: Final = "1.4"

_T = TypeVar("_T")


class NameSplitter(ABC):
    """Finds project names in a body that arrives in chunks of any size."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._unseen = 0

    def feed(self, chunk: bytes) -> list[str]:
        """Names that are complete by now and were not given before. Raises `UpstreamBroken`."""
        self._held += chunk
        self._unseen += len(chunk)
        if self._unseen < BATCH_BYTES:
            return []
        self._unseen = 0
        names = self._split()
        if len(self._held) > MAX_PIECE_BYTES:
            raise UpstreamBroken(f"an entry of upstream's list of projects is longer than {MAX_PIECE_BYTES} bytes")
        return names

    @abstractmethod
    def close(self) -> list[str]:
        """The last names. Raises `UpstreamBroken` where the body was cut, or is no list of projects."""

    @abstractmethod
    def _split(self) -> list[str]:
        """Takes all that is complete off the front of what is held."""

    def _window(self) -> bytes:
        return bytes(self._held[:MAX_PIECE_BYTES])


class HtmlNames(NameSplitter):
    """Names from a list in HTML (PEP 503): each link's text, or else the last segment of its address."""

    def __init__(self) -> None:
        super().__init__()
        self._markup = Markup(watch=frozenset({b"html", b"/html"}))

    def close(self) -> list[str]:
        """As `NameSplitter.close`. A list that opens `<html>` must close it: HTML has no better mark of its end."""
        names = self._split()
        self._markup.cut = False
        unfinished = any(element.name == "a" for element in self._markup.elements(bytes(self._held)))
        if not self._markup.tags:
            raise UpstreamBroken("upstream's list of projects is not HTML")
        if unfinished or self._markup.cut or self._markup.seen == {b"html"}:
            raise UpstreamBroken("upstream's list of projects was cut")
        return names

    def _split(self) -> list[str]:
        names: list[str] = []
        while (end := self._window().lower().rfind(b"</a>")) != -1:
            piece = bytes(self._held[: end + 4])
            del self._held[: end + 4]
            names += self._names(piece)
        return names

    def _names(self, piece: bytes) -> list[str]:
        plain = _PLAIN_LINK.findall(piece)
        if piece.count(b"<") == 2 * len(plain) + piece.count(b"<br"):
            self._markup.tags += len(plain)
            return [name for name in map(bytes.decode, plain) if _is_name(name)]
        links = (element for element in self._markup.elements(piece) if element.name == "a")
        found = (_linked_name(link.text, link.attributes.get("href")) for link in links)
        return [name for name in found if name is not None]


# Nearly all of a long list looks like this, and reading it so takes a tenth of the time.
_PLAIN_LINK: Final = re.compile(rb"<a href=\"[^\"<>]*\">([A-Za-z0-9._-]+)</a>")


def _linked_name(text: str, href: str | None) -> str | None:
    candidates = (text.strip(), last_segment((href or "").strip().rstrip("/")))
    return next(filter(_is_name, candidates), None)


def _project(raw: str) -> ProjectName | None:
    try:
        return ProjectName(raw)
    except InvalidName:
        return None


def _is_name(raw: str) -> bool:
    return _project(raw) is not None


# JSON by expressions that know strings, escapes and nesting to a small depth. There is one way only through them for
# any input, so that they are linear; whether it is JSON at all, msgspec decides.
_DEPTH: Final = 8
_STRING: Final = rb"\"[^\"\\]*(?:\\.[^\"\\]*)*\""


def _nested(depth: int) -> bytes:
    inner = _STRING if depth == 1 else rb"(?:%b|%b)" % (_STRING, _nested(depth - 1))
    return rb"[\[{][^\[\]{}\"]*(?:%b[^\[\]{}\"]*)*[\]}]" % inner


_VALUE: Final = rb"(?:%b|%b|[^\[\]{}\",\s]+)" % (_STRING, _nested(_DEPTH))
_ROW: Final = rb"\s*(?=\{)%b\s*" % _nested(_DEPTH)
_HEAD: Final = re.compile(rb"\s*\{(?:\s*%b\s*:\s*%b\s*,)*?\s*\"projects\"\s*:\s*\[" % (_STRING, _VALUE), re.DOTALL)
_ROWS: Final = re.compile(rb"(?:%b,)+" % _ROW, re.DOTALL)
_LAST_ROW: Final = re.compile(rb"(%b|\s*)\]" % _ROW, re.DOTALL)


class _Row(msgspec.Struct):
    name: Any = None


class _List(msgspec.Struct):
    meta: dict[str, Any]
    projects: list[Any]


_decode_rows: Final = msgspec.json.Decoder(list[_Row]).decode
_decode_list: Final = msgspec.json.Decoder(_List).decode


class JsonNames(NameSplitter):
    """Names from a list in JSON (PEP 691), in any 1.x and with `meta` ahead of `projects` or behind it."""

    def __init__(self) -> None:
        super().__init__()
        self._head: bytes | None = None
        self._rows = False  # whether there has been one
        self._ended = False

    def close(self) -> list[str]:
        """As `NameSplitter.close`. The api-version is checked here: `meta` may stand last."""
        names = self._split()
        if self._head is None or not self._ended:
            raise UpstreamBroken("upstream's list of projects is not one (PEP 691), or was cut")
        frame = _decoded(_decode_list, self._head + b"]" + bytes(self._held))
        api_version(frame.meta.get("api-version"))
        if frame.projects:
            raise UpstreamBroken("upstream's list of projects holds `projects` twice")
        return names

    def _split(self) -> list[str]:
        if self._head is None:
            head = _HEAD.match(self._window())
            if head is None:
                return []
            self._head = head[0]
            del self._held[: head.end()]
        names: list[str] = []
        while not self._ended and (rows := self._next_rows()) is not None:
            names += rows
        return names

    def _next_rows(self) -> list[str] | None:
        window = self._window()
        match = _ROWS.match(window) or _LAST_ROW.match(window)
        if match is None:
            return None
        del self._held[: match.end()]
        text = window[: match.end() - 1]
        self._ended = window[match.end() - 1 : match.end()] == b"]"
        if self._ended and self._rows and not text.strip():
            raise UpstreamBroken("upstream's list of projects is not JSON: a comma stands before its end")
        self._rows = True
        rows = _decoded(_decode_rows, b"[" + text + b"]")
        return [row.name for row in rows if isinstance(row.name, str) and _is_name(row.name)]


def _decoded(decode: Callable[[bytes], _T], text: bytes) -> _T:
    try:
        return decode(text)
    except (msgspec.MsgspecError, ValueError) as error:
        raise UpstreamBroken(f"upstream's list of projects is not JSON as PEP 691 has it: {error}") from error


def render_list_json(names: Iterable[str], *, serial: int | None = None) -> Iterator[bytes]:
    """The list in JSON, in pieces of about `RENDERED_CHARS`. What is not a project's name is left out."""
    meta: dict[str, Any] = {"api-version": API_VERSION}
    if serial is not None:
        meta["_last-serial"] = serial
    yield b'{"meta":' + msgspec.json.encode(meta) + b',"projects":['
    comma = b""
    for batch in _batches(names):
        yield comma + msgspec.json.encode([{"name": name} for name, _ in batch])[1:-1]
        comma = b","
    yield b"]}"


def render_list_html(names: Iterable[str]) -> Iterator[bytes]:
    """The list in HTML, in pieces of about `RENDERED_CHARS`; the links are relative. Leaves out as the other does."""
    yield (
        b'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        b'<meta name="pypi:repository-version" content="%b">\n<title>Simple index</title>\n</head>\n<body>\n'
        % API_VERSION.encode()
    )
    for batch in _batches(names):
        yield "".join(f'<a href="{project}/">{escape(name)}</a><br>\n' for name, project in batch).encode()
    yield b"</body>\n</html>\n"


# Characters around a name in a rendered list, in the longer form.
_AROUND: Final = 24


def _batches(names: Iterable[str]) -> Iterator[list[tuple[str, ProjectName]]]:
    batch: list[tuple[str, ProjectName]] = []
    length = 0
    for name in names:
        project = _project(name)
        if project is None:
            continue
        batch.append((name, project))
        length += 2 * len(name) + _AROUND
        if length >= RENDERED_CHARS:
            yield batch
            batch, length = [], 0
    if batch:
        yield batch

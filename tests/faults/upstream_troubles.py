"""What an upstream can do wrong, each under its name: bodies, statuses and connections."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from sim.index import (
    JSON_TYPE,
    Cut,
    Endless,
    Fault,
    GzipBomb,
    HangUp,
    Headers,
    HtmlInsteadOfJson,
    InvalidUtf8,
    Mute,
    NotJson,
    RedirectLoop,
    RedirectTo,
    Reset,
    SerialGoesBack,
    SimFile,
    Slow,
    Stall,
    Status,
    TooLong,
    WrongBytes,
    WrongLength,
)

SIGN_IN: Final = b"<!DOCTYPE html><html><body><form action='/login'><input name='user'></form></body></html>"
EVIL: Final = "66" * 32  # a digest that no file has
FILLER: Final = "filler"  # begins the names of files that only make a page large
LARGE_PAGE_FILES: Final = 4_000
PADDING: Final = "a" * 10_000  # of each file there: 40 MB in all
BOMB_BYTES: Final = 80 * 2**20  # above the limit of a page
FOREVER: Final = None
SERIAL: Final = 5  # of well-formed pages that are not the index's: no lower than before, no higher than afterwards

Step = tuple[Fault, int | None]  # and how many requests meet it
Made = Callable[[SimFile], Sequence[Step]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Something wrong with the answers for a page, file, metadata or provenance. `short`: quickly tried."""

    name: str
    made: Made = field(repr=False)
    what: str = "page"
    short: bool = False


def always(fault: Fault) -> Made:
    """Every request meets it."""
    return lambda _: [(fault, FOREVER)]


def once_each(*faults: Fault) -> Made:
    """The first request meets the first, and so on; then all is well."""
    return lambda _: [(fault, 1) for fault in faults]


def saying(body: Callable[[SimFile], bytes], **headers: str) -> Made:
    """A page of other bytes, under the right status and content type."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda file: [(Status(200, {"Content-Type": JSON_TYPE, **named}, body(file)), FOREVER)]


def document(
    file: SimFile, *, name: str | None = None, serial: int | None = SERIAL, more: int = 0
) -> dict[str, object]:
    """A page that is well-formed and not the index's."""
    meta: dict[str, object] = {"api-version": "1.1"}
    if serial is not None:
        meta["_last-serial"] = serial
    true = {"filename": file.filename, "url": file.url, "hashes": {"sha256": file.sha256}, "size": file.size}
    project = name or file.project
    fillers = [
        {
            "filename": f"{project}-0.0.{number}-py3-none-any.whl",
            "url": f"{file.url.rpartition('/')[0]}/{FILLER}/{project}-0.0.{number}-py3-none-any.whl",
            "hashes": {"sha256": f"{number:064x}"},
            "size": 1,
            "padding": PADDING,
        }
        for number in range(more)
    ]
    versions = [file.version, *(f"0.0.{number}" for number in range(more))]
    return {"meta": meta, "name": project, "versions": versions, "files": [true, *fillers]}


def _duplicates(file: SimFile) -> bytes:
    page = document(file)
    page["files"] = [*page["files"], {**page["files"][0], "hashes": {"sha256": EVIL}}]  # type: ignore[misc, index]
    return json.dumps(page).encode()


def _as_json(file: SimFile, **more: object) -> bytes:
    return json.dumps(document(file, **more)).encode()  # type: ignore[arg-type]


TROUBLES: Final = (
    Trouble(name="connection ends before any answer", made=always(HangUp()), short=True),
    Trouble(name="body cut", made=always(Cut(50)), short=True),
    Trouble(name="body reset", made=always(Reset(50))),
    Trouble(name="no answer at all", made=always(Mute()), short=True),
    Trouble(name="body stalls", made=always(Stall(50))),
    Trouble(name="trickle, 20 bytes a second", made=always(Slow(rate=20))),
    Trouble(name="Content-Length says too much", made=always(WrongLength(100_000))),
    Trouble(name="Content-Length says too little", made=always(WrongLength(20))),
    Trouble(name="empty body", made=saying(lambda _: b"")),
    Trouble(name="500", made=always(Status(500)), short=True),
    Trouble(name="502", made=always(Status(502))),
    Trouble(name="503", made=always(Status(503))),
    Trouble(name="503, Retry-After: 1, once", made=once_each(Status(503, {"Retry-After": "1"}))),
    Trouble(name="504", made=always(Status(504))),
    Trouble(name="429", made=always(Status(429))),
    Trouble(name="429, Retry-After: 3600", made=always(Status(429, {"Retry-After": "3600"}))),
    Trouble(name="401", made=always(Status(401))),
    Trouble(name="403", made=always(Status(403))),
    Trouble(name="404", made=always(Status(404)), short=True),
    Trouble(name="410", made=always(Status(410))),
    Trouble(name="redirect loop", made=always(RedirectLoop())),
    Trouble(name="redirect to a private address", made=always(RedirectTo("http://10.0.0.1/simple/"))),
    Trouble(name="redirect to a file: URL", made=always(RedirectTo("file:///etc/passwd"))),
    Trouble(name="gzip bomb, 80 MiB", made=always(GzipBomb(BOMB_BYTES))),
    Trouble(name="gzip that is none", made=saying(lambda _: b"not gzip", Content_Encoding="gzip")),
    Trouble(name="coding that was not asked for", made=saying(_as_json, Content_Encoding="br")),
    Trouble(name="HTML where JSON was promised", made=saying(lambda _: SIGN_IN, Content_Type="text/html"), short=True),
    Trouble(name="a body that is no JSON", made=always(NotJson())),
    Trouble(name="JSON where HTML was promised", made=saying(_as_json, Content_Type="text/html")),
    Trouble(name="JSON that ends in the middle", made=saying(lambda file: _as_json(file)[:-40])),
    Trouble(name="invalid UTF-8", made=always(InvalidUtf8())),
    Trouble(name="one filename twice, two digests", made=saying(_duplicates)),
    Trouble(name="another project's name on the page", made=saying(lambda file: _as_json(file, name="another"))),
    Trouble(name="page of 40 MB", made=saying(lambda file: _as_json(file, more=LARGE_PAGE_FILES))),
    Trouble(name="page that never ends", made=always(Endless())),
    Trouble(name="headers of 1 MB", made=saying(_as_json, X_Bomb="a" * 2**20)),
    Trouble(name="serial goes back", made=always(SerialGoesBack(1)), short=True),
    Trouble(name="serial vanished", made=saying(lambda file: _as_json(file, serial=None))),
    Trouble(name="one byte differs", what="file", made=always(WrongBytes()), short=True),
    Trouble(name="cut, each time", what="file", made=always(Cut(1000))),
    Trouble(name="cut, once", what="file", made=once_each(Cut(1000)), short=True),
    Trouble(name="reset, once", what="file", made=once_each(Reset(1000))),
    Trouble(name="stalls", what="file", made=always(Stall(1000))),
    Trouble(name="no answer at all", what="file", made=always(Mute())),
    Trouble(name="other bytes on resuming", what="file", made=once_each(Cut(1000), WrongBytes()), short=True),
    Trouble(name="more bytes than the page says", what="file", made=always(TooLong(10))),
    Trouble(name="more bytes, no length announced", what="file", made=always(TooLong(10, announced=False))),
    Trouble(name="Content-Length says too much", what="file", made=always(WrongLength(10**6))),
    Trouble(name="Content-Length says too little", what="file", made=always(WrongLength(1000))),
    Trouble(name="404", what="file", made=always(Status(404))),
    Trouble(name="403", what="file", made=always(Status(403))),
    Trouble(name="503", what="file", made=always(Status(503))),
    Trouble(name="a sign-in page", what="file", made=always(HtmlInsteadOfJson())),
    Trouble(name="labelled as gzip", what="file", made=always(Headers({"Content-Encoding": "gzip"}))),
    Trouble(name="empty body", what="file", made=always(Status(200))),
    Trouble(name="endless", what="file", made=always(Endless())),
    Trouble(name="one byte differs", what="metadata", made=always(WrongBytes()), short=True),
    Trouble(name="404", what="metadata", made=always(Status(404))),
    Trouble(name="503", what="metadata", made=always(Status(503))),
    Trouble(name="500", what="provenance", made=always(Status(500))),
    Trouble(name="a sign-in page", what="provenance", made=always(HtmlInsteadOfJson())),
    Trouble(name="no answer at all", what="provenance", made=always(Mute())),
)

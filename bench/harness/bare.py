"""What this machine and this language allow: servers that check nothing and keep nothing, as a floor beside inbond's.

    python -m harness.bare ready PORT WWW          # a bare asyncio protocol that writes the bytes below a directory
    python -m harness.bare proxy PORT UPSTREAM     # an aiohttp proxy that passes on whatever it is asked for

Neither is anything that one could use: no policy, no digest is looked at, no log is written.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import ClientResponse, ClientSession, TCPConnector, web

from harness.catalog import BINARY, HTML, INTEGRITY, JSON

SMALL = 2**20  # bytes of an answer that is passed on as a whole; of longer ones each piece as it comes
ORIGIN, CLIENT, ASKING = (
    web.AppKey("origins", tuple[str, str]),  # upstream's, and its own
    web.AppKey("client", ClientSession),
    web.AppKey("asking", set[asyncio.Task[None]]),
)
ASKED, ANSWERED = ("Accept", "If-None-Match", "Range"), ("Content-Type", "ETag", "Content-Range")  # headers passed on
_KINDS = {"html": HTML, "json": JSON, "json-gzip": f"{JSON}\r\nContent-Encoding: gzip"}  # by directory
_PROVENANCE = re.compile(rb'"provenance": "([^"]+)"')


class Ready:
    """Ready answers, by the very bytes of the requests for them. What is there is looked for once."""

    def __init__(self, www: Path) -> None:
        self._www = www
        self._answers: dict[bytes, bytes] = {}

    def to(self, request: bytes) -> bytes:
        """The whole answer."""
        answer = self._answers.get(request)
        if answer is None:
            answer = self._answers[request] = self._made(request.decode("latin-1"))
        return answer

    def _made(self, request: str) -> bytes:
        path = self._www / request.split(" ", 2)[1].lstrip("/")
        if not path.is_file():
            return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
        body = path.read_bytes()
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        if etag in request:
            return f"HTTP/1.1 304 Not Modified\r\nETag: {etag}\r\n\r\n".encode()
        kind = _KINDS.get(path.parent.name, BINARY)
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nETag: {etag}\r\n\r\n"
        return head.encode() + body


class Writing(asyncio.Protocol):
    """One connection, whose requests come one at a time and each in one piece, as those of wrk do."""

    def __init__(self, ready: Ready) -> None:
        self._ready = ready

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._write = transport.write

    def data_received(self, data: bytes) -> None:
        self._write(self._ready.to(data))


async def _ready(port: int, www: Path) -> None:
    ready = Ready(www)
    server = await asyncio.get_running_loop().create_server(lambda: Writing(ready), "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


async def _passed_on(request: web.Request) -> web.StreamResponse:
    """Upstream's answer. A page leads back to this proxy, and one provenance that it names is asked for beside it."""
    upstream, own = request.app[ORIGIN]
    headers = {name: request.headers[name] for name in ASKED if name in request.headers}
    async with request.app[CLIENT].get(upstream + request.path_qs, headers=headers) as answer:
        kept = {name: answer.headers[name] for name in ANSWERED if name in answer.headers}
        if (answer.content_length or 0) > SMALL and not request.path.startswith("/simple/"):
            return await _in_pieces(request, answer, kept)
        body = await answer.read()
    if request.path.startswith("/simple/"):
        _ask_ahead(request.app, body)
        body = body.replace(upstream.encode(), own.encode())
    return web.Response(status=answer.status, body=body, headers=kept)


async def _in_pieces(request: web.Request, answer: ClientResponse, headers: dict[str, str]) -> web.StreamResponse:
    passed = web.StreamResponse(status=answer.status, headers=headers)
    passed.content_length = answer.content_length
    await passed.prepare(request)
    async for piece in answer.content.iter_any():
        await passed.write(piece)
    await passed.write_eof()
    return passed


def _ask_ahead(app: web.Application, page: bytes) -> None:
    """Asks for the newest file's provenance, as inbond does, so that upstream is asked as often."""
    *_, newest = (None, *_PROVENANCE.findall(page))
    if newest is not None:
        app[ASKING].add(task := asyncio.create_task(_thrown_away(app[CLIENT], newest.decode())))
        task.add_done_callback(app[ASKING].discard)


async def _thrown_away(client: ClientSession, url: str) -> None:
    async with client.get(url, headers={"Accept": INTEGRITY}) as answer:
        await answer.read()


async def _proxy(port: int, upstream: str) -> web.Application:
    app = web.Application()
    app[ORIGIN], app[ASKING] = (upstream, f"http://127.0.0.1:{port}"), set()

    async def client(app: web.Application) -> AsyncIterator[None]:
        async with ClientSession(connector=TCPConnector(limit=0)) as session:
            app[CLIENT] = session
            yield

    app.cleanup_ctx.append(client)
    app.router.add_get("/{path:.*}", _passed_on)
    return app


def main() -> None:
    """Serves until it is ended."""
    kind, port, rest = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    if kind == "ready":
        asyncio.run(_ready(port, Path(rest)))
    else:
        web.run_app(_proxy(port, rest), host="127.0.0.1", port=port, access_log=None, print=None, backlog=4096)


if __name__ == "__main__":
    main()

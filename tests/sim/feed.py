"""An archive at a URL, as a database serves it: with an ETag, and able to misbehave."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Self

from aiohttp import web


class SimFeed:
    """Serves `body`; `status` other than 200 serves nothing, `cut` ends the body halfway, `slow` waits for ever."""

    def __init__(self, body: bytes = b"", *, etag: bool = True) -> None:
        self.body = body
        self.etag = etag
        self.status = 200
        self.cut = False
        self.slow = False
        self.asked: list[dict[str, str]] = []  # the headers of each request
        self.answered: list[int] = []

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/{name:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/PyPI/all.zip"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(dict(request.headers))
        if self.slow:
            await asyncio.sleep(60)
        mark = f'"{hashlib.sha256(self.body).hexdigest()[:16]}"'
        unchanged = self.etag and request.headers.get("If-None-Match") == mark
        status = self.status if self.status != 200 else 304 if unchanged else 200
        self.answered.append(status)
        if status != 200:
            return web.Response(status=status)
        response = web.StreamResponse(headers={"ETag": mark} if self.etag else {})
        response.content_length = len(self.body)
        await response.prepare(request)
        await response.write(self.body[: len(self.body) // 2] if self.cut else self.body)
        if self.cut:
            assert request.transport is not None
            request.transport.abort()
        return response

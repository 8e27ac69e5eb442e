"""An application on its sockets: aiohttp's runner, with our connections."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from aiohttp import web

from inbond.web.connections import KEEPALIVE_SECONDS, Connection

LINGERING_SECONDS: Final = 10.0  # for the rest of a body that nobody reads
MAX_LINE_BYTES: Final = 8190
MAX_FIELD_BYTES: Final = 8190
MAX_FIELDS: Final = 64


class Server(web.Server):
    """Makes the connections."""

    def __init__(self, made: web.Server, app: web.Application, **settings: Any) -> None:
        super().__init__(made.request_handler, request_factory=made.request_factory)
        self._app = app
        self._settings = settings

    def __call__(self) -> web.RequestHandler:
        """A new connection."""
        return Connection(self, self._app, loop=asyncio.get_running_loop(), **self._settings)


class Runner(web.AppRunner):
    """Serves an application made by `build_app`, with bounds on its connections."""

    def __init__(self, app: web.Application, *, shutdown_timeout: float) -> None:
        super().__init__(app, access_log=None, shutdown_timeout=shutdown_timeout)

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return Server(
            made,
            self.app,
            access_log=None,
            keepalive_timeout=KEEPALIVE_SECONDS,
            lingering_time=LINGERING_SECONDS,
            max_line_size=MAX_LINE_BYTES,
            max_field_size=MAX_FIELD_BYTES,
            max_headers=MAX_FIELDS,
        )

"""An application on its sockets: aiohttp's runner, with our connections."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from aiohttp import web

from inbond.web.connections import KEEPALIVE_SECONDS, Connection
from inbond.web.door import DOOR
from inbond.web.handshakes import Handshakes, Secured

LINGERING_SECONDS: Final = 10.0  # for the rest of a body that nobody reads
MAX_LINE_BYTES: Final = 8190
MAX_FIELD_BYTES: Final = 8190
MAX_FIELDS: Final = 64


class Server(web.Server):
    """Makes the connections."""

    def __init__(self, made: web.Server, app: web.Application, handshakes: Handshakes | None, **settings: Any) -> None:
        super().__init__(made.request_handler, request_factory=made.request_factory)
        self._app = app
        self._handshakes = handshakes
        self._settings = settings

    def __call__(self) -> Any:
        """A new connection; aiohttp's type for it is narrower than what asyncio asks for."""
        connection = Connection(self, self._app, loop=asyncio.get_running_loop(), **self._settings)
        return connection if self._handshakes is None else self._handshakes.before(connection)

    async def shutdown(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - aiohttp's
        """Ends handshakes as well as connections."""
        if self._handshakes is not None:
            self._handshakes.stop()
        await super().shutdown(timeout)


class Runner(web.AppRunner):
    """Serves an application made by `build_app`, with bounds on its connections."""

    def __init__(self, app: web.Application, *, shutdown_timeout: float, secured: Secured | None = None) -> None:
        """`secured`: what connections are secured with; None: they are not."""
        super().__init__(app, access_log=None, shutdown_timeout=shutdown_timeout)
        self._secured = secured

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return Server(
            made,
            self.app,
            None if self._secured is None else Handshakes(self._secured, self.app[DOOR]),
            access_log=None,
            keepalive_timeout=KEEPALIVE_SECONDS,
            lingering_time=LINGERING_SECONDS,
            max_line_size=MAX_LINE_BYTES,
            max_field_size=MAX_FIELD_BYTES,
            max_headers=MAX_FIELDS,
            auto_decompress=False,  # no route takes a coded body (`inbond.web.plain_bodies`)
        )

"""Whether the inbond beside it is alive: `python -m inbond.cli.alive`, for the health check of a container.

With the standard library alone, as it runs every 30 s: to read the configuration as `serve` does takes ten times as
long. And not with urllib, which would ask the proxy that HTTP_PROXY names.
"""

from __future__ import annotations

import os
import ssl
import sys
import tomllib
from collections.abc import Mapping
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Final

ANSWER_SECONDS: Final = 3.0  # the container's engine waits for 5 s
DEFAULT_LISTEN: Final = "127.0.0.1:8642"
# Who listens on all addresses is asked on its own.
_NEAR: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - not listened on


def is_alive(environ: Mapping[str, str]) -> bool:
    """Asks `/-/live` where the environment, or the file that it names, says that inbond listens.

    Raises OSError and `HTTPException` where nobody answers.
    """
    server = _written(environ)
    listen = environ.get("INBOND_LISTEN") or environ.get("INBOND_SERVER__LISTEN") or server.get("listen")
    host, _, port = str(listen or DEFAULT_LISTEN).rpartition(":")
    host = host.strip("[]")
    secured = environ.get("INBOND_SERVER__TLS_CERTIFICATE") or server.get("tls_certificate")
    connection = _connection(_NEAR.get(host, host), int(port), secured=bool(secured))
    try:
        connection.request("GET", "/-/live")
        return connection.getresponse().status == HTTPStatus.OK
    finally:
        connection.close()


def _written(environ: Mapping[str, str]) -> Mapping[str, object]:
    """What stands under `[server]` in the configuration's file, if there is one."""
    name = environ.get("INBOND_CONFIG")
    server = tomllib.loads(Path(name).read_text(encoding="utf-8")).get("server", {}) if name else {}
    return server if isinstance(server, Mapping) else {}


def _connection(host: str, port: int, *, secured: bool) -> HTTPConnection:
    if not secured:
        return HTTPConnection(host, port, timeout=ANSWER_SECONDS)
    context = ssl.create_default_context()
    context.check_hostname = False  # the certificate is for the name that clients use
    context.verify_mode = ssl.CERT_NONE
    return HTTPSConnection(host, port, timeout=ANSWER_SECONDS, context=context)


def main() -> None:
    """Exits with 1, and says why, where it is not alive."""
    try:
        alive = is_alive(os.environ)
    except (OSError, HTTPException, ValueError) as error:
        sys.exit(f"inbond does not answer: {error}")
    if not alive:
        sys.exit("inbond answers, and not that it is alive")


if __name__ == "__main__":
    main()

"""What a simulated index can do wrong: one small frozen value for each misdeed.

`after` counts body bytes as they are sent (after content coding); 0 is right behind the headers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class HangUp:
    """The connection ends before any answer."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The body ends early: the connection is closed in good order although more was announced."""

    after: int = 0


@dataclass(frozen=True, slots=True)
class Reset:
    """The body ends early with a TCP reset."""

    after: int = 0


@dataclass(frozen=True, slots=True)
class Stall:
    """The body stops and the connection stays open until the client gives up."""

    after: int = 0


@dataclass(frozen=True, slots=True)
class Mute:
    """The request is taken and nothing is ever answered."""


@dataclass(frozen=True, slots=True)
class WrongBytes:
    """One byte of the body differs; the length is right. `at` may count from the end."""

    at: int = -1


@dataclass(frozen=True, slots=True)
class WrongLength:
    """Content-Length claims another length than is sent. Too many: the connection is closed short of it."""

    claimed: int


@dataclass(frozen=True, slots=True)
class TooLong:
    """More bytes than the page says, all of them sent; without `announced` there is no Content-Length."""

    extra: int = 1
    announced: bool = True


@dataclass(frozen=True, slots=True)
class Status:
    """Another status than 200."""

    code: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Headers:
    """The right body under other headers; None takes a header away."""

    headers: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Slow:
    """Seconds before the headers go, and bytes a second afterwards."""

    delay: float = 0.0
    rate: int | None = None


@dataclass(frozen=True, slots=True)
class RedirectTo:
    """A redirect to `url`, which may be relative or anything else."""

    url: str
    code: int = 302


@dataclass(frozen=True, slots=True)
class RedirectLoop:
    """A redirect to itself, for ever."""

    code: int = 302


@dataclass(frozen=True, slots=True)
class GzipBomb:
    """`size` zero bytes, gzip-coded to about a thousandth of that."""

    size: int


@dataclass(frozen=True, slots=True)
class Endless:
    """A body without announced length that only ends when the client hangs up."""


@dataclass(frozen=True, slots=True)
class HtmlInsteadOfJson:
    """A page that asks for a sign-in, as a captive portal sends: status 200, text/html."""


@dataclass(frozen=True, slots=True)
class InvalidUtf8:
    """The right content type and a body that is no UTF-8."""


@dataclass(frozen=True, slots=True)
class NotJson:
    """The right content type and a body that is no JSON."""


@dataclass(frozen=True, slots=True)
class SerialGoesBack:
    """The page as it is, with a serial lower by `by`."""

    by: int = 1


Fault = (
    HangUp
    | Cut
    | Reset
    | Stall
    | Mute
    | WrongBytes
    | WrongLength
    | TooLong
    | Status
    | Headers
    | Slow
    | RedirectTo
    | RedirectLoop
    | GzipBomb
    | Endless
    | HtmlInsteadOfJson
    | InvalidUtf8
    | NotJson
    | SerialGoesBack
)


class Gate:
    """Holds a response after `after` body bytes until the test opens it.

    `await gate.reached.wait()` tells that a response stands at the gate; no test needs to sleep.
    """

    def __init__(self, after: int) -> None:
        self.after = after
        self.reached = asyncio.Event()
        self._opened = asyncio.Event()

    def open(self) -> None:
        """Lets every response through, now and later."""
        self._opened.set()

    async def passed(self) -> None:
        """Waits at the gate."""
        self.reached.set()
        await self._opened.wait()

"""The verifier process as its parent sees it: started, greeted, ended, and started again with growing pauses.

Its roots are those it was made with, however often it is started: a file that changed meanwhile changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import msgspec

from inbond.gateway.verifier_frames import HEADER_BYTES, Hello, Scope, Setup, Unusable, body_length, frame
from inbond.gateway.verifier_spare import Spare, killed, spawn
from inbond.model.errors import ConfigurationError, InbondError, OperatorFault
from inbond.model.trust import Trust

START_TIMEOUT: Final = 30.0  # seconds; importing sigstore takes 0.3 to 1 s, from a cold disk many times that
FIRST_PAUSE: Final = 0.5  # seconds after the second end in a row, doubled with each further one
LONGEST_PAUSE: Final = 30.0  # seconds
# A pause as short as this is waited for; during a longer one calls fail at once.
PATIENCE: Final = 1.0  # seconds

_FIRST: Final = msgspec.msgpack.Decoder(Hello | Unusable)


class VerifierFailed(InbondError):
    """The verifier ended, or could not be asked. Nothing is known about the file: it is *unavailable*."""


class UnusableRoot(ConfigurationError):
    """A scope's trusted root is none."""

    def __init__(self, scope: str, message: str, *, remedy: str | None) -> None:
        super().__init__(f"[trust.{scope}] {message}", remedy=remedy)
        self.scope = scope


class Child:
    """At most one verifier process at a time. The first is `spare`, where there is one."""

    def __init__(self, trust: Trust, *, start_timeout: float, command: Sequence[str], spare: Spare) -> None:
        self.hello: Hello | None = None  # of the process that started last
        self._command = tuple(command)
        self._spare = spare
        self._start_timeout = start_timeout
        self._setup = frame(_setup(trust))
        self._digests = {trust.digest(names) for names in trust.sets()}
        self._process: asyncio.subprocess.Process | None = None
        self._ends = 0  # in a row
        self._pause_until = 0.0  # event loop time

    @property
    def alive(self) -> bool:
        """Whether a process is running now."""
        return self._process is not None and self._process.returncode is None

    @property
    def failing(self) -> bool:
        """Whether it has ended several times in a row, with no answer in between."""
        return self._ends > 1

    @property
    def pid(self) -> int | None:
        """The process's id, None where none is running."""
        return self._process.pid if self._process is not None and self.alive else None

    def answered(self) -> None:
        """Notes that it does its work."""
        self._ends = 0

    async def ready(self) -> asyncio.subprocess.Process:
        """A running process, started where there is none. Raises VerifierFailed."""
        if self._process is not None and self.alive:
            return self._process
        pause = self._pause_until - asyncio.get_running_loop().time()
        if pause > PATIENCE:
            raise VerifierFailed(
                f"the verifier process ended {self._ends} times in a row; it is started again in {pause:.0f} s"
            )
        await asyncio.sleep(max(0.0, pause))
        try:
            return await self.start()
        except OperatorFault as error:
            await self.ended()
            raise VerifierFailed(error.message, remedy=error.remedy) from error

    async def start(self) -> asyncio.subprocess.Process:
        """Starts it, ending one that runs. Raises OperatorFault: `UnusableRoot` where a root cannot be used."""
        await self.end()
        try:
            self._process = process = self._spare.take() or await spawn(self._command)
            async with asyncio.timeout(self._start_timeout):
                self.hello = await self._greeting(process)
        except TimeoutError:
            await self.end()
            raise OperatorFault(
                f"the verifier process did not start within {self._start_timeout:g} s",
                remedy="see its messages in the log; a machine under heavy load may need another try",
            ) from None
        except OSError as error:
            raise OperatorFault(f"the verifier process cannot be started: {error}") from error
        except OperatorFault:
            await self.end()
            raise
        return process

    async def _greeting(self, process: asyncio.subprocess.Process) -> Hello:
        assert process.stdin is not None
        try:
            process.stdin.write(self._setup)
            await process.stdin.drain()
            first: Hello | Unusable = _FIRST.decode(await Frames(process).read())
        except (OSError, EOFError, ValueError, msgspec.MsgspecError) as error:
            raise OperatorFault(
                "the verifier process ended before it was ready", remedy="see its messages in the log"
            ) from error
        if isinstance(first, Unusable):
            raise UnusableRoot(first.scope, first.message, remedy=first.remedy)
        if set(first.digests) != self._digests:
            raise OperatorFault("the verifier process is of another version of inbond", remedy="restart inbond")
        return first

    async def ended(self) -> None:
        """Ends it after something went wrong, and notes how long to pause."""
        await self.end()
        self._ends += 1
        if self._ends > 1:  # the first is replaced at once
            pause = min(FIRST_PAUSE * 2.0 ** min(self._ends - 2, 10), LONGEST_PAUSE)
            self._pause_until = asyncio.get_running_loop().time() + pause

    async def end(self) -> None:
        """Ends it, if it runs. May be called again where it was cancelled."""
        process = self._process
        if process is None:
            return
        await killed(process)
        self._process = None


class Frames:
    """What a process says, frame by frame. A read that was cancelled loses nothing: the next one goes on with it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        self.process: Final = process
        self._stream = process.stdout
        self._length: int | None = None  # of the frame that is being read, in bytes

    async def read(self) -> bytes:
        """The next frame. Raises EOFError, OSError, and ValueError for what is none."""
        if self._length is None:
            self._length = body_length(await self._stream.readexactly(HEADER_BYTES))
        body = await self._stream.readexactly(self._length)
        self._length = None
        return body


def _setup(trust: Trust) -> Setup:
    scopes = (Scope(name=one.name, root=one.root, issuers=one.issuers) for one in trust.scopes.values())
    return Setup(scopes=tuple(scopes), sets=trust.sets())

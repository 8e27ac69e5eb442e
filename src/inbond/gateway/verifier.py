"""The serving process's side of the verifier process: starts it, asks it, and starts it again when it must.

One request is under way at a time; the others wait here and not in the pipe. So it is always known which provenance
a hang or a crash belongs to, and a poisonous one takes down only its own file: those that wait are asked of the next
process. A process is bound by one core whatever its queue, so nothing is lost by that.

- A call that takes longer than `CALL_TIMEOUT` kills the process; its caller gets `VerifierTimeout`.
- A process that ends, or says something that is no answer, is replaced and the request asked once more; then its
  caller gets `VerifierFailed`. Ends in a row are followed by growing pauses, during which calls fail at once.
- A caller that goes away changes nothing: its request is skipped, or its answer dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Final
from urllib.parse import quote

import msgspec

from inbond.attest.limits import check_question, over_limit
from inbond.attest.wire import decode_evidence
from inbond.gateway.verifier_worker import HEADER_BYTES, Answer, Hello, Request, Unusable, body_length, frame
from inbond.model.errors import ConfigurationError, InbondError, OperatorFault
from inbond.model.evidence import Rejected, Unsupported, Verified
from inbond.model.names import Filename

CALL_TIMEOUT: Final = 5.0  # seconds; an honest verification takes 1 to 10 ms
START_TIMEOUT: Final = 30.0  # seconds; importing sigstore takes 0.3 to 1 s, from a cold disk many times that
MAX_WAITING: Final = 4096  # calls; at most 10 kB each as a rule, and 5 s of work
FIRST_PAUSE: Final = 0.5  # seconds after the second end in a row, doubled with each further one
LONGEST_PAUSE: Final = 30.0  # seconds
# A pause as short as this is waited for; during a longer one calls fail at once.
PATIENCE: Final = 1.0  # seconds

_PRODUCTION: Final = "https://tuf-repo-cdn.sigstore.dev"  # under this name sigstore ships its trusted root
_FIRST: Final = msgspec.msgpack.Decoder(Hello | Unusable)
_ANSWER: Final = msgspec.msgpack.Decoder(Answer)

Finding = Verified | Rejected | Unsupported


class VerifierTimeout(InbondError):
    """The verifier did not answer in time. Nothing is known about the file: it is *unavailable*, not rejected."""


class VerifierFailed(InbondError):
    """The verifier ended, or could not be asked. Nothing is known about the file either."""


class VerifierProcess:
    """A verifier process, kept running between `start` and `aclose`.

    Args:
        root: path of a `trusted_root.json`; read anew whenever a process starts.
        call_timeout: seconds a verification may take.
        start_timeout: seconds a process may take to say hello.
        max_waiting: calls that may wait; more fail with `VerifierFailed`.
        command: what to start instead of `inbond.gateway.verifier_worker`; it must speak the same frames.
    """

    def __init__(
        self,
        root: Path,
        *,
        call_timeout: float = CALL_TIMEOUT,
        start_timeout: float = START_TIMEOUT,
        max_waiting: int = MAX_WAITING,
        command: Sequence[str] | None = None,
    ) -> None:
        # -P: what lies in the working directory is not imported
        worker = (sys.executable, "-P", "-m", "inbond.gateway.verifier_worker", "--root", str(root))
        self._command = tuple(command) if command is not None else worker
        self._call_timeout = call_timeout
        self._start_timeout = start_timeout
        self._waiting: asyncio.Queue[_Call] = asyncio.Queue(max_waiting)
        self._numbers = count(1)
        self._hello: Hello | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._under_way: _Call | None = None
        self._worker: asyncio.Task[None] | None = None
        self._ends = 0  # in a row
        self._pause_until = 0.0  # event loop time
        self._closed = False

    @property
    def hello(self) -> Hello:
        """What the process said when it started last. Only after `start`."""
        if self._hello is None:
            raise RuntimeError("the verifier process was not started")
        return self._hello

    def trust_of(self, upstream: str) -> str:  # noqa: ARG002 (one root vouches for all)
        """The digest of what vouches for files of an upstream; it may change when a process is replaced."""
        return self.hello.trusted_root_sha256

    @property
    def alive(self) -> bool:
        """Whether a process is running now. Where it is not, the next call starts one."""
        return self._process is not None and self._process.returncode is None

    @property
    def failing(self) -> bool:
        """Whether the process has ended several times in a row, with no verification in between."""
        return self._ends > 1

    @property
    def pid(self) -> int | None:
        """The process's id, None where none is running."""
        return self._process.pid if self._process is not None and self.alive else None

    async def start(self) -> None:
        """Starts the process. Raises OperatorFault: ConfigurationError where the trusted root cannot be used."""
        await self._spawn()
        self._worker = asyncio.create_task(self._work(), name="verifier")

    async def verify(
        self, provenance: bytes, *, upstream: str, filename: Filename, sha256: str, now: datetime
    ) -> Finding:
        """The finding about one file's provenance; what `ProvenanceVerifier.verify` gives, over there.

        Raises VerifierTimeout and VerifierFailed; both mean *unavailable*. ValueError where `sha256` is
        no digest or `now` has no zone.
        """
        check_question(sha256=sha256, now=now)
        refused = over_limit(provenance, trusted_root_sha256=self.trust_of(upstream), now=now)
        if refused is not None:
            return refused
        if self._closed:
            raise VerifierFailed("the verifier is shut down")
        name = str(filename)  # msgpack takes no subclass
        request = Request(id=next(self._numbers), filename=name, sha256=sha256, provenance=provenance, now=now)
        answer: asyncio.Future[Finding] = asyncio.get_running_loop().create_future()
        call = _Call(id=request.id, frame=frame(request), answer=answer)
        try:
            self._waiting.put_nowait(call)
        except asyncio.QueueFull:
            raise VerifierFailed("too many files wait to be verified", remedy="try again in a few seconds") from None
        return await call.answer

    async def aclose(self) -> None:
        """Ends the process; calls that wait fail with VerifierFailed. May be called at any time, also twice."""
        self._closed = True
        if self._worker is not None:
            self._worker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._worker
        await self._end()
        shut_down = VerifierFailed("the verifier is shut down")
        if self._under_way is not None:
            self._under_way.fail(shut_down)
        while not self._waiting.empty():
            self._waiting.get_nowait().fail(shut_down)

    # --- one call after the other

    async def _work(self) -> None:
        while True:
            self._under_way = call = await self._waiting.get()
            if call.answer.done():  # its caller has gone
                continue
            try:
                call.settle(await self._answered(call))
            except InbondError as error:
                call.fail(error)
            except Exception as error:  # noqa: BLE001 (the loop must go on: without it all calls would hang)
                await self._ended()
                call.fail(VerifierFailed(f"the verifier process cannot be used: {error}"))

    async def _answered(self, call: _Call) -> Finding:
        for _ in range(2):
            process = await self._ready()
            try:
                async with asyncio.timeout(self._call_timeout):
                    finding = await _ask(process, call)
            except TimeoutError:
                await self._ended()
                raise VerifierTimeout(f"the verifier did not answer within {self._call_timeout:g} s") from None
            except _Broken:
                await self._ended()
            else:
                self._ends = 0
                return finding
        raise VerifierFailed("the verifier process ended twice while it checked this file")

    # --- the process

    async def _ready(self) -> asyncio.subprocess.Process:
        """A running process, started where there is none."""
        if self._process is not None and self.alive:
            return self._process
        pause = self._pause_until - asyncio.get_running_loop().time()
        if pause > PATIENCE:
            raise VerifierFailed(
                f"the verifier process ended {self._ends} times in a row; it is started again in {pause:.0f} s"
            )
        await asyncio.sleep(max(0.0, pause))
        try:
            return await self._spawn()
        except OperatorFault as error:
            await self._ended()
            raise VerifierFailed(error.message, remedy=error.remedy) from error

    async def _spawn(self) -> asyncio.subprocess.Process:
        await self._end()
        pipe = asyncio.subprocess.PIPE
        try:
            # Its stderr is ours: what the libraries log stands in the log.
            self._process = process = await asyncio.create_subprocess_exec(*self._command, stdin=pipe, stdout=pipe)
            async with asyncio.timeout(self._start_timeout):
                self._hello = await _greeting(process)
        except TimeoutError:
            await self._end()
            raise OperatorFault(
                f"the verifier process did not start within {self._start_timeout:g} s",
                remedy="see its messages in the log; a machine under heavy load may need another try",
            ) from None
        except OSError as error:
            raise OperatorFault(f"the verifier process cannot be started: {error}") from error
        except OperatorFault:
            await self._end()
            raise
        return process

    async def _ended(self) -> None:
        """Ends the process after something went wrong, and notes how long to pause."""
        await self._end()
        self._ends += 1
        if self._ends > 1:  # the first is replaced at once
            pause = min(FIRST_PAUSE * 2.0 ** min(self._ends - 2, 10), LONGEST_PAUSE)
            self._pause_until = asyncio.get_running_loop().time() + pause

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


@dataclass(slots=True, kw_only=True, eq=False)
class _Call:
    """A request and the caller that waits for its answer."""

    id: int
    frame: bytes
    answer: asyncio.Future[Finding]

    def settle(self, finding: Finding) -> None:
        if not self.answer.done():
            self.answer.set_result(finding)

    def fail(self, error: InbondError) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class _Broken(Exception):
    """The process ended, or what it said is no answer to what it was asked."""


async def _ask(process: asyncio.subprocess.Process, call: _Call) -> Finding:
    assert process.stdin is not None
    try:
        process.stdin.write(call.frame)
        await process.stdin.drain()
        answer = _ANSWER.decode(await _frame(process))
        evidence = decode_evidence(answer.evidence)
    except (OSError, EOFError, ValueError, msgspec.MsgspecError) as error:
        raise _Broken from error
    if answer.id != call.id or not isinstance(evidence, Verified | Rejected | Unsupported):
        raise _Broken
    return evidence


async def _greeting(process: asyncio.subprocess.Process) -> Hello:
    try:
        first: Hello | Unusable = _FIRST.decode(await _frame(process))
    except (OSError, EOFError, ValueError, msgspec.MsgspecError) as error:
        raise OperatorFault(
            "the verifier process ended before it was ready", remedy="see its messages in the log"
        ) from error
    if isinstance(first, Unusable):
        raise ConfigurationError(first.message, remedy=first.remedy)
    return first


async def _frame(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None
    return await process.stdout.readexactly(body_length(await process.stdout.readexactly(HEADER_BYTES)))


def bundled_root_path() -> Path:
    """The trusted root of the public Sigstore that sigstore ships, found without importing it. Raises OperatorFault."""
    spec = find_spec("sigstore")
    if spec is not None and spec.origin is not None:
        path = Path(spec.origin).parent / "_store" / quote(_PRODUCTION, safe="") / "trusted_root.json"
        if path.is_file():
            return path
    raise OperatorFault(
        "sigstore and the trusted root it ships are not installed",
        remedy="install inbond with its pinned requirements, or name a trusted_root.json in [trust.public]",
    )

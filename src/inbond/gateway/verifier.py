"""The serving process's side of the verifier process: asks it, and has it started again when it must.

A few requests are sent ahead, so that the process need not wait for the next; the others wait here and not in the
pipe. It works through them in order, so the first without an answer is the one it is at: a hang or a crash belongs to
that provenance, and a poisonous one takes down only its own file. Those behind it are asked of the next process.

- A call that takes longer than `CALL_TIMEOUT`, from when the one before it was answered, kills the process; its
  caller gets `VerifierTimeout`. An answer that is there by then counts: it was this process that was late.
- A process that ends, or says something that is no answer, is replaced and the request asked once more; then its
  caller gets `VerifierFailed`. Ends in a row are followed by growing pauses, during which calls fail at once.
- A caller that goes away changes nothing: its request is skipped, or its answer dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Final

import msgspec

from inbond.attest.limits import check_question, over_limit
from inbond.attest.wire import decode_evidence
from inbond.gateway.verifier_child import START_TIMEOUT, Child, Frames, UnusableRoot, VerifierFailed
from inbond.gateway.verifier_frames import Answer, Hello, Request, frame
from inbond.gateway.verifier_spare import WORKER, Spare
from inbond.model.errors import InbondError
from inbond.model.evidence import Rejected, Unsupported, Verified
from inbond.model.names import Filename
from inbond.model.trust import KeyUse, Trust

__all__ = ["Answered", "UnusableRoot", "VerifierFailed", "VerifierProcess", "VerifierTimeout"]

CALL_TIMEOUT: Final = 5.0  # seconds; an honest verification takes 1 to 10 ms
LATE: Final = 0.1  # seconds for an answer that lies in the pipe already
MAX_WAITING: Final = 4096  # calls; at most 10 kB each as a rule, and 5 s of work
# Calls sent and not answered. Two keep the process busy; more make up for an event loop that is late by some ms.
SENT_AHEAD: Final = 16
TRIES: Final = 2  # of one call, each with a process of its own

_ANSWER: Final = msgspec.msgpack.Decoder(Answer)

Finding = Verified | Rejected | Unsupported


class VerifierTimeout(InbondError):
    """The verifier did not answer in time. Nothing is known about the file: it is *unavailable*, not rejected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A finding, and the keys that signed each attestation where they were asked for and the finding is `Verified`."""

    finding: Finding
    keys: tuple[tuple[KeyUse, ...], ...] = ()


class VerifierProcess:
    """A verifier process with trusted roots that stay, kept running between `start` and `aclose`.

    Args:
        trust: the roots, and which of them each upstream trusts.
        call_timeout: seconds a verification may take.
        start_timeout: seconds a process may take to say hello.
        max_waiting: calls that may wait; more fail with `VerifierFailed`.
        command: what to start instead of `inbond.gateway.verifier_worker`; it must speak the same frames.
        spare: of a process that was begun before, which then is the first.
    """

    def __init__(
        self,
        trust: Trust,
        *,
        call_timeout: float = CALL_TIMEOUT,
        start_timeout: float = START_TIMEOUT,
        max_waiting: int = MAX_WAITING,
        command: Sequence[str] = WORKER,
        spare: Spare | None = None,
    ) -> None:
        self.trust: Final = trust
        self._digests = {upstream: trust.digest(names) for upstream, names in trust.by_upstream.items()}
        self._call_timeout = call_timeout
        self._child = Child(trust, start_timeout=start_timeout, command=command, spare=spare or Spare())
        self._waiting: asyncio.Queue[_Call] = asyncio.Queue(max_waiting)
        self._under_way: deque[_Call] = deque()  # in the order in which they were, or will be, asked
        self._frames: Frames | None = None  # of the process that those marked as sent were sent to
        self._open: set[_Call] = set()  # those that somebody waits for
        self._numbers = count(1)
        self._worker: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def hello(self) -> Hello:
        """What the process said when it started last. Only after `start`."""
        if self._child.hello is None:
            raise RuntimeError("the verifier process was not started")
        return self._child.hello

    def trust_of(self, upstream: str) -> str:
        """The digest of what vouches for files of an upstream."""
        return self._digests[upstream]

    @property
    def alive(self) -> bool:
        """Whether a process is running now. Where it is not, the next call starts one."""
        return self._child.alive

    @property
    def failing(self) -> bool:
        """Whether the process has ended several times in a row, with no verification in between."""
        return self._child.failing

    @property
    def pid(self) -> int | None:
        """The process's id, None where none is running."""
        return self._child.pid

    async def start(self) -> None:
        """Starts the process. Raises OperatorFault: `UnusableRoot` where a trusted root cannot be used."""
        await self._child.start()
        self._worker = asyncio.create_task(self._work(), name="verifier")

    async def verify(
        self, provenance: bytes, *, upstream: str, filename: Filename, sha256: str, now: datetime
    ) -> Finding:
        """The finding about one file's provenance; what `ProvenanceVerifier.verify` gives, over there.

        Raises VerifierTimeout and VerifierFailed; both mean *unavailable*. ValueError where `sha256` is
        no digest or `now` has no zone.
        """
        trust = self.trust_of(upstream)
        return (await self.ask(provenance, trust=trust, filename=filename, sha256=sha256, now=now)).finding

    async def ask(
        self, provenance: bytes, *, trust: str, filename: Filename, sha256: str, now: datetime, keys: bool = False
    ) -> Answered:
        """As `verify`, under any of the sets of scopes, by its digest; with `keys`, also who signed."""
        check_question(sha256=sha256, now=now)
        refused = over_limit(provenance, trusted_root_sha256=trust, now=now)
        if refused is not None:
            return Answered(finding=refused)
        if self._closed:
            raise VerifierFailed("the verifier is shut down")
        name = str(filename)  # msgpack takes no subclass
        number = next(self._numbers)
        request = Request(
            id=number, trust=trust, filename=name, sha256=sha256, provenance=provenance, now=now, keys=keys
        )
        call = _Call(id=number, frame=frame(request), answer=asyncio.get_running_loop().create_future())
        try:
            self._waiting.put_nowait(call)
        except asyncio.QueueFull:
            raise VerifierFailed("too many files wait to be verified", remedy="try again in a few seconds") from None
        self._open.add(call)
        try:
            return await call.answer
        finally:
            self._open.discard(call)

    async def finish(self, *, within: float) -> None:
        """Takes no new calls, waits at most so many seconds for those under way, and closes."""
        self._closed = True
        if answers := [call.answer for call in self._open]:
            await asyncio.wait(answers, timeout=within)
        await self.aclose()

    async def aclose(self) -> None:
        """Ends the process; calls that wait fail with VerifierFailed. May be called at any time, also twice."""
        self._closed = True
        if self._worker is not None:
            self._worker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._worker
        await self._child.end()
        shut_down = VerifierFailed("the verifier is shut down")
        while not self._waiting.empty():
            self._under_way.append(self._waiting.get_nowait())
        for call in self._under_way:
            call.fail(shut_down)

    # --- the calls, in order

    async def _work(self) -> None:
        while True:
            if not self._under_way:
                self._take(await self._waiting.get())
            while len(self._under_way) < SENT_AHEAD and not self._waiting.empty():
                self._take(self._waiting.get_nowait())
            if self._under_way:
                await self._step(self._under_way[0])

    def _take(self, call: _Call) -> None:
        if not call.answer.done():  # its caller has not gone
            self._under_way.append(call)

    async def _step(self, call: _Call) -> None:
        """Has the first call answered, and the others sent; ends with the first call done, or to be asked again."""
        try:
            process = await self._child.ready()
            answered = await self._answered(process, call)
        except VerifierFailed as error:
            call.fail(error)
        except TimeoutError:
            await self._child.ended()
            call.fail(VerifierTimeout(f"the verifier did not answer within {self._call_timeout:g} s"))
        except _Broken:
            await self._child.ended()
            call.tries += 1
            if call.tries < TRIES and not call.answer.done():
                return
            call.fail(VerifierFailed("the verifier process ended twice while it checked this file"))
        except Exception as error:  # noqa: BLE001 (the loop must go on: without it all calls would hang)
            await self._child.ended()
            call.fail(VerifierFailed(f"the verifier process cannot be used: {error}"))
        else:
            self._child.answered()
            call.settle(answered)
        self._under_way.popleft()

    async def _answered(self, process: asyncio.subprocess.Process, call: _Call) -> Answered:
        """Raises TimeoutError, _Broken."""
        fresh = self._frames is None or self._frames.process is not process
        if self._frames is None or fresh:
            self._frames = Frames(process)
        try:
            async with asyncio.timeout(self._call_timeout):
                await self._send(process, fresh=fresh)
                return await _answer(self._frames, call)
        except TimeoutError:
            # The event loop may have stood still all that time, with the answer there.
            async with asyncio.timeout(LATE):
                return await _answer(self._frames, call)

    async def _send(self, process: asyncio.subprocess.Process, *, fresh: bool) -> None:
        """Sends what this process was not sent yet; all where it is a fresh one."""
        assert process.stdin is not None
        frames: list[bytes] = []
        for call in self._under_way:
            if fresh or not call.sent:
                call.sent = True
                frames.append(call.frame)
        if not frames:
            return
        try:
            process.stdin.writelines(frames)
            await process.stdin.drain()
        except OSError as error:
            raise _Broken from error


@dataclass(slots=True, kw_only=True, eq=False)
class _Call:
    """A request and the caller that waits for its answer."""

    id: int
    frame: bytes
    answer: asyncio.Future[Answered]
    sent: bool = False
    tries: int = 0  # processes that ended while they were at it

    def settle(self, answered: Answered) -> None:
        if not self.answer.done():
            self.answer.set_result(answered)

    def fail(self, error: InbondError) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class _Broken(Exception):
    """The process ended, or what it said is no answer to what it was asked."""


async def _answer(frames: Frames, call: _Call) -> Answered:
    try:
        answer = _ANSWER.decode(await frames.read())
        evidence = decode_evidence(answer.evidence)
    except (OSError, EOFError, ValueError, msgspec.MsgspecError) as error:
        raise _Broken from error
    if answer.id != call.id or not isinstance(evidence, Verified | Rejected | Unsupported):
        raise _Broken
    return Answered(finding=evidence, keys=answer.keys)

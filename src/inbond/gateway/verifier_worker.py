"""The verifier process: `python -m inbond.gateway.verifier_worker --root trusted_root.json`.

It alone imports sigstore (93 MB, and work that holds the interpreter's lock), and it may be killed at any moment:
it keeps nothing. Messages are msgpack in frames of a length of four bytes, on stdin and stdout. It says hello first,
or why it cannot; then each request has one answer, in order. It ends when its stdin does, which is when its parent
is gone, in the middle of a verification too.

This module is read by both sides; what is heavy is imported when the process starts.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import queue
import resource
import signal
import struct
import sys
import threading
import traceback
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, NoReturn

import msgspec

from inbond.attest.wire import encode_evidence
from inbond.model.errors import ConfigurationError, OperatorFault
from inbond.model.names import Filename

if TYPE_CHECKING:
    from inbond.attest.verify import ProvenanceVerifier

# Above the limit of a provenance object and what stands around it; a longer frame is not one of ours.
MAX_FRAME_BYTES: Final = 2**20
# Of address space; 220 MiB are in use after the start. Where hostile input wants more, this process ends and no other.
MAX_ADDRESS_SPACE: Final = 2**30

_LENGTH: Final = struct.Struct("!I")
_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h


class Hello(msgspec.Struct, tag="hello", frozen=True, kw_only=True):
    """The first frame: what verifies here, and against what."""

    sigstore_version: str
    pypi_attestations_version: str
    publish_predicate_type: str  # its host's parent domain is the preset index
    trusted_root_sha256: str


class Unusable(msgspec.Struct, tag="unusable", frozen=True, kw_only=True):
    """The first frame where nothing can be verified: the trusted root cannot be used."""

    message: str
    remedy: str | None


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """Verify one provenance object. `id` comes back with the answer."""

    id: int
    filename: str
    sha256: str
    provenance: bytes
    now: datetime


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The evidence, encoded as `inbond.attest.wire` does."""

    id: int
    evidence: bytes


def frame(message: msgspec.Struct) -> bytes:
    """A message as it goes over a pipe."""
    body = msgspec.msgpack.encode(message)
    return _LENGTH.pack(len(body)) + body


def body_length(header: bytes) -> int:
    """The length in a frame's header. Raises ValueError for one that no frame of ours has."""
    length: int = _LENGTH.unpack(header)[0]
    if not 0 < length <= MAX_FRAME_BYTES:
        raise ValueError("not a frame")
    return length


HEADER_BYTES: Final = _LENGTH.size


def main() -> int:
    """Serves requests until stdin ends; returns 1 where the trusted root cannot be used, or after a crash."""
    # Who stops the server by Ctrl-C or SIGTERM means the parent; this process ends after it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    parser = argparse.ArgumentParser(prog="python -m inbond.gateway.verifier_worker")
    parser.add_argument("--root", type=Path, required=True)
    root: Path = parser.parse_args().root
    requests, answers = _take_pipes()
    _die_with_parent()
    _bound_memory()
    try:
        verifier = _verifier(root)
    except OperatorFault as error:
        _send(answers, Unusable(message=error.message, remedy=error.remedy))
        return 1
    _send(answers, _hello(verifier))
    try:
        _serve(verifier, requests, answers)
    except BaseException:  # noqa: BLE001 (out of memory above all: the parent hears the pipe close)
        traceback.print_exc()
    os._exit(1)  # at once: the reading thread would hold up an orderly end


def _verifier(root: Path) -> ProvenanceVerifier:
    from inbond.attest.verify import ProvenanceVerifier  # noqa: PLC0415 (imports sigstore: only in this process)

    try:
        raw = root.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"the trusted root {root} cannot be read: {error.strerror}",
            remedy="name a trusted_root.json that this user may read",
        ) from error
    return ProvenanceVerifier.public(raw)


def _hello(verifier: ProvenanceVerifier) -> Hello:
    from inbond.attest.verify import PUBLISH_PREDICATE_TYPE  # noqa: PLC0415 (as above)

    return Hello(
        sigstore_version=version("sigstore"),
        pypi_attestations_version=version("pypi-attestations"),
        publish_predicate_type=PUBLISH_PREDICATE_TYPE,
        trusted_root_sha256=verifier.trusted_root_sha256,
    )


def _serve(verifier: ProvenanceVerifier, requests: BinaryIO, answers: BinaryIO) -> NoReturn:
    waiting: queue.SimpleQueue[Request] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(requests, waiting), daemon=True).start()
    while True:
        request = waiting.get()
        evidence = verifier.verify(
            request.provenance, filename=Filename(request.filename), sha256=request.sha256, now=request.now
        )
        _send(answers, Answer(id=request.id, evidence=encode_evidence(evidence)))


def _receive(requests: BinaryIO, waiting: queue.SimpleQueue[Request]) -> None:
    """Reads ahead, so that the end of stdin is noticed during a verification."""
    decoder = msgspec.msgpack.Decoder(Request)
    try:
        while header := requests.read(HEADER_BYTES):
            waiting.put(decoder.decode(requests.read(body_length(header))))
    except (ValueError, struct.error, msgspec.MsgspecError) as error:
        print(f"verifier: not a request: {error}", file=sys.stderr)  # noqa: T201 (stderr is this process's log)
        os._exit(1)
    os._exit(0)


def _send(answers: BinaryIO, message: msgspec.Struct) -> None:
    answers.write(frame(message))
    answers.flush()


def _take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Stdin and stdout for the frames alone: whatever a library prints goes to stderr."""
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return requests, answers


def _die_with_parent() -> None:
    """Linux: also before stdin is read, and if another process should hold its other end."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _bound_memory() -> None:
    if sys.platform == "linux":
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        soft = MAX_ADDRESS_SPACE if hard == resource.RLIM_INFINITY else min(hard, MAX_ADDRESS_SPACE)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


if __name__ == "__main__":
    raise SystemExit(main())

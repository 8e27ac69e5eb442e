"""The verifier process: `python -m inbond.gateway.verifier_worker`.

It alone imports sigstore (93 MB, and work that holds the interpreter's lock), and it may be killed at any moment:
it keeps nothing. Stdin first brings the trusted roots, so that one that is started anew judges by those that were
accepted, whatever became of their files. It says hello, or why it cannot; then each request has one answer, in order.
It ends when its stdin does, which is when its parent is gone, in the middle of a verification too.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import queue
import resource
import signal
import sys
import threading
import traceback
from collections.abc import Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, BinaryIO, Final, NoReturn

import msgspec

from inbond.attest.wire import encode_evidence
from inbond.gateway.verifier_frames import (
    HEADER_BYTES,
    MAX_SETUP_BYTES,
    Answer,
    Hello,
    Request,
    Setup,
    Unusable,
    body_length,
    frame,
)
from inbond.model.errors import ConfigurationError
from inbond.model.evidence import Verified
from inbond.model.names import Filename
from inbond.model.trust import RootFacts, TrustScope

if TYPE_CHECKING:
    from inbond.attest.verify import ProvenanceVerifier

# Of address space; 220 MiB are in use after the start. Where hostile input wants more, this process ends and no other.
MAX_ADDRESS_SPACE: Final = 2**30

_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h


class _UnusableScope(Exception):
    """The root of a scope is none."""

    def __init__(self, scope: str, error: ConfigurationError) -> None:
        super().__init__(scope)
        self.said = Unusable(scope=scope, message=error.message, remedy=error.remedy)


def main() -> int:
    """Serves requests until stdin ends; returns 1 where a trusted root cannot be used, or after a crash."""
    # Who stops the server by Ctrl-C or SIGTERM means the parent; this process ends after it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    requests, answers = _take_pipes()
    _die_with_parent()
    _bound_memory()
    importlib.import_module("inbond.attest.verify")  # with sigstore, and before anything is said: see `verifier_spare`
    setup = _setup(requests)
    if setup is None:
        return 0
    try:
        roots = _facts(setup)
    except _UnusableScope as error:
        _send(answers, error.said)
        return 1
    verifiers = _verifiers(setup)
    _send(answers, _hello(tuple(verifiers), roots))
    try:
        _serve(verifiers, requests, answers)
    except BaseException:  # noqa: BLE001 (out of memory above all: the parent hears the pipe close)
        traceback.print_exc()
    os._exit(1)  # at once: the reading thread would hold up an orderly end


def _setup(requests: BinaryIO) -> Setup | None:
    """The first frame; None where stdin ends without one."""
    header = requests.read(HEADER_BYTES)
    if not header:
        return None
    try:
        return msgspec.msgpack.decode(requests.read(body_length(header, limit=MAX_SETUP_BYTES)), type=Setup)
    except (ValueError, msgspec.MsgspecError) as error:
        _refuse(error)


def _facts(setup: Setup) -> dict[str, RootFacts]:
    from inbond.attest.root import Root  # noqa: PLC0415 (imports sigstore: only in this process)

    facts: dict[str, RootFacts] = {}
    for scope in setup.scopes:
        try:
            facts[scope.name] = Root(scope.root).facts
        except ConfigurationError as error:
            raise _UnusableScope(scope.name, error) from error
    return facts


def _verifiers(setup: Setup) -> Mapping[str, ProvenanceVerifier]:
    from inbond.attest.verify import ProvenanceVerifier  # noqa: PLC0415 (as above)

    scopes = {one.name: TrustScope(name=one.name, root=one.root, issuers=one.issuers) for one in setup.scopes}
    verifiers = (ProvenanceVerifier([scopes[name] for name in names]) for names in setup.sets)
    return {one.trusted_root_sha256: one for one in verifiers}


def _hello(digests: tuple[str, ...], roots: dict[str, RootFacts]) -> Hello:
    from inbond.attest.verify import PUBLISH_PREDICATE_TYPE  # noqa: PLC0415 (as above)

    return Hello(
        sigstore_version=version("sigstore"),
        pypi_attestations_version=version("pypi-attestations"),
        publish_predicate_type=PUBLISH_PREDICATE_TYPE,
        digests=digests,
        roots=roots,
    )


def _serve(verifiers: Mapping[str, ProvenanceVerifier], requests: BinaryIO, answers: BinaryIO) -> NoReturn:
    from inbond.attest.keys import signing_keys  # noqa: PLC0415 (as above)

    waiting: queue.SimpleQueue[Request] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(requests, waiting), daemon=True).start()
    while True:
        request = waiting.get()
        evidence = verifiers[request.trust].verify(
            request.provenance, filename=Filename(request.filename), sha256=request.sha256, now=request.now
        )
        wanted = request.keys and isinstance(evidence, Verified)
        keys = signing_keys(request.provenance) if wanted else ()
        _send(answers, Answer(id=request.id, evidence=encode_evidence(evidence), keys=keys))


def _receive(requests: BinaryIO, waiting: queue.SimpleQueue[Request]) -> None:
    """Reads ahead, so that the end of stdin is noticed during a verification."""
    decoder = msgspec.msgpack.Decoder(Request)
    try:
        while header := requests.read(HEADER_BYTES):
            waiting.put(decoder.decode(requests.read(body_length(header))))
    except (ValueError, msgspec.MsgspecError) as error:
        _refuse(error)
    os._exit(0)


def _refuse(error: Exception) -> NoReturn:
    print(f"verifier: not a request: {error}", file=sys.stderr)  # noqa: T201 (stderr is this process's log)
    os._exit(1)


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

"""A TUF repository on 127.0.0.1, which distributes a trusted root, and may go wrong.

    with TufRepository(sigstore.trusted_root()) as repository:
        repository.url, repository.root_json     # what a client starts from
        repository.publish(another)              # the next version of everything
        repository.faults = {"slow"}

The metadata are python-tuf's own, each role with one key.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

from securesystemslib.signer._crypto_signer import CryptoSigner
from tuf.api._payload import MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.api.metadata import Metadata

TARGET: Final = "trusted_root.json"
ROLES: Final = ("root", "timestamp", "snapshot", "targets")
LONG: Final = timedelta(days=30)
HUGE: Final = 64 * 2**20  # bytes
# What the server does with any answer: cuts it, drips it, never ends it, says nothing, sends elsewhere, fails.
Fault = Literal["truncated", "slow", "huge", "mute", "redirect", "broken"]


class TufRepository:
    """A repository for as long as the block lasts. `fetched` are the paths that were asked for."""

    def __init__(self, target: bytes, *, tls: ssl.SSLContext | None = None) -> None:
        self.scheme = "http" if tls is None else "https"
        self.faults: set[Fault] = set()
        self.fetched: list[str] = []
        self.files: dict[str, bytes] = {}
        self.signers = {role: CryptoSigner.generate_ed25519() for role in ROLES}
        self.version = 0
        self.root_version = 0
        self._root = Root(expires=_later(LONG), consistent_snapshot=True)
        for role in ROLES:
            self._root.add_key(self.signers[role].public_key, role)
        self._publish_root(self.signers["root"])
        self.root_json = self.files["1.root.json"]
        self.publish(target)
        self._stopped = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Its address."""
        return f"{self.scheme}://127.0.0.1:{self._server.server_port}"

    def write_root(self, place: Path) -> Path:
        """The file that a client begins with."""
        path = place / "root.json"
        path.write_bytes(self.root_json)
        return path

    # --- what it distributes

    def publish(
        self, target: bytes | None, *, expires: timedelta = LONG, unsigned: str = "", length: int | None = None
    ) -> None:
        """The next version of all metadata; None: without a target.

        `expires`: from now on, of the timestamp. `unsigned`: the role whose signature is another key's. `length`: what
        the metadata say of the target's.
        """
        self.version += 1
        targets = Targets(version=self.version, expires=_later(LONG))
        if target is not None:
            info = TargetFile.from_data(TARGET, target, ["sha256"])
            self.files[f"targets/{info.hashes['sha256']}.{TARGET}"] = target
            info.length = len(target) if length is None else length
            targets.targets[TARGET] = info
        snapshot = Snapshot(version=self.version, expires=_later(LONG))
        snapshot.meta["targets.json"] = MetaFile(version=self.version)
        timestamp = Timestamp(version=self.version, expires=_later(expires))
        timestamp.snapshot_meta = MetaFile(version=self.version)
        self.files[f"{self.version}.targets.json"] = self._signed("targets", targets, unsigned)
        self.files[f"{self.version}.snapshot.json"] = self._signed("snapshot", snapshot, unsigned)
        self.files["timestamp.json"] = self._signed("timestamp", timestamp, unsigned)

    def rotate(self) -> None:
        """A new root key, signed by the old one too."""
        old, new = self.signers["root"], CryptoSigner.generate_ed25519()
        self._root.revoke_key(old.public_key.keyid, "root")
        self._root.add_key(new.public_key, "root")
        self.signers["root"] = new
        self._publish_root(old, new)

    @contextmanager
    def as_of_now(self) -> Iterator[None]:
        """What it serves after the block is what it serves now."""
        files, version = dict(self.files), self.version
        yield
        self.files, self.version = files, version

    def _publish_root(self, *signers: CryptoSigner) -> None:
        self.root_version += 1
        self._root.version = self.root_version
        metadata = Metadata(self._root)
        for signer in signers:
            metadata.sign(signer, append=True)
        self.files[f"{self.root_version}.root.json"] = metadata.to_bytes()

    def _signed(self, role: str, signed: Targets | Snapshot | Timestamp, unsigned: str) -> bytes:
        metadata: Metadata[Any] = Metadata(signed)
        metadata.sign(CryptoSigner.generate_ed25519() if role == unsigned else self.signers[role])
        return metadata.to_bytes()

    # --- how it answers

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        repository = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                with suppress(OSError):
                    repository._answer(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the library's name)
                pass

        return Handler

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        path = request.path.lstrip("/")
        self.fetched.append(path)
        body = self.files.get(path)
        if "mute" in self.faults:
            self._stopped.wait()
            return
        status = 500 if "broken" in self.faults else 302 if "redirect" in self.faults else 404 if body is None else 200
        request.send_response(status)
        if status == 302:
            request.send_header("Location", f"{self.url}/elsewhere/{path}")
        whole = HUGE if "huge" in self.faults and status == 200 else len(body or b"")
        request.send_header("Content-Length", str(whole if status == 200 else 0))
        request.end_headers()
        if status == 200 and body is not None:
            self._send(request, body)

    def _send(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        if "truncated" in self.faults:
            request.wfile.write(body[: len(body) // 2])
        elif "huge" in self.faults:
            request.wfile.write(body)
            for _ in range(HUGE // 2**16):
                request.wfile.write(b" " * 2**16)
        elif "slow" in self.faults:
            for at in range(len(body)):
                request.wfile.write(body[at : at + 1])
                if self._stopped.wait(0.2):
                    return
        else:
            request.wfile.write(body)


def _later(by: timedelta) -> datetime:
    return (datetime.now(UTC) + by).replace(microsecond=0)

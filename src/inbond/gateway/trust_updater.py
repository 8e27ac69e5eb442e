"""The updater process: `python -P -m inbond.gateway.trust_updater`; one question on stdin, one answer on stdout.

It fetches a scope's trusted root by TUF (python-tuf), and ends. It reads signatures and JSON that strangers sent, so it
has a process of its own, which may be killed at any moment: files are replaced whole. Of several that are started for
one scope, in one inbond or in many, one works while the others wait.

This module is read by both sides; what is heavy is imported when the process starts.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
import ssl
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final
from urllib.parse import urljoin

import msgspec
from yarl import URL

from inbond.gateway.trust import MAX_ROOT_BYTES
from inbond.gateway.trust_kept import Fetched, Kept, RootLost
from inbond.model.errors import InbondError, OperatorFault
from inbond.model.text import printable
from inbond.store.files import make_private
from inbond.upstream.proxies import Proxies

if TYPE_CHECKING:
    from tuf.api._payload import TargetFile
    from tuf.ngclient.fetcher import FetcherInterface
    from tuf.ngclient.updater import Updater

TARGET: Final = "trusted_root.json"  # under this name TUF repositories of a Sigstore distribute it
MAX_TOTAL_BYTES: Final = 16 * 2**20  # of all that one refresh reads; the public Sigstore's is about 200 kB
MAX_METADATA_BYTES: Final = 2**20  # of one file of metadata; the public Sigstore's largest has 10 kB
SOCKET_SECONDS: Final = 10.0  # for a connection, and without a byte
GRACE_SECONDS: Final = 5.0  # after which it ends itself; the parent was to end it before
CHUNK_BYTES: Final = 64 * 1024
TRIES: Final = 2  # further ones, where a connection fails
MAX_SAID_CHARS: Final = 300  # of what a repository gives as the reason: it stands in alerts and in a small file
MAX_ADDRESS_SPACE: Final = 2**30  # of address space; 200 MiB are in use when the libraries are there


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """The question. `bootstrap`: the root.json by which the repository is first believed.

    `seconds`: for all of it, also if nobody waits any more. `install`: whether what was fetched is put in its place, or
    only given back.
    """

    directory: str
    url: str
    repository: str  # its identity, for the record
    bootstrap: bytes
    proxies: Proxies
    user_agent: str
    shipped_sha256: str | None
    seconds: float
    install: bool


class Got(msgspec.Struct, tag="got", frozen=True, kw_only=True):
    """The newest root, read and found to be one."""

    root: bytes
    record: Fetched


class NotGot(msgspec.Struct, tag="not-got", frozen=True, kw_only=True):
    """Why there is none. What was there before still is."""

    message: str
    remedy: str | None


def main() -> int:
    """Answers the question; 0 where it could."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # who stops the command means this one too: no traceback
    os.umask(0o077)  # the library's directories too are for this user alone
    question, answers = _take_pipes()
    _bound_memory()
    wanted = msgspec.msgpack.decode(question, type=Wanted)
    signal.setitimer(signal.ITIMER_REAL, wanted.seconds + GRACE_SECONDS)  # SIGALRM ends it, also without a parent
    answer: Got | NotGot
    try:
        answer = fetch(wanted)
    except InbondError as error:
        answer = NotGot(message=error.message, remedy=error.remedy)
    except Exception as error:  # noqa: BLE001 (what strangers sent may make a library raise anything)
        answer = NotGot(message=_short(f"{type(error).__name__}: {error}"), remedy=None)
    answers.write(msgspec.msgpack.encode(answer))
    answers.close()
    return 0 if isinstance(answer, Got) else 1


def fetch(wanted: Wanted) -> Got:
    """Asks the repository, and keeps what it has. Raises InbondError."""
    kept = Kept(directory=Path(wanted.directory))
    with kept.alone():
        raw = _fetched(wanted, kept)
        _require_root(wanted, raw)
        record = _record(wanted, kept, raw)
        if wanted.install:
            kept.install(raw, record)
    return Got(root=raw, record=record)


def _fetched(wanted: Wanted, kept: Kept) -> bytes:
    from tuf.api.exceptions import DownloadError, RepositoryError  # noqa: PLC0415 (heavy: only in this process)
    from tuf.ngclient.config import UpdaterConfig  # noqa: PLC0415 (as above)
    from tuf.ngclient.updater import Updater  # noqa: PLC0415 (as above)

    make_private(kept.metadata)
    tempfile.tempdir = str(kept.metadata)  # the library's, on the disk that has room for its result too
    try:
        updater = Updater(
            metadata_dir=str(kept.metadata),
            metadata_base_url=wanted.url,
            target_base_url=urljoin(f"{wanted.url.rstrip('/')}/", "targets/"),
            fetcher=_fetcher(wanted),
            config=UpdaterConfig(targets_max_length=MAX_METADATA_BYTES, snapshot_max_length=MAX_METADATA_BYTES),
            bootstrap=wanted.bootstrap,
        )
        return _download(updater, _target(updater, wanted), kept)
    except DownloadError as error:
        raise _NotFetched(wanted, _said(error), remedy=_REACH) from error
    except RepositoryError as error:
        raise _NotFetched(wanted, f"{_said(error)} ({type(error).__name__})", remedy=_BELIEVE) from error


def _target(updater: Updater, wanted: Wanted) -> TargetFile:
    target = updater.get_targetinfo(TARGET)
    if target is None:
        raise _NotFetched(wanted, f"it distributes no {TARGET}", remedy="name the TUF repository of a Sigstore")
    if target.length > MAX_ROOT_BYTES:
        raise _NotFetched(wanted, f"its {TARGET} is larger than {MAX_ROOT_BYTES // 1024} KiB", remedy=None)
    return target


def _download(updater: Updater, target: TargetFile, kept: Kept) -> bytes:
    path = updater.find_cached_target(target, str(kept.root))
    if path is not None:
        return kept.root.read_bytes()
    with tempfile.TemporaryDirectory(dir=kept.metadata) as place:
        return Path(updater.download_target(target, str(Path(place) / TARGET))).read_bytes()


def _require_root(wanted: Wanted, raw: bytes) -> None:
    from inbond.attest.root import Root  # noqa: PLC0415 (imports sigstore: only in this process)

    try:
        Root(raw)
    except OperatorFault as error:
        raise _NotFetched(wanted, error.message, remedy=_UPGRADE) from error


def _record(wanted: Wanted, kept: Kept, raw: bytes) -> Fetched:
    now = datetime.now(UTC)
    digest = sha256(raw).hexdigest()
    before: tuple[bytes, Fetched] | None = None
    with suppress(RootLost):
        before = kept.read()
    same = before[1] if before is not None and before[1].sha256 == digest else None
    return Fetched(
        sha256=digest,
        by="tuf",
        where=wanted.url,
        repository=wanted.repository,
        installed_at=same.installed_at if same is not None else now,
        confirmed_at=now,
        shipped_sha256=wanted.shipped_sha256,
    )


_REACH: Final = "see that the TUF repository can be reached; HTTPS_PROXY and SSL_CERT_FILE count as for an upstream"
_BELIEVE: Final = "nothing was taken over; if it stays, tell those who run the TUF repository or its mirror"

_UPGRADE: Final = "nothing was taken over; a newer inbond, with a newer sigstore, may be able to read it"


class _NotFetched(OperatorFault):
    def __init__(self, wanted: Wanted, reason: str, *, remedy: str | None) -> None:
        super().__init__(f"no trusted root from {wanted.url}: {_short(reason)}", remedy=remedy)


def _said(error: Exception) -> str:
    """What happened: the system's word for it, where there is one behind the libraries' layers; else their own."""
    for behind in _behind(error):
        match behind:
            case socket.gaierror():
                return "its name does not resolve"
            case ssl.SSLCertVerificationError():
                return f"its certificate is not to be trusted: {behind.verify_message}"
            case OSError(strerror=str(reason)) if reason:
                return f"no connection: {reason}"
    cause = error.__cause__
    return f"{error}: {cause}" if cause is not None and str(cause) else str(error) or type(error).__name__


def _short(text: str) -> str:
    """What strangers may have worded, fit for a line."""
    cut = printable(text[: MAX_SAID_CHARS + 1])
    return cut if len(cut) <= MAX_SAID_CHARS else cut[: MAX_SAID_CHARS - 1] + "…"


def _behind(error: BaseException) -> Iterator[BaseException]:
    """The errors that an error came of; urllib3 keeps the one that its last try ended with as `reason`."""
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        reason = getattr(found, "reason", None)
        found = reason if isinstance(reason, BaseException) else found.__cause__ or found.__context__


def _fetcher(wanted: Wanted) -> FetcherInterface:
    """Fetches as an upstream's client does: the same proxies, the same certificates, no redirects, bounded."""
    import urllib3  # noqa: PLC0415 (heavy: only in this process)
    from tuf.api.exceptions import (  # noqa: PLC0415 (as above)
        DownloadError,
        DownloadHTTPError,
        DownloadLengthMismatchError,
    )
    from tuf.ngclient.fetcher import FetcherInterface  # noqa: PLC0415 (as above)

    from inbond.upstream.certificates import system_trust  # noqa: PLC0415 (as above)

    class Fetcher(FetcherInterface):
        read = 0  # bytes

        def _fetch(self, url: str) -> Iterator[bytes]:
            pool = self._pool(url)
            answer = pool.request("GET", url, preload_content=False, redirect=False)
            if answer.status != 200:  # noqa: PLR2004 (HTTP's own number)
                answer.close()
                raise DownloadHTTPError(f"{url} was answered {answer.status}", answer.status)
            return self._chunks(answer)

        def _pool(self, url: str) -> urllib3.PoolManager:
            proxy = wanted.proxies.for_url(URL(url))
            common: dict[str, Any] = {
                "ssl_context": system_trust(),
                "headers": {"User-Agent": wanted.user_agent, "Accept-Encoding": "identity"},
                "timeout": urllib3.Timeout(connect=SOCKET_SECONDS, read=SOCKET_SECONDS),
                "retries": urllib3.Retry(TRIES, redirect=False, status=0),
            }
            if proxy is None:
                return urllib3.PoolManager(**common)
            secret = {"Proxy-Authorization": proxy.authorization} if proxy.authorization else {}
            return urllib3.ProxyManager(proxy.url, proxy_headers=secret, proxy_ssl_context=system_trust(), **common)

        def _chunks(self, answer: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
            try:
                for chunk in answer.stream(CHUNK_BYTES, decode_content=False):
                    self.read += len(chunk)
                    if self.read > MAX_TOTAL_BYTES:
                        raise DownloadLengthMismatchError(f"more than {MAX_TOTAL_BYTES >> 20} MiB in all")
                    yield chunk
            except urllib3.exceptions.HTTPError as error:
                raise DownloadError(f"a download from {wanted.url} broke off") from error
            finally:
                answer.close()

    return Fetcher()


def _take_pipes() -> tuple[bytes, BinaryIO]:
    """The whole question, and stdout for the answer alone: whatever a library prints goes to stderr."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return sys.stdin.buffer.read(), answers


def _bound_memory() -> None:
    if sys.platform == "linux":
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        soft = MAX_ADDRESS_SPACE if hard == resource.RLIM_INFINITY else min(hard, MAX_ADDRESS_SPACE)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


if __name__ == "__main__":
    raise SystemExit(main())

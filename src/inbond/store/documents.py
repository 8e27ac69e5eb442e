"""Small values by key, in diskcache hardened (`inbond.store.hardened`), behind a protocol that never fails its caller.

A value is sealed: its sha256 together with its key stands before it. What is read and does not fit its seal is
missing, is told as `DocumentRefused`, and is replaced by the next put. A database that diskcache trips over is moved
aside and an empty one takes its place, at opening and while serving alike.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from diskcache.core import DBNAME  # type: ignore[import-untyped, unused-ignore]

from inbond.model.errors import StoreUnavailable
from inbond.model.events import Alert, DocumentRefused, Event, Observer
from inbond.store.disk import DISK, Disk
from inbond.store.files import Held, exclusively, make_private, set_aside, unavailable
from inbond.store.hardened import LOCK_SECONDS, BytesCache, Refused, Tampered, examine
from inbond.store.protocols import MAX_DOCUMENT_BYTES, MAX_KEY_BYTES
from inbond.store.reading import TOGETHER_KEYS, ReadsTogether
from inbond.store.turns import Turns

BATCH_KEYS: Final = 250  # asked for in one statement
OPENED_WITHIN: Final = 10.0  # seconds at the start, while another process opens it
OPENED_AGAIN_AFTER: Final = 10.0  # seconds in which nobody waits again for a lock that was held all the time
WORKERS: Final = 2  # one may wait for a commit while the other reads

_SEAL_BYTES: Final = hashlib.sha256().digest_size
_SEAL_PREFIX: Final = b"inbond document 1\n"

# What the machine does to a database, which says nothing about its content (https://sqlite.org/rescode.html).
_ENVIRONMENT: Final = frozenset({
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_FULL, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PERM, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_READONLY,
})  # fmt: skip
_PRIMARY_CODE: Final = 0xFF

T = TypeVar("T")


def open_documents(
    directory: Path,
    *,
    size_limit: int,
    limit: Callable[[], int] | None = None,
    observer: Observer,
    disk: Disk = DISK,
) -> DiskDocuments:
    """Opens the documents in `directory`, of which at most about `size_limit` bytes are kept, oldest put out first.

    `limit`: what counts instead, asked at every put; it may block, and raise OSError.

    What is not as it was left is moved aside to `<directory>.broken-<n>`, with an alert. Blocks for tens of
    milliseconds. Raises StoreUnavailable where not even an empty one can be made.
    """
    return DiskDocuments(directory, size_limit=size_limit, limit=limit, observer=observer, disk=disk)


class DiskDocuments:
    """`Documents` on disk. Events are told on the event loop's thread. Close it with `aclose`."""

    def __init__(
        self,
        directory: Path,
        *,
        size_limit: int,
        limit: Callable[[], int] | None = None,
        observer: Observer,
        disk: Disk = DISK,
    ) -> None:
        self._directory = directory
        self._disk = disk
        self._size_limit = size_limit  # as last reckoned
        self._limit = limit
        self._observer = observer
        self._events: deque[Event] = deque()
        self._failing = False  # which was told
        self._connections: list[sqlite3.Connection] = []
        self._replacing = threading.Lock()
        self._not_before = 0.0  # of the monotonic clock: when another cache may be opened
        self._turns = Turns(directory)
        self._local = threading.local()
        try:
            self._cache = self._open()
        except (OSError, sqlite3.Error) as error:
            self._close_connections()
            self._turns.close()
            if isinstance(error, Held):
                raise StoreUnavailable(
                    f"the document cache cannot be opened: {error}",
                    remedy="see which process has that file open (lsof)",
                ) from error
            raise unavailable("open the document cache", _as_os_error(error)) from error
        finally:
            self._tell()
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="documents")
        self._reads = ReadsTogether(self._pool, self._read, self._tell)

    async def get(self, key: str) -> bytes | None:
        """The bytes that were put under exactly this key, or None."""
        return await self._reads.one(checked(key))

    async def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        """See `Documents.get_many`."""
        wanted = [checked(key) for key in keys]
        if len(wanted) > TOGETHER_KEYS:
            return await self._run(self._get_many, wanted)
        return await self._reads.many(wanted) if wanted else {}

    async def put(self, key: str, value: bytes) -> None:
        """Keeps `value`, or tells an alert; one over the limit is not kept, nor is what the key held before."""
        await self.put_many({key: value})

    async def put_soon(self, key: str, value: bytes) -> None:
        """As `put`: it is written before this returns."""
        await self.put_many({key: value})

    async def delete(self, key: str) -> None:
        """Forgets the key."""
        await self.put_many({key: None})

    async def put_many(self, values: Mapping[str, bytes | None]) -> None:
        """As `put` for each of them, or `delete` for None, in one transaction: all of it is kept, or nothing."""
        await self._run(self._put_many, {checked(key): self._fitting(key, value) for key, value in values.items()})

    def _fitting(self, key: str, value: bytes | None) -> bytes | None:
        if value is None or len(value) <= MAX_DOCUMENT_BYTES:
            return value
        self._alert("document-too-large", f"{key}: {len(value)} bytes are over {MAX_DOCUMENT_BYTES}; not kept")
        return None

    async def aclose(self) -> None:
        """Waits for what is under way, and closes. Calling it twice is fine."""
        await self._reads.wait()
        await asyncio.to_thread(self._close)
        self._tell()

    def _close(self) -> None:
        self._pool.shutdown()
        self._close_connections()
        self._turns.close()

    def _close_connections(self) -> None:
        for connection in self._connections:
            connection.close()
        self._connections.clear()

    async def _run(self, work: Callable[..., T], *args: object) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work, *args)
        finally:
            self._tell()

    def _tell(self) -> None:
        while self._events:
            self._observer(self._events.popleft())

    def _alert(self, name: str, message: str) -> None:
        self._events.append(Alert(name=name, message=message))

    # What follows blocks, and runs in the pool.

    def _read(self, alone: Sequence[str], many: Sequence[str]) -> dict[str, bytes]:
        found = self._get_many(many)
        return found | {key: value for key in alone if (value := self._get(key)) is not None}

    def _get(self, key: str) -> bytes | None:
        cache = self._current()
        try:
            sealed = cache.get(key)
            return None if sealed is None else _unseal(key, sealed)
        except Refused as refused:
            self._refuse(refused.reason)
        except Exception as error:  # noqa: BLE001 (whatever diskcache trips over is a document that cannot be had)
            self._refuse("unreadable")
            self._mend(cache, error)
        return None

    def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for first in range(0, len(keys), BATCH_KEYS):
            batch = keys[first : first + BATCH_KEYS]
            for key, value in self._small(batch).items():
                whole = self._get(key) if value is None else self._unsealed(key, value)
                if whole is not None:
                    found[key] = whole
        return found

    def _small(self, keys: Sequence[str]) -> Mapping[str, bytes | None]:
        """What lies under the keys, still sealed; None where it must be asked for alone."""
        cache = self._current()
        try:
            return cache.get_small(keys)
        except Exception:  # noqa: BLE001 (one by one, the row that did it is found and refused)
            return dict.fromkeys(keys)

    def _unsealed(self, key: str, sealed: bytes) -> bytes | None:
        try:
            return _unseal(key, sealed)
        except Refused as refused:
            self._refuse(refused.reason)
            return None

    def _put_many(self, values: Mapping[str, bytes | None]) -> None:
        sealed = {key: None if value is None else _seal(key, value) + value for key, value in values.items()}
        limit = self._reckoned()
        self._write(lambda cache: _set(cache, sealed, limit))

    def _reckoned(self) -> int:
        if self._limit is not None:
            with contextlib.suppress(OSError):  # the limit before goes on
                self._size_limit = self._limit()
        return self._size_limit

    def _write(self, work: Callable[[BytesCache], object]) -> None:
        for _ in range(2):  # once more in the empty cache, if this one had to be replaced
            cache = self._current()
            try:
                with self._turns.taken(LOCK_SECONDS):
                    work(cache)
            except Exception as error:  # noqa: BLE001 (as in _get; a cache does not fail its caller)
                if not self._mend(cache, error):
                    return
            else:
                self._failing = False
                return

    def _current(self) -> BytesCache:
        cache = self._cache
        if cache.identity != _identity(self._directory):
            self._replace(cache, damaged=None)  # the operator, or another process, took it away
            cache = self._cache
        if getattr(self._local, "cache", cache) is not cache:
            self._local.cache.close()  # this thread's connection to the one before
        self._local.cache = cache
        return cache

    def _refuse(self, reason: str) -> None:
        self._events.append(DocumentRefused(reason=reason))

    def _mend(self, failed: BytesCache, error: Exception) -> bool:
        """Replaces a cache that is damaged; whether there is another one now."""
        if _is_environment(error):
            with self._replacing:
                if self._cache is not failed:
                    return True  # it was being set aside: what failed says nothing of the one that took its place
            if not self._failing:  # told once, and not for each request
                self._alert("document-store-failing", f"the document cache cannot be used: {_first(error)}")
            self._failing = True
            return False
        return self._replace(failed, damaged=str(_first(error)))

    def _replace(self, failed: BytesCache, *, damaged: str | None) -> bool:
        with self._replacing:
            if self._cache is not failed:
                return True  # another thread was faster
            if time.monotonic() < self._not_before:
                return False
            try:
                self._cache = self._open(failed, damaged)
            except Held as error:
                self._not_before = time.monotonic() + OPENED_AGAIN_AFTER
                self._alert("document-store-failing", f"no new document cache can be made: {error}")
                return False
            except Exception as error:  # noqa: BLE001 (as in _get)
                self._alert("document-store-failing", f"no new document cache can be made: {_first(error)}")
                return False
            return True

    def _open(self, failed: BytesCache | None = None, damaged: str | None = None) -> BytesCache:
        make_private(self._directory.parent, self._disk)
        at_most = OPENED_WITHIN if failed is None else LOCK_SECONDS
        with exclusively(self._directory.with_name(f"{self._directory.name}.lock"), at_most=at_most):
            # Of several processes that found the same damage one sets it aside, and the others open what it made.
            if failed is not None and damaged is not None and failed.identity == _identity(self._directory):
                self._set_aside(damaged)
            try:
                return self._try_open()
            except (Tampered, NotADirectoryError) as error:
                self._set_aside(str(error))
            except Exception as error:
                if isinstance(error, OSError) or _is_environment(error):
                    raise
                self._set_aside(str(_first(error)))
            return self._try_open()

    def _try_open(self) -> BytesCache:
        make_private(self._directory, self._disk)
        examine(self._directory)
        cache = BytesCache(self._directory, size_limit=self._size_limit, connections=self._connections)
        cache.identity = _identity(self._directory)
        cache.disk.removed = lambda: self._refuse("file")
        return cache

    def _set_aside(self, reason: str) -> None:
        aside = set_aside(self._directory, self._disk)
        self._alert("document-store-set-aside", f"the document cache was not as it was left ({reason}): now {aside}")


def _set(cache: BytesCache, sealed: Mapping[str, bytes | None], limit: int) -> None:
    with cache.transact():
        for key, value in sealed.items():
            if value is None:
                cache.delete(key)
            else:
                cache.set(key, value)
    _cull(cache, limit)


def _cull(cache: BytesCache, limit: int) -> None:
    cache.size_limit = limit
    if cache.volume() > limit:
        cache.cull()


def checked(key: str) -> str:
    """A key that can be one. Raises ValueError."""
    if not 0 < len(key.encode()) <= MAX_KEY_BYTES:
        raise ValueError(f"a document's key has 1 to {MAX_KEY_BYTES} bytes, not {len(key.encode())}")
    return key


def _seal(key: str, value: bytes) -> bytes:
    name = key.encode()
    digest = hashlib.sha256(_SEAL_PREFIX + len(name).to_bytes(4, "big") + name)
    digest.update(value)
    return digest.digest()


def _unseal(key: str, sealed: bytes) -> bytes:
    value = sealed[_SEAL_BYTES:]
    if sealed[:_SEAL_BYTES] != _seal(key, value):
        raise Refused("digest")
    return value


def _identity(directory: Path) -> tuple[int, int] | None:
    try:
        status = (directory / DBNAME).lstat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _first(error: BaseException) -> BaseException:
    # diskcache rolls back after an error, which fails in turn where SQLite already has; what counts came first.
    while error.__context__ is not None:
        error = error.__context__
    return error


def _as_os_error(error: OSError | sqlite3.Error) -> OSError:
    if isinstance(error, OSError):
        return error
    full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    return OSError(errno.ENOSPC, str(error)) if full else OSError(str(error))


def _is_environment(error: BaseException) -> bool:
    first = _first(error)
    code = getattr(first, "sqlite_errorcode", None)
    return isinstance(first, OSError | MemoryError) or (code is not None and code & _PRIMARY_CODE in _ENVIRONMENT)

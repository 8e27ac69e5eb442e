"""Where trusted roots come from, a scope each; what becomes of them is `inbond.gateway.trust_keeper`'s.

A source gives bytes and judges nothing: whether they are a root, and may take the place of the one in force, is found
out by `inbond.gateway.trust_candidate`, in a verifier process of its own.
"""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO, Final, Protocol
from urllib.parse import quote

from inbond.model.errors import ConfigurationError, OperatorFault
from inbond.model.trust import RootFacts

# The root of the public Sigstore, with keys of six years, has 7 kB.
MAX_ROOT_BYTES: Final = 256 * 1024
_PRODUCTION: Final = "https://tuf-repo-cdn.sigstore.dev"  # under this name sigstore ships its trusted root


class RootSource(Protocol):
    """Where the trusted root of one scope comes from."""

    @property
    def name(self) -> str:
        """The scope: NAME of `[trust.NAME]`."""
        ...

    @property
    def issuers(self) -> tuple[str, ...]:
        """The issuers that the scope vouches for, as in `inbond.model.trust.TrustScope`."""
        ...

    @property
    def where(self) -> str:
        """For people: a path, "bundled with sigstore", "tuf https://…"."""
        ...

    @property
    def origin(self) -> str:
        """For this machine: whose word it is. The last good root of another origin takes the place of none of this."""
        ...

    async def read(self) -> bytes:
        """The root's bytes as they are now, from this machine. Cheap: asked every few seconds.

        Raises OperatorFault (ConfigurationError where the configuration names what cannot be read).
        """
        ...

    async def refresh(self) -> bool:
        """Has the root fetched anew where that is possible; whether `read` may give another one since.

        Raises nothing for what goes wrong: the source tells it as an Alert.
        """
        ...

    async def as_of(self) -> datetime | None:
        """When the root on this machine was last known to be the newest there is; None where nothing says so."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSource:
    """A `trusted_root.json` that the operator looks after."""

    name: str
    path: Path
    issuers: tuple[str, ...] = ()

    @property
    def where(self) -> str:
        """The path."""
        return str(self.path)

    @property
    def origin(self) -> str:
        """The operator's hand, whichever the path."""
        return "file"

    async def read(self) -> bytes:
        """See `RootSource.read`."""
        return await asyncio.to_thread(read_root, self.path)

    async def refresh(self) -> bool:
        """False: nobody but the operator can change it."""
        return False

    async def as_of(self) -> datetime | None:
        """When the file was last written."""
        return await asyncio.to_thread(written_at, self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class BundledSource:
    """The root of the public Sigstore as the installed sigstore ships it."""

    name: str
    issuers: tuple[str, ...] = ()
    find: Callable[[], Path] | None = None  # instead of `bundled_root_path`, for tests

    @property
    def where(self) -> str:
        """Says that it came with sigstore."""
        return "bundled with sigstore"

    @property
    def origin(self) -> str:
        """The installed sigstore."""
        return "bundled"

    async def read(self) -> bytes:
        """See `RootSource.read`."""
        return await asyncio.to_thread(self._read)

    def _read(self) -> bytes:
        return read_root((self.find or bundled_root_path)())

    async def refresh(self) -> bool:
        """False: it changes with an upgrade of sigstore only."""
        return False

    async def as_of(self) -> datetime | None:
        """None: when it was installed says nothing of how old it is."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeStatus:
    """A scope as it stands: for readiness, metrics and those who look."""

    name: str
    where: str  # as its source says
    sha256: str  # of the root in force
    since: datetime  # when that came into force here; kept over restarts
    facts: RootFacts | None  # of the root in force; None until a verifier process has read it
    problem: str | None  # why the source's root is not in force, or why the one in force vouches for nothing new


def read_root(path: Path) -> bytes:
    """The bytes of a trusted root's file; at most `MAX_ROOT_BYTES`. Blocks. Raises ConfigurationError."""
    try:
        with _opened(path) as file:
            raw = file.read(MAX_ROOT_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(
            f"the trusted root {path} cannot be read: {error.strerror or error}",
            remedy="name a trusted_root.json that this user may read",
        ) from error
    if len(raw) > MAX_ROOT_BYTES:
        raise ConfigurationError(
            f"the trusted root {path} is larger than {MAX_ROOT_BYTES // 1024} KiB",
            remedy="name a trusted_root.json, as Sigstore's TUF repository distributes it",
        )
    return raw


def written_at(path: Path) -> datetime | None:
    """When a file was last written; None where that cannot be seen. Blocks."""
    with suppress(OSError):
        return datetime.fromtimestamp(path.stat().st_mtime, tz=UTC)
    return None


def _opened(path: Path) -> BinaryIO:
    """A regular file; a link may lead to it, as where it is mounted. A pipe would wait for its writer for ever."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return os.fdopen(handle, "rb")


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

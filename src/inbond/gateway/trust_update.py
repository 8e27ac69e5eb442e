"""A trusted root that keeps itself fresh: `root = "auto"`.

Which root is the newest. One that TUF gave takes the place of the one that sigstore ships, as long as sigstore ships
the one it shipped then. After an upgrade of sigstore, and until TUF has been asked again, that with the later beginning
of a key counts, or where that is the same the one in which more keys have ended; with neither, what TUF gave. What
sigstore ships counts only for its own repository: with a `tuf_root` of the operator's there is nothing shipped.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NoReturn
from urllib.parse import unquote

import msgspec

from inbond import __version__
from inbond.gateway.clock import Clock
from inbond.gateway.trust import bundled_root_path, read_root
from inbond.gateway.trust_kept import Attempt, Fetched, Kept
from inbond.gateway.trust_updater import Got, NotGot, Wanted
from inbond.model.errors import ConfigurationError, OperatorFault
from inbond.model.events import Alert, Observer
from inbond.upstream.proxies import DIRECT, Proxies

UPDATE_SECONDS: Final = 60.0  # a refresh that takes longer is killed; an honest one takes 1 to 3 s
DAILY: Final = timedelta(days=1)  # the public Sigstore's TUF metadata are signed anew every few days
AFTER_FAILURE: Final = timedelta(hours=1)
JUST_NOW: Final = timedelta(hours=1)  # a start so soon after a refresh needs none
JITTER: Final = 0.2  # of a pause: many inbonds do not ask at the same moment
OLD: Final = timedelta(days=30)  # without a refresh that worked: somebody should look
USER_AGENT: Final = f"inbond/{__version__}"

_ANSWER: Final = msgspec.msgpack.Decoder(Got | NotGot)


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A TUF repository as configured. None: the public Sigstore's address, and the root.json that sigstore ships."""

    url: str | None = None
    root: Path | None = None
    proxies: Proxies = field(default=DIRECT, repr=False)


class RootNotFetched(OperatorFault):
    """There is no answer from the TUF repository, or none to be believed. What was there before still is."""


class AutoSource:
    """A `RootSource` that asks a TUF repository.

    Args:
        name: the scope.
        directory: its own, below the ledger's directory.
        command: what to start instead of `inbond.gateway.trust_updater`.
        find_shipped: finds the trusted root that sigstore ships; its root.json stands beside it.
    """

    def __init__(
        self,
        *,
        name: str,
        directory: Path,
        repository: Repository,
        clock: Clock,
        observer: Observer,
        issuers: tuple[str, ...] = (),
        seconds: float = UPDATE_SECONDS,
        command: tuple[str, ...] | None = None,
        find_shipped: Callable[[], Path] = bundled_root_path,
    ) -> None:
        self.name: Final = name
        self.issuers: Final = issuers
        self.kept: Final = Kept(directory=directory)
        self._repository = repository
        self._clock = clock
        self._observer = observer
        self._seconds = seconds
        # -P: what lies in the working directory is not imported
        self._command = command or (sys.executable, "-P", "-m", "inbond.gateway.trust_updater")
        self._find_shipped = find_shipped
        self._at_once = asyncio.Lock()
        self._asked = False

    @property
    def where(self) -> str:
        """The repository's address, which stands in the configuration or in sigstore."""
        return f"tuf {self._repository.url or self._public_url()}"

    async def read(self) -> bytes:
        """The newest root on this machine; where there is none at all, the repository is asked, once.

        Raises ConfigurationError where there is none then either.
        """
        found = await asyncio.to_thread(self.current)
        if found is None and not self._asked:
            await self.refresh()
            found = await asyncio.to_thread(self.current)
        if found is None:
            raise self.missing()
        return found[0]

    def missing(self) -> ConfigurationError:
        """The error for a scope that has no root on this machine."""
        attempt = self.kept.attempt()
        why = f": {attempt.problem}" if attempt is not None and attempt.problem else ""
        return ConfigurationError(
            f"there is no trusted root yet for [trust.{self.name}]{why}",
            remedy=f"have it fetched with inbond trust update --scope {self.name}, or from a file with --from FILE",
        )

    def current(self) -> tuple[bytes, Fetched | None] | None:
        """The newest root on this machine, and how it came here; None beside the one that sigstore ships. Blocks."""
        kept, shipped = self.kept.read(), self._shipped()
        if kept is None or shipped is None:
            return kept or (None if shipped is None else (shipped, None))
        raw, record = kept
        replaced = record is not None and record.shipped_sha256 == sha256(shipped).hexdigest()
        return kept if replaced or _age(raw) >= _age(shipped) else (shipped, None)

    async def refresh(self) -> bool:
        """Asks the repository; whether `read` gives another root since. What goes wrong is an Alert."""
        before = await asyncio.to_thread(self.current)
        try:
            await self.fetch(install=True)
        except OperatorFault as error:
            told = f"the trusted root of [trust.{self.name}] was not refreshed: {error.message}"
            self._observer(Alert(name="trusted-root-not-refreshed", message=told))
            return False
        after = await asyncio.to_thread(self.current)
        return after is not None and (before is None or before[0] != after[0])

    async def fetch(self, *, install: bool) -> Got:
        """What the repository has now; `install`: and puts it in its place. Raises RootNotFetched or OperatorFault."""
        async with self._at_once:
            self._asked = True
            try:
                got = await self._run(install=install)
            except OperatorFault as error:
                await asyncio.to_thread(self._note, error.message)
                raise
            await asyncio.to_thread(self._note, None)
            return got

    def install(self, raw: bytes, *, fetched: Fetched | None = None, file: Path | None = None) -> None:
        """Puts a root into its place that has been found good: one that was `fetched`, or from a file. Blocks.

        Raises StoreUnavailable.
        """
        shipped, now = self._shipped(), self._clock()
        record = fetched or Fetched(
            sha256=sha256(raw).hexdigest(),
            by="file",
            where=str(file),
            installed_at=now,
            confirmed_at=now,
            shipped_sha256=None if shipped is None else sha256(shipped).hexdigest(),
        )
        with self.kept.alone():
            self.kept.install(raw, record)

    async def keep_fresh(
        self,
        *,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> NoReturn:
        """Refreshes now and then daily, an hour after one that failed. Ends by being cancelled."""
        while True:
            await sleep(self.pause(chance()).total_seconds())
            await self.refresh()

    def pause(self, chance: float) -> timedelta:
        """How long to wait for the next refresh; `chance` is from 0 to 1."""
        attempt = self.kept.attempt()
        if not self._asked and (attempt is None or not timedelta() <= self._clock() - attempt.at < JUST_NOW):
            return timedelta()
        worked = attempt is not None and attempt.problem is None
        usual = DAILY if worked else AFTER_FAILURE
        return usual * (1 + JITTER * (chance - 0.5))

    def advice(self) -> str | None:
        """What an operator should know: no refresh has worked for long."""
        attempt = self.kept.attempt()
        if attempt is None or attempt.failing_since is None:
            return None
        kept = self.kept.read()
        record = kept[1] if kept is not None else None
        since = record.confirmed_at if record is not None else attempt.failing_since
        days = (self._clock() - since) // timedelta(days=1)
        if days < OLD.days:
            return None
        return f"the trusted root of [trust.{self.name}] has not been refreshed for {days} days: {attempt.problem}"

    # --- the process

    async def _run(self, *, install: bool) -> Got:
        wanted = await asyncio.to_thread(self._wanted, install=install)
        pipe = asyncio.subprocess.PIPE
        try:
            # Its stderr is ours: what the libraries log stands in the log.
            process = await asyncio.create_subprocess_exec(*self._command, stdin=pipe, stdout=pipe)
        except OSError as error:
            raise OperatorFault(f"the updater process cannot be started: {error}") from error
        try:
            async with asyncio.timeout(self._seconds):
                said, _ = await process.communicate(msgspec.msgpack.encode(wanted))
        except TimeoutError:
            raise RootNotFetched(
                f"{wanted.url} gave no trusted root within {self._seconds:g} s",
                remedy="see that the TUF repository can be reached; HTTPS_PROXY counts as for an upstream",
            ) from None
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        return _answer(said, process.returncode)

    def _wanted(self, *, install: bool) -> Wanted:
        shipped = self._shipped()
        root = self._repository.root
        return Wanted(
            directory=str(self.kept.directory),
            url=self._repository.url or self._public_url(),
            bootstrap=read_root(root if root is not None else self._find_shipped().with_name("root.json")),
            proxies=self._repository.proxies,
            user_agent=USER_AGENT,
            shipped_sha256=None if shipped is None else sha256(shipped).hexdigest(),
            seconds=self._seconds,
            install=install,
        )

    def _note(self, problem: str | None) -> None:
        now, before = self._clock(), self.kept.attempt()
        since = before.failing_since if before is not None and before.failing_since is not None else now
        self.kept.note(Attempt(at=now, problem=problem, failing_since=None if problem is None else since))

    # --- what sigstore ships

    def _shipped(self) -> bytes | None:
        if self._repository.root is not None:
            return None
        with suppress(OperatorFault):
            return read_root(self._find_shipped())
        return None

    def _public_url(self) -> str:
        # sigstore keeps what belongs to a repository in a directory of its address.
        return unquote(self._find_shipped().parent.name)


def _answer(said: bytes, code: int | None) -> Got:
    try:
        answer: Got | NotGot = _ANSWER.decode(said)
    except msgspec.MsgspecError:
        raise RootNotFetched(
            f"the updater process ended without an answer (exit code {code})", remedy="see its messages in the log"
        ) from None
    if isinstance(answer, NotGot):
        raise RootNotFetched(answer.message, remedy=answer.remedy)
    return answer


def _age(raw: bytes) -> tuple[str, int]:
    """What grows from one root to the next: the latest beginning of a key, and how many have an end."""
    try:
        windows = list(_windows(json.loads(raw)))
    except (ValueError, RecursionError):
        return "", 0
    # RFC 3339 in UTC, as the roots of a Sigstore have it, so the texts sort as the times.
    starts = (str(window.get("start", "")) for window in windows)
    return max(starts, default=""), sum("end" in window for window in windows)


def _windows(value: Any) -> Iterator[dict[str, Any]]:
    match value:
        case {"validFor": dict() as window, **others}:
            yield window
            yield from _windows(others)
        case dict():
            for below in value.values():
                yield from _windows(below)
        case list():
            for below in value:
                yield from _windows(below)

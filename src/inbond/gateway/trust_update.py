"""A trusted root that keeps itself fresh: `root = "auto"`.

It is fetched at a start, daily, and where somebody asks; `inbond.gateway.trust_newest` says which root then counts.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Final, NoReturn

import msgspec

from inbond import __version__
from inbond.gateway.clock import Clock
from inbond.gateway.trust import bundled_root_path, read_root
from inbond.gateway.trust_kept import Attempt, Fetched, Kept, RootLost
from inbond.gateway.trust_newest import Newest, Repository
from inbond.gateway.trust_updater import Got, NotGot, Wanted
from inbond.gateway.verifier_spare import spawn
from inbond.model.errors import ConfigurationError, OperatorFault
from inbond.model.events import Alert, Observer

__all__ = ["AutoSource", "Overtaken", "Repository", "RootNotFetched"]

UPDATE_SECONDS: Final = 60.0  # a refresh that takes longer is killed; an honest one takes 1 to 3 s
DAILY: Final = timedelta(days=1)  # the public Sigstore's TUF metadata are signed anew every few days
AFTER_FAILURE: Final = timedelta(hours=1)
JUST_NOW: Final = timedelta(hours=1)  # a start so soon after a refresh needs none
JITTER: Final = 0.2  # of a pause: many inbonds do not ask at the same moment
OLD: Final = timedelta(days=30)  # without a refresh that worked: somebody should look
USER_AGENT: Final = f"inbond/{__version__}"

_ANSWER: Final = msgspec.msgpack.Decoder(Got | NotGot)


class RootNotFetched(OperatorFault):
    """There is no answer from the TUF repository, or none to be believed. What was there before still is."""


class Overtaken(OperatorFault):
    """Another root was put into the place meanwhile: what was compared with is not what would be replaced."""


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
        self._newest = Newest(kept=self.kept, repository=repository, find_shipped=find_shipped)
        self._at_once = asyncio.Lock()
        self._asked = False
        self._sought_at: datetime | None = None  # when what was lost was asked for last

    @property
    def origin(self) -> str:
        """The repository's `identity`: it alone may have given the last good root."""
        return self._newest.origin

    @property
    def where(self) -> str:
        """The repository's address, which stands in the configuration or in sigstore."""
        return f"tuf {self._repository.url or self._newest.public_url()}"

    async def read(self) -> bytes:
        """The newest root on this machine; where there is none the repository is asked once, where it was lost hourly.

        Raises ConfigurationError where there is none then either, and RootLost.
        """
        try:
            found = await asyncio.to_thread(self.current)
        except RootLost:
            now = self._clock()
            if self._sought_at is not None and timedelta() <= now - self._sought_at < AFTER_FAILURE:
                raise
            self._sought_at = now
            await self.refresh()
            found = await asyncio.to_thread(self.current)
        self._sought_at = None
        if found is None and not self._asked:
            await self.refresh()
            found = await asyncio.to_thread(self.current)
        if found is None:
            raise self.missing()
        return found[0]

    def missing(self) -> ConfigurationError:
        """The error for a scope that has no root on this machine."""
        attempt = self.attempt()
        why = f": {attempt.problem}" if attempt is not None and attempt.problem else ""
        return ConfigurationError(
            f"there is no trusted root yet for [trust.{self.name}]{why}",
            remedy=f"have it fetched with inbond trust update --scope {self.name}, or from a file with --from FILE",
        )

    def current(self) -> tuple[bytes, Fetched | None] | None:
        """`Newest.current`, which blocks. Raises RootLost."""
        return self._newest.current()

    def attempt(self) -> Attempt | None:
        """The last refresh from this repository, None where there was none. Blocks."""
        attempt = self.kept.attempt()
        return attempt if attempt is not None and attempt.repository == self._repository.identity else None

    async def refresh(self) -> bool:
        """Asks the repository; whether `read` gives another root since. What goes wrong is an Alert."""
        before = await asyncio.to_thread(self._newest.digest)
        try:
            await self.fetch(install=True)
        except OperatorFault as error:
            told = f"the trusted root of [trust.{self.name}] was not refreshed: {error.message}"
            self._observer(Alert(name="trusted-root-not-refreshed", message=told))
            return False
        return await asyncio.to_thread(self._newest.digest) != before

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

    def install(
        self, raw: bytes, *, fetched: Fetched | None = None, file: Path | None = None, over: str | None = None
    ) -> None:
        """Puts a root into its place that has been found good: one that was `fetched`, or from a file. Blocks.

        `over`: the digest of the root that it was compared with. Raises StoreUnavailable, and Overtaken where another
        is there by now.
        """
        shipped, now = self._newest.shipped(), self._clock()
        record = fetched or Fetched(
            sha256=sha256(raw).hexdigest(),
            by="file",
            where=str(file),
            repository=None,
            installed_at=now,
            confirmed_at=now,
            shipped_sha256=None if shipped is None else sha256(shipped).hexdigest(),
        )
        with self.kept.alone():
            if over is not None and self._newest.digest() not in (over, None):
                raise Overtaken(
                    f"the trusted root of [trust.{self.name}] was replaced meanwhile, by a refresh or another command",
                    remedy="look at what is there with inbond trust show, and try again",
                )
            self.kept.install(raw, record)

    async def as_of(self) -> datetime | None:
        """When TUF last said that there is no newer one, or the operator gave it; None for one it never answered of."""
        found = None
        with suppress(OperatorFault):
            found = await asyncio.to_thread(self.current)
        return None if found is None or found[1] is None else found[1].confirmed_at

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
        attempt = self.attempt()
        if not self._asked and (attempt is None or not timedelta() <= self._clock() - attempt.at < JUST_NOW):
            return timedelta()
        worked = attempt is not None and attempt.problem is None
        usual = DAILY if worked else AFTER_FAILURE
        return usual * (1 + JITTER * (chance - 0.5))

    def advice(self) -> str | None:
        """What an operator should know: no refresh has worked for long."""
        attempt = self.attempt()
        if attempt is None or attempt.failing_since is None:
            return None
        record = self.kept.record()
        since = record.confirmed_at if record is not None and self._newest.is_ours(record) else attempt.failing_since
        days = (self._clock() - since) // timedelta(days=1)
        if days < OLD.days:
            return None
        return f"the trusted root of [trust.{self.name}] has not been refreshed for {days} days: {attempt.problem}"

    # --- the process

    async def _run(self, *, install: bool) -> Got:
        wanted = await asyncio.to_thread(self._wanted, install=install)
        try:
            process = await spawn(self._command)
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
        shipped = self._newest.shipped()
        root = self._repository.root
        return Wanted(
            directory=str(self.kept.directory),
            url=self._repository.url or self._newest.public_url(),
            repository=self._repository.identity,
            bootstrap=read_root(root if root is not None else self._find_shipped().with_name("root.json")),
            proxies=self._repository.proxies,
            user_agent=USER_AGENT,
            shipped_sha256=None if shipped is None else sha256(shipped).hexdigest(),
            seconds=self._seconds,
            install=install,
        )

    def _note(self, problem: str | None) -> None:
        now, before = self._clock(), self.attempt()
        since = before.failing_since if before is not None and before.failing_since is not None else now
        failing_since = None if problem is None else since
        repository = self._repository.identity
        self.kept.note(Attempt(at=now, repository=repository, problem=problem, failing_since=failing_since))


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

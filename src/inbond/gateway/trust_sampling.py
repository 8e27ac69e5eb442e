"""Keeps samples of what is verified while serving: looks at one file now and then, and writes behind."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Final

from inbond.gateway.trust_files import TrustFiles
from inbond.gateway.trust_samples import Sample, merged, sample_of, scope_of, with_sample
from inbond.gateway.verifier import Answered
from inbond.model.errors import StoreUnavailable
from inbond.model.events import Alert, Observer
from inbond.model.evidence import Verified
from inbond.model.names import Filename

# Whoever signed is asked of one file so often; it costs the verifier 0.1 ms.
LOOK_EVERY: Final = 1.0  # seconds


class Sampler:
    """The samples of all scopes, in memory and on disk. `issuers`: those that each scope vouches for."""

    def __init__(
        self,
        files: TrustFiles,
        issuers: Mapping[str, tuple[str, ...]],
        observer: Observer,
        *,
        look_every: float = LOOK_EVERY,
    ) -> None:
        self._files = files
        self._issuers = issuers
        self._observer = observer
        self._look_every = look_every
        self._look_at = 0.0  # event loop time
        self._samples: dict[str, tuple[Sample, ...]] = {}
        self._dropped: dict[str, set[Sample]] = {}  # by scope: which never come back
        self._unwritten: set[str] = set()
        self._writing: asyncio.Task[None] | None = None

    async def load(self) -> None:
        """Reads what was kept."""
        for scope in self._issuers:
            self._samples[scope] = await asyncio.to_thread(self._files.samples, scope)

    def of(self, scope: str) -> Sequence[Sample]:
        """The samples of a scope."""
        return self._samples.get(scope, ())

    def wanted(self) -> bool:
        """Whether to ask with which keys the next file was signed."""
        now = asyncio.get_running_loop().time()
        if now < self._look_at:
            return False
        self._look_at = now + self._look_every
        return True

    def offer(self, answered: Answered, provenance: bytes, *, filename: Filename, sha256: str) -> None:
        """Keeps a file as a sample, if it is one and shows something new."""
        finding = answered.finding
        scope = scope_of(finding) if isinstance(finding, Verified) else None
        if scope is None or not isinstance(finding, Verified):
            return
        new = sample_of(
            finding,
            provenance,
            filename=filename,
            sha256=sha256,
            keys=answered.keys,
            issuers=self._issuers[scope],
        )
        before = self._samples.get(scope, ())
        if new is not None and (after := with_sample(before, new)) is not before:
            self._samples[scope] = after
            self._keep(scope)

    def drop(self, scope: str, samples: Collection[Sample]) -> None:
        """Forgets samples that no root verifies any more."""
        if samples:
            self._dropped.setdefault(scope, set()).update(samples)
            self._samples[scope] = merged(self._samples[scope], (), dropped=samples)
            self._keep(scope)

    def _keep(self, scope: str) -> None:
        self._unwritten.add(scope)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        while self._unwritten:
            scope = self._unwritten.pop()
            ours, dropped = self._samples[scope], frozenset(self._dropped.get(scope, ()))
            # Another process may have written meanwhile: a command beside a server.
            change = partial(merged, ours=ours, dropped=dropped)
            try:
                await asyncio.to_thread(self._files.change_samples, scope, change)
            except StoreUnavailable as error:
                self._observer(Alert(name="trust-not-kept", message=error.message))

    async def aclose(self) -> None:
        """Waits for what is being written."""
        if self._writing is not None:
            await self._writing

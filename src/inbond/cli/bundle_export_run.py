"""Running an export: what was synced, judged again on this machine alone, and written as one signed file."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from inbond.bundles.keys import SigningKey
from inbond.bundles.manifest import DocumentKind, Manifest
from inbond.cli.bundle_keys import signing_key
from inbond.cli.check_locks import PATIENT
from inbond.cli.compose import Running, assembled
from inbond.cli.config import Config, Loaded, settings_of
from inbond.cli.config_show import policy_as_toml
from inbond.cli.transfer_progress import transferring
from inbond.cli.trust_sources import imported_documents, sources, trust_by_upstream, trust_dir
from inbond.cli.verifying import verifying
from inbond.gateway.clock import Clock, utc_now
from inbond.gateway.provenance import ProvenanceKeeper, Verifier
from inbond.mirror.exporting import Exporter, Extra, Gathered
from inbond.mirror.known_provenance import KnownProvenance
from inbond.mirror.outgoing import advisories_archive, trusted_roots
from inbond.mirror.spool import Spool
from inbond.mirror.synced import Synced, SyncedBook
from inbond.mirror.writing import read_base, require_replaceable, write_file, write_stream
from inbond.model.errors import ConfigurationError
from inbond.model.events import unobserved
from inbond.upstream.settings import UpstreamSettings

STREAM: Final = "-"
SYNCED: Final = "synced"  # the directory's name, below the mirror's

Verifying = Callable[[Config], AbstractAsyncContextManager[tuple[tuple[UpstreamSettings, ...], Verifier]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to export. `output`: a file, or "-". `since`: an earlier bundle, or its manifest."""

    name: str
    key: Path
    output: str
    since: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What came of it. `sha256`: of the manifest; `carried` in bytes: of the blobs that lie in the bundle."""

    gathered: Gathered
    sha256: str
    key: str
    output: str
    seconds: float

    @property
    def carried(self) -> int:
        """Bytes of the blobs in the file."""
        return sum(blob.size for blob in self.gathered.manifest.blobs if blob.carried)


@asynccontextmanager
async def _verifying(config: Config) -> AsyncIterator[tuple[tuple[UpstreamSettings, ...], Verifier]]:
    async with verifying(config) as found:
        yield found


async def run(loaded: Loaded, wanted: Wanted, *, clock: Clock = utc_now, verifier: Verifying = _verifying) -> Exported:
    """Exports a sync. Raises `OperatorFault`."""
    started = asyncio.get_running_loop().time()
    config = replace(settings_of(loaded), offline=True)
    key = signing_key(wanted.key)
    if wanted.output != STREAM:
        require_replaceable(Path(wanted.output))  # also at the end, which may be minutes away
    synced = SyncedBook(config.storage.mirror_dir / SYNCED).read(wanted.name)
    base = None if wanted.since is None else read_base(wanted.since, (key.public,))
    with tempfile.TemporaryDirectory(prefix="inbond-export-") as directory:
        spool = Spool(Path(directory))
        async with (
            verifier(config) as (upstreams, verifies),
            assembled(config, upstreams, verifies, clock=clock, limits=PATIENT, serving=False) as up,
        ):
            exporter = _exporter(config, up, synced, spool, clock)
            extras = [*_policy(loaded, config, synced), *await _outgoing(config, synced, Path(directory), clock)]
            gathered = await exporter.gather(
                synced,
                extras,
                base=base.sha256 if base is not None else None,
                there=base.blobs if base is not None else frozenset(),
            )
            sha256 = await asyncio.to_thread(_write, wanted.output, gathered.manifest, key, spool)
    seconds = asyncio.get_running_loop().time() - started
    return Exported(gathered=gathered, sha256=sha256, key=key.public.id, output=wanted.output, seconds=seconds)


def _exporter(config: Config, up: Running, synced: Synced, spool: Spool, clock: Clock) -> Exporter:
    base, index = up.parts.base, up.gateway.indexes.get(synced.index)
    if index is None:
        raise ConfigurationError(
            f"{synced.name} was synced through the index {synced.index!a}, which is not configured",
            remedy=f"configured are: {', '.join(up.gateway.indexes)}",
        )
    provenances = ProvenanceKeeper(base.upstreams, base.documents, clock, unobserved)
    return Exporter(
        index=index,
        pages=base.pages,
        judge=up.parts.judge,
        metadata=up.parts.metadata,
        provenance=KnownProvenance(provenances=provenances, documents=base.documents, upstreams=base.upstreams),
        upstreams=base.upstreams,
        ledger=base.ledger,
        blobs=up.parts.blobs,
        spool=spool,
        configured=config.decisions,
    )


def _policy(loaded: Loaded, config: Config, synced: Synced) -> Sequence[Extra]:
    named = {index.name: index.policy for index in config.indexes}
    policy = named.get(synced.index)
    if policy is None:
        return []
    content = policy_as_toml(loaded, policy).encode()
    return [Extra(kind=DocumentKind.POLICY, name=policy, content=content, as_of=synced.at)]


async def _outgoing(config: Config, synced: Synced, into: Path, clock: Clock) -> Sequence[Extra]:
    """The advisories that this side goes by, and the roots that it trusts for the upstreams of the index."""
    upstreams = next((index.upstreams for index in config.indexes if index.name == synced.index), ())
    trusted = {scope for name in upstreams for scope in trust_by_upstream(config).get(name, ())}
    roots = await trusted_roots(
        [source for source in sources(config, clock=clock) if source.name in trusted], trust_dir(config)
    )
    extras = [Extra(kind=DocumentKind.ROOT, name=root.scope, content=root.content, as_of=root.as_of) for root in roots]
    for source in config.advisories:
        archive = await asyncio.to_thread(
            advisories_archive,
            source,
            kept=config.storage.cache_dir / "advisories",
            find=partial(imported_documents(config).find, DocumentKind.ADVISORIES, source.name),
            into=into,
        )
        extras.append(Extra(kind=DocumentKind.ADVISORIES, name=source.name, content=archive.path, as_of=archive.as_of))
    return extras


def _write(output: str, manifest: Manifest, key: SigningKey, spool: Spool) -> str:
    size = sum(blob.size for blob in manifest.blobs if blob.carried)
    files = sum(blob.carried for blob in manifest.blobs)
    with transferring("writing", files=files, size=size) as told:
        if output == STREAM:
            return write_stream(sys.stdout.buffer, manifest, key, spool, told.bytes)
        return write_file(Path(output), manifest, key, spool, told.bytes)

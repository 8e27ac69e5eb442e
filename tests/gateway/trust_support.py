"""What the tests of trusted roots share: a source that a test sets, and a keeper over it with short waits."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from inbond.gateway.provenance import Verifier
from inbond.gateway.trust import RootSource
from inbond.gateway.trust_keeper import TrustKeeper
from inbond.gateway.verifier import Finding
from inbond.model.errors import OperatorFault
from inbond.model.events import Alert, Event
from inbond.model.names import Filename
from inbond.model.trust import PUBLIC
from sim.sigstore import GitHub, Identity, Sigstore

NAME = Filename("widgets-1.0.tar.gz")
SHA256 = hashlib.sha256(b"widgets").hexdigest()
UPSTREAM = "pypi"
ONLY_PUBLIC = {UPSTREAM: (PUBLIC,)}
SECONDS = 30.0  # a machine under load may take many times what a change takes


@dataclass
class SetSource:
    """A source whose root a test sets; an exception is raised. `fetched` is what a refresh brings."""

    root: bytes | OperatorFault
    name: str = PUBLIC
    issuers: tuple[str, ...] = ()
    fetched: bytes | None = None
    refreshes: list[float] = field(default_factory=list)  # event loop times
    reads: int = 0
    origin: str = "a test"
    known_at: datetime | None = None

    async def as_of(self) -> datetime | None:
        return self.known_at

    @property
    def where(self) -> str:
        return f"set by a test, {self.name}"

    async def read(self) -> bytes:
        self.reads += 1
        if isinstance(self.root, OperatorFault):
            raise self.root
        return self.root

    async def refresh(self) -> bool:
        self.refreshes.append(asyncio.get_running_loop().time())
        if self.fetched is None or self.fetched == self.root:
            return False
        self.root = self.fetched
        return True


class Heard:
    """An observer that remembers alerts."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []

    def __call__(self, event: Event) -> None:
        if isinstance(event, Alert):
            self.alerts.append(event)

    def named(self, name: str) -> list[str]:
        return [alert.message for alert in self.alerts if alert.name == name]


def keeper(
    sources: Sequence[RootSource],
    directory: Path,
    heard: Heard,
    *,
    by_upstream: Mapping[str, tuple[str, ...]] = ONLY_PUBLIC,
    poll_every: float = 0.05,
    refresh_every: float = 0.3,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    max_ages: Mapping[str, timedelta] = MappingProxyType({}),
) -> TrustKeeper:
    return TrustKeeper(
        sources,
        trust_by_upstream=by_upstream,
        directory=directory,
        clock=clock,
        observer=heard,
        poll_every=poll_every,
        look_every=0.0,
        refresh_every=refresh_every,
        max_ages=max_ages,
    )


@asynccontextmanager
async def started(kept: TrustKeeper) -> AsyncIterator[TrustKeeper]:
    try:
        await kept.start()
        yield kept
    finally:
        await kept.aclose()


async def ask(
    kept: Verifier, provenance: bytes, *, upstream: str = UPSTREAM, name: Filename = NAME, sha256: str = SHA256
) -> Finding:
    return await kept.verify(provenance, upstream=upstream, filename=name, sha256=sha256, now=datetime.now(UTC))


async def until(happens: Callable[[], object]) -> None:
    async with asyncio.timeout(SECONDS):
        while not happens():
            await asyncio.sleep(0.02)


def signed(by: Sigstore, identity: Identity | None = None, *, name: Filename = NAME) -> bytes:
    return by.provenance_for(name, SHA256, identity or GitHub())


def with_impostor(by: Sigstore) -> bytes:
    """A root like this Sigstore's, whose authority says the right key id and has another key."""
    key = ec.generate_private_key(ec.SECP256R1())
    genuine = by.ca_certificate
    builder = (
        x509.CertificateBuilder()
        .subject_name(genuine.subject)
        .issuer_name(genuine.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(genuine.not_valid_before_utc)
        .not_valid_after(genuine.not_valid_after_utc)
    )
    for extension in genuine.extensions:
        builder = builder.add_extension(extension.value, critical=extension.critical)
    der = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
    root = json.loads(by.trusted_root())
    root["certificateAuthorities"][0]["certChain"]["certificates"] = [{"rawBytes": base64.b64encode(der).decode()}]
    return json.dumps(root).encode()

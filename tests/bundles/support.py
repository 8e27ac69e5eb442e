"""Bundles to try things on: a small genuine one, and the pieces to build others from."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256 as sha256_of

from inbond.bundles import tar
from inbond.bundles.container import OpenedBundle, open_bundle, write_bundle
from inbond.bundles.keys import PublicKey, SigningKey
from inbond.bundles.manifest import (
    BundledBlob,
    BundledDocument,
    BundledFile,
    BundledProject,
    BundledUpstream,
    Claimed,
    DocumentKind,
    Manifest,
)
from inbond.bundles.manifest_json import encode_manifest
from inbond.bundles.memory import encode_memory
from inbond.bundles.signature import make_signature
from inbond.model.memory import FileRecord, PageRecord
from inbond.model.names import Filename, ProjectName
from inbond.model.page import Claim, File, Page
from inbond.simple.document import encode_page
from sim.index_dists import Dist, build_wheel

DAY = timedelta(days=1)
CREATED = datetime(2026, 11, 21, 12, tzinfo=UTC)
UPSTREAM = "pypi"
URL = "https://index.example/simple/"


def key_of(name: str) -> SigningKey:
    """A key that is the same in every run."""
    return SigningKey(sha256_of(f"the key of {name}".encode()).digest())


KEY = key_of("the sending side")
TRUSTED = (KEY.public, key_of("another sending side").public)


@dataclass
class Blobs:
    """Bytes by their digest."""

    held: dict[str, bytes] = field(default_factory=dict)

    def put(self, content: bytes) -> str:
        sha256 = sha256_of(content).hexdigest()
        self.held[sha256] = content
        return sha256

    def read(self, sha256: str) -> Iterator[bytes]:
        content = self.held[sha256]
        yield from (content[at : at + 1000] for at in range(0, len(content), 1000))

    def listed(self, files: Iterable[str]) -> tuple[BundledBlob, ...]:
        """All of them, as a manifest has them."""
        last = set(files)
        order = sorted(self.held, key=lambda sha256: (sha256 in last, sha256))
        return tuple(BundledBlob(sha256=sha256, size=len(self.held[sha256])) for sha256 in order)


@dataclass(frozen=True)
class Genuine:
    """A bundle, and what it was made from."""

    manifest: Manifest
    held: Mapping[str, bytes]

    @property
    def raw(self) -> bytes:
        return encode_manifest(self.manifest)

    @property
    def content(self) -> bytes:
        out = io.BytesIO()
        write_bundle(out, self.manifest, KEY, Blobs(dict(self.held)).read)
        return out.getvalue()

    @property
    def carried(self) -> list[tuple[str, bytes]]:
        """Names and contents of the blobs' members."""
        return [(tar.blob_name(one.sha256), self.held[one.sha256]) for one in self.manifest.blobs if one.carried]


def project(blobs: Blobs, name: str, versions: Sequence[str] = ("1.0",), *, upstream: str = UPSTREAM) -> BundledProject:
    """A project of wheels, ten days old and carried with their metadata."""
    wheels = sorted((build_wheel(name, version) for version in versions), key=lambda wheel: wheel.filename)
    page = Page(name=ProjectName(name), files=tuple(map(listed, wheels)), api_version=(1, 3))
    seen = CREATED - 5 * DAY
    record = PageRecord(
        upstream=upstream,
        project=ProjectName(name),
        first_seen=seen,
        files=tuple(FileRecord(filename=Filename(wheel.filename), first_seen=seen) for wheel in wheels),
    )
    return BundledProject(
        upstream=upstream,
        project=ProjectName(name),
        page=blobs.put(encode_page(page)),
        memory=blobs.put(encode_memory(record)),
        validated_at=CREATED,
        files=tuple(
            BundledFile(
                filename=Filename(wheel.filename),
                sha256=blobs.put(wheel.content),
                carried=True,
                metadata=blobs.put(wheel.metadata or b""),
                claimed=Claimed.ABSENT,
                evidence="absent",
            )
            for wheel in wheels
        ),
    )


def listed(wheel: Dist) -> File:
    return File(
        filename=Filename(wheel.filename),
        url=f"https://files.example/packages/{wheel.filename}",
        hashes={"sha256": sha256_of(wheel.content).hexdigest()},
        size=len(wheel.content),
        upload_time=CREATED - 10 * DAY,
        core_metadata={"sha256": sha256_of(wheel.metadata or b"").hexdigest()},
        provenance=Claim.NONE,
    )


def genuine(*names: str, policy: bool = True, created_at: datetime = CREATED) -> Genuine:
    """A bundle of these projects; and the policy document, unless it shall be small."""
    blobs = Blobs()
    projects = tuple(project(blobs, name) for name in sorted(names or ("demo", "other")))
    documents: tuple[BundledDocument, ...] = ()
    if policy:
        said = blobs.put(b'[policy]\nmin_age = "7d"\n')
        documents = (BundledDocument(kind=DocumentKind.POLICY, name="root", sha256=said, as_of=CREATED),)
    manifest = Manifest(
        name="default",
        created_at=created_at,
        index="root",
        upstreams=(BundledUpstream(name=UPSTREAM, url=URL),),
        projects=projects,
        documents=documents,
        blobs=(),
    )
    return Genuine(replace(manifest, blobs=blobs.listed(carried(manifest))), blobs.held)


def carried(manifest: Manifest) -> list[str]:
    """The digests of the files that a manifest stands for."""
    return [file.sha256 for project in manifest.projects for file in project.files if file.carried and file.sha256]


def member(name: str, content: bytes) -> bytes:
    return tar.header(name, len(content)) + content + tar.padding(len(content))


def archive(members: Iterable[tuple[str, bytes]]) -> bytes:
    """An archive of the right form, whatever is in it."""
    return b"".join(member(name, content) for name, content in members) + tar.END


def signed(raw: bytes, blobs: Iterable[tuple[str, bytes]], key: SigningKey = KEY) -> bytes:
    """A bundle with any manifest, signed as it should be."""
    return archive([(tar.SIGNATURE_NAME, make_signature(raw, key)), (tar.MANIFEST_NAME, raw), *blobs])


def opened(content: bytes, keys: Sequence[PublicKey] = TRUSTED) -> OpenedBundle:
    return open_bundle(io.BytesIO(content), keys)


def read_whole(content: bytes, keys: Sequence[PublicKey] = TRUSTED) -> dict[str, bytes]:
    """Reads a bundle to its end: all blobs."""
    return {blob.sha256: b"".join(chunks) for blob, chunks in opened(content, keys).blobs()}

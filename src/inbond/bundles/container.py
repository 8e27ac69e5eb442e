"""The container: a signature, the manifest that it is over, and the manifest's blobs, in one archive.

Whoever reads it takes nothing on its word. The signature is checked before the manifest is read, the manifest before
its JSON is parsed, every blob by its size and digest, and the bytes between them must be those that the manifest
foretells. So there is exactly one file for a manifest, a key and their blobs; no byte of it can be changed, left out
or added unseen. It is read once, from its beginning on, and holds one chunk of a blob in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256 as sha256_of
from typing import BinaryIO, Final

from inbond.bundles import tar
from inbond.bundles.canonical import EXPORT_ANEW
from inbond.bundles.keys import PublicKey, SigningKey
from inbond.bundles.limits import CHUNK_BYTES, MAX_SIGNATURE_BYTES
from inbond.bundles.manifest import BundledBlob, Manifest
from inbond.bundles.manifest_json import decode_manifest, encode_manifest
from inbond.bundles.signature import check_signature, make_signature
from inbond.model.errors import InvalidBundle

_NAME_ONE: Final = "name a file that inbond bundle export wrote, as it is: not compressed, unpacked or packed anew"
_COPY_AGAIN: Final = "the bundle is damaged or was changed: copy it from its source again, and compare its sha256"


def write_bundle(out: BinaryIO, manifest: Manifest, key: SigningKey, read: Callable[[str], Iterator[bytes]]) -> str:
    """Writes a bundle; returns the sha256 of its manifest. `read` gives the bytes of a blob, by its sha256.

    Raises `InvalidBundle`: for a manifest that breaks a rule before anything is written, for a blob that is not what
    the manifest says in the middle, and what was written is then no bundle. Blocks.
    """
    raw = encode_manifest(manifest)
    _write_member(out, tar.SIGNATURE_NAME, make_signature(raw, key))
    _write_member(out, tar.MANIFEST_NAME, raw)
    for blob in manifest.blobs:
        if blob.carried:
            _write_blob(out, blob, read(blob.sha256))
    out.write(tar.END)
    return sha256_of(raw).hexdigest()


def open_bundle(stream: BinaryIO, keys: Sequence[PublicKey]) -> OpenedBundle:
    """Reads a bundle up to its blobs. Raises `InvalidBundle`. Blocks."""
    source = _Source(stream)
    signature = check_signature(_signature_bytes(source), keys)
    source.expect(tar.header(tar.MANIFEST_NAME, signature.manifest_size), "the header of manifest.json")
    raw = source.take(signature.manifest_size, "manifest.json")
    if sha256_of(raw).hexdigest() != signature.manifest_sha256:
        raise InvalidBundle("the manifest is not the one that was signed", remedy=_COPY_AGAIN)
    source.expect(tar.padding(len(raw)), "the zeros behind manifest.json")
    return OpenedBundle(
        manifest=decode_manifest(raw),
        manifest_bytes=raw,
        sha256=signature.manifest_sha256,
        key_id=signature.key,
        _source=source,
    )


@dataclass(slots=True)
class _Source:
    """A stream that is read once; `at` counts its bytes."""

    stream: BinaryIO
    at: int = 0

    def take(self, size: int, what: str) -> bytes:
        """The next `size` bytes. Raises `InvalidBundle` where the stream ends before."""
        return b"".join(self.chunks(size, what))

    def chunks(self, size: int, what: str) -> Iterator[bytes]:
        """As `take`, piece by piece."""
        while size:
            chunk = self.stream.read(min(size, CHUNK_BYTES))
            if not chunk:
                raise InvalidBundle(f"the bundle ends after {self.at} bytes, within {what}", remedy=_COPY_AGAIN)
            self.at += len(chunk)
            size -= len(chunk)
            yield chunk

    def expect(self, foretold: bytes, what: str) -> None:
        """Takes the next bytes. Raises `InvalidBundle` unless they are these."""
        before = self.at
        found = self.take(len(foretold), what)
        if found != foretold:
            instead = tar.described(found, foretold)
            raise InvalidBundle(
                f"at byte {before} stands something else than {what}{instead and ': '}{instead}", remedy=_COPY_AGAIN
            )

    def expect_end(self) -> None:
        """Raises `InvalidBundle` unless nothing follows."""
        if self.stream.read(1):
            raise InvalidBundle(f"something follows the end of the bundle, after {self.at} bytes", remedy=_COPY_AGAIN)


@dataclass(slots=True, kw_only=True)
class OpenedBundle:
    """A bundle whose manifest is genuine. `sha256`: of the manifest; `key_id`: of the key that signed it."""

    manifest: Manifest
    manifest_bytes: bytes
    sha256: str
    key_id: str
    _source: _Source = field(repr=False)
    _begun: bool = field(default=False, init=False, repr=False)
    _good: bool = field(default=True, init=False, repr=False)  # the blob that was read last

    def blobs(self) -> Iterator[tuple[BundledBlob, Iterator[bytes]]]:
        """The carried blobs in their order, each with its bytes; once only. Blocks.

        The bytes of a blob are good once their iterator has ended; it raises `InvalidBundle` where they are not. What
        is left of one is read before the next. Nothing is good before this iterator has ended, too: only then is it
        known that the bundle is whole.
        """
        if self._begun:
            raise ValueError("a bundle is read once")
        self._begun = True
        return self._blobs()

    def _blobs(self) -> Iterator[tuple[BundledBlob, Iterator[bytes]]]:
        for blob in self.manifest.blobs:
            if blob.carried:
                self._source.expect(tar.header(tar.blob_name(blob.sha256), blob.size), f"the header of {_what(blob)}")
                self._good, content = False, self._content(blob)
                yield blob, content
                for _ in content:  # what the caller left
                    pass
                if not self._good:  # a caller that goes on after an error, or ended the iterator itself
                    raise InvalidBundle(f"{_what(blob)} was not read to its end", remedy=_COPY_AGAIN)
        self._source.expect(tar.END, "the end of the bundle")
        self._source.expect_end()

    def _content(self, blob: BundledBlob) -> Iterator[bytes]:
        what = _what(blob)
        digest = sha256_of()
        for chunk in self._source.chunks(blob.size, what):
            digest.update(chunk)
            yield chunk
        if digest.hexdigest() != blob.sha256:
            raise InvalidBundle(f"the bytes of {what} have sha256 {digest.hexdigest()}", remedy=_COPY_AGAIN)
        self._source.expect(tar.padding(blob.size), f"the zeros behind {what}")
        self._good = True


def _signature_bytes(source: _Source) -> bytes:
    """The first member, the one whose size nothing foretells."""
    block = _first_block(source)
    size = tar.stated_size(block)
    if size is None or block != tar.header(tar.SIGNATURE_NAME, size):
        raise InvalidBundle("this is no bundle: it does not begin with a signature.json", remedy=_NAME_ONE)
    if size > MAX_SIGNATURE_BYTES:
        raise InvalidBundle(f"signature.json has {size} bytes, more than {MAX_SIGNATURE_BYTES}", remedy=EXPORT_ANEW)
    raw = source.take(size, tar.SIGNATURE_NAME)
    source.expect(tar.padding(size), "the zeros behind signature.json")
    return raw


def _first_block(source: _Source) -> bytes:
    """Raises `InvalidBundle`, in other words for what never was a bundle than for one that is cut off."""
    begun = bytearray()
    try:
        for chunk in source.chunks(tar.BLOCK_BYTES, "the header of signature.json"):
            begun += chunk
    except InvalidBundle:
        if begun.startswith(tar.SIGNATURE_NAME.encode()):
            raise
        raise InvalidBundle("this is no bundle: it is too short for one", remedy=_NAME_ONE) from None
    return bytes(begun)


def _write_member(out: BinaryIO, name: str, content: bytes) -> None:
    out.write(tar.header(name, len(content)))
    out.write(content)
    out.write(tar.padding(len(content)))


def _write_blob(out: BinaryIO, blob: BundledBlob, content: Iterator[bytes]) -> None:
    out.write(tar.header(tar.blob_name(blob.sha256), blob.size))
    digest, size = sha256_of(), 0
    for chunk in content:
        digest.update(chunk)
        size += len(chunk)
        if size <= blob.size:
            out.write(chunk)
    if (size, digest.hexdigest()) != (blob.size, blob.sha256):
        raise InvalidBundle(
            f"the bytes of {_what(blob)} changed while the bundle was written: {size} bytes instead of {blob.size}, "
            f"sha256 {digest.hexdigest()}",
            remedy="run inbond sync again, then inbond bundle export",
        )
    out.write(tar.padding(size))


def _what(blob: BundledBlob) -> str:
    return f"the blob {blob.sha256}"

"""The container: what is written is read back, the same is written the same, and nothing else is read."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256 as sha256_of

import pytest

from bundles.support import KEY, TRUSTED, Blobs, Genuine, archive, genuine, key_of, member, opened, read_whole, signed
from inbond.bundles import limits, tar
from inbond.bundles.container import open_bundle, write_bundle
from inbond.bundles.limits import CHUNK_BYTES
from inbond.bundles.manifest import BundledBlob, Manifest
from inbond.bundles.manifest_json import decode_manifest, encode_manifest
from inbond.bundles.signature import make_signature
from inbond.model.errors import InvalidBundle


@pytest.fixture(scope="module")
def bundle() -> Genuine:
    return genuine()


@pytest.fixture(scope="module")
def small() -> bytes:
    """The smallest that there is: one project, whose page and memory are the same three bytes."""
    blobs = Blobs()
    made = genuine("demo", policy=False).manifest
    project = replace(made.projects[0], page=blobs.put(b"one"), memory=blobs.put(b"one"), files=())
    return Genuine(replace(made, projects=(project,), blobs=blobs.listed([])), blobs.held).content


def test_what_was_written_is_read(bundle: Genuine) -> None:
    found = opened(bundle.content)
    assert found.manifest == bundle.manifest
    assert found.manifest_bytes == bundle.raw
    assert found.sha256 == sha256_of(bundle.raw).hexdigest()
    assert found.key_id == KEY.public.id
    assert read_whole(bundle.content) == bundle.held


def test_writing_tells_the_digest_of_the_manifest(bundle: Genuine) -> None:
    told = write_bundle(io.BytesIO(), bundle.manifest, KEY, Blobs(dict(bundle.held)).read)
    assert told == sha256_of(bundle.raw).hexdigest()


def test_the_same_content_gives_the_same_bytes(bundle: Genuine) -> None:
    assert genuine().content == bundle.content


def test_it_is_the_archive_that_its_parts_foretell(bundle: Genuine) -> None:
    assert bundle.content == signed(bundle.raw, bundle.carried)


def test_blobs_come_in_the_order_of_the_manifest(bundle: Genuine) -> None:
    assert [blob for blob, _ in opened(bundle.content).blobs()] == list(bundle.manifest.blobs)


class Pipe(io.RawIOBase):
    """What gives as much as it likes, and cannot seek."""

    def __init__(self, content: bytes, most: int) -> None:
        self.rest, self.most = io.BytesIO(content), most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        got = self.rest.read(min(len(buffer), self.most))
        buffer[: len(got)] = got
        return len(got)


@pytest.mark.parametrize("most", [1, 7, 511, 4096])
def test_it_is_read_from_a_pipe_that_gives_little_at_once(bundle: Genuine, most: int) -> None:
    found = open_bundle(Pipe(bundle.content, most), TRUSTED)  # type: ignore[arg-type]
    assert {blob.sha256: b"".join(chunks) for blob, chunks in found.blobs()} == bundle.held


def test_a_blob_is_read_in_chunks() -> None:
    large = bytes(2 * CHUNK_BYTES + 5)
    found = opened(with_file(large).content)
    sizes = [[len(chunk) for chunk in chunks] for _, chunks in found.blobs()]
    assert [CHUNK_BYTES, CHUNK_BYTES, 5] in sizes


def with_file(content: bytes) -> Genuine:
    """A bundle whose one file is these bytes."""
    blobs = Blobs()
    made = genuine("demo", policy=False)
    [project] = made.manifest.projects
    [file] = project.files
    for sha256 in (project.page, project.memory, file.metadata):
        blobs.put(made.held[sha256 or ""])
    file = replace(file, sha256=blobs.put(content))
    projects = (replace(project, files=(file,)),)
    listed = blobs.listed([file.sha256 or ""])
    return Genuine(replace(made.manifest, projects=projects, blobs=listed), blobs.held)


def test_an_empty_blob_is_a_header_alone() -> None:
    assert read_whole(with_file(b"").content)[sha256_of().hexdigest()] == b""


def test_what_the_caller_leaves_of_a_blob_is_checked_all_the_same(bundle: Genuine) -> None:
    for _ in opened(bundle.content).blobs():
        pass
    name, content = bundle.carried[-1]
    members = [*bundle.carried[:-1], (name, b"x" * len(content))]
    with pytest.raises(InvalidBundle, match="have sha256"):
        list(opened(signed(bundle.raw, members)).blobs())


def test_who_goes_on_after_an_error_gets_no_further(bundle: Genuine) -> None:
    name, content = bundle.carried[0]
    blobs = opened(signed(bundle.raw, [(name, b"x" * len(content)), *bundle.carried[1:]])).blobs()
    _, chunks = next(blobs)
    with pytest.raises(InvalidBundle, match="have sha256"):
        list(chunks)
    with pytest.raises(InvalidBundle, match="was not read to its end"):
        next(blobs)


def test_a_bundle_is_read_once(bundle: Genuine) -> None:
    found = opened(bundle.content)
    list(found.blobs())
    with pytest.raises(ValueError, match="read once"):
        found.blobs()


def test_a_delta_leaves_out_what_is_there_already(bundle: Genuine) -> None:
    delta = delta_of(bundle)
    assert len(delta.content) < len(bundle.content)
    found = opened(delta.content)
    assert [blob.sha256 for blob, _ in found.blobs()] == [one.sha256 for one in delta.manifest.blobs if one.carried]
    assert found.manifest.base == "0" * 64


def delta_of(bundle: Genuine) -> Genuine:
    first, *others = bundle.manifest.blobs
    blobs = (first, *(replace(one, carried=False) for one in others))
    return Genuine(replace(bundle.manifest, base="0" * 64, blobs=blobs), bundle.held)


@pytest.mark.parametrize("what", ["flipped", "removed", "inserted"])
def test_no_byte_of_a_bundle_can_be_other_than_it_is(small: bytes, what: str) -> None:
    others = {changed(small, at, what) for at in range(len(small))}  # one zero of many gone is as good as another
    assert len(others) > 500
    assert not any(map(is_taken, others))


def changed(content: bytes, at: int, what: str) -> bytes:
    bit = 1 << (at % 8)
    before, byte, behind = content[:at], content[at : at + 1], content[at + 1 :]
    match what:
        case "flipped":
            return before + bytes([byte[0] ^ bit]) + behind
        case "removed":
            return before + behind
        case _:
            return before + byte + byte + behind


def is_taken(content: bytes) -> bool:
    try:
        read_whole(content)
    except InvalidBundle:
        return False
    return True


def test_nothing_can_be_cut_off_the_end(small: bytes) -> None:
    assert [size for size in range(len(small)) if is_taken(small[:size])] == []
    assert is_taken(small)


def test_nothing_can_be_put_behind_the_end(small: bytes) -> None:
    assert not is_taken(small + b"\0")


@pytest.mark.parametrize("content", [b"other bytes", b"", b"x" * 10_000])
def test_a_blob_that_changed_is_not_written(bundle: Genuine, content: bytes) -> None:
    def read(sha256: str) -> Iterator[bytes]:
        yield content

    out = io.BytesIO()
    with pytest.raises(InvalidBundle, match=f"blob {bundle.manifest.blobs[0].sha256} changed") as caught:
        write_bundle(out, bundle.manifest, KEY, read)
    assert caught.value.remedy is not None
    assert not is_taken(out.getvalue())


def test_a_manifest_that_breaks_a_rule_is_not_written(bundle: Genuine) -> None:
    out = io.BytesIO()
    with pytest.raises(InvalidBundle, match="name of the index"):
        write_bundle(out, replace(bundle.manifest, index="../up"), KEY, Blobs(dict(bundle.held)).read)
    assert out.getvalue() == b""


def test_a_key_that_is_not_trusted_is_named_beside_those_that_are(bundle: Genuine) -> None:
    stranger = key_of("somebody")
    with pytest.raises(InvalidBundle) as caught:
        opened(signed(bundle.raw, bundle.carried, stranger))
    assert stranger.public.id in caught.value.message
    assert all(key.id in caught.value.message for key in TRUSTED)
    assert "[imports] keys" in (caught.value.remedy or "")


def test_without_keys_nothing_is_taken(bundle: Genuine) -> None:
    with pytest.raises(InvalidBundle, match="trusted here: none"):
        opened(bundle.content, ())


def test_a_broken_manifest_is_refused_although_it_is_signed() -> None:
    with pytest.raises(InvalidBundle, match="the manifest cannot be read"):
        opened(signed(b"{}", []))


def test_the_signature_is_checked_before_the_manifest_is_read(bundle: Genuine) -> None:
    """Whoever has no key reaches no parser but that of the small member."""
    made = make_signature(bundle.raw, key_of("somebody"))
    with pytest.raises(InvalidBundle, match="is signed with the key"):
        opened(member(tar.SIGNATURE_NAME, made))  # nothing follows


def test_a_header_above_eight_gibibytes_is_one_that_tar_reads() -> None:
    for size in (8**11 - 1, 8**11, limits.MAX_FILE_BYTES):
        info = tarfile.TarInfo.frombuf(tar.header("blobs/sha256/x", size), "ascii", "strict")
        assert (info.size, info.name, info.mode, info.mtime) == (size, "blobs/sha256/x", 0o644, 0)
    assert tar.header("x", 8**11 - 1)[124:125] == b"7"
    assert tar.header("x", 8**11)[124:125] == b"\x80"


def test_only_octal_digits_state_a_size() -> None:
    block = tar.header("x", 8**11)
    assert tar.stated_size(block) is None
    assert tar.stated_size(tar.header("x", 83)) == 83
    assert tar.stated_size(tar.header("x", 83).replace(b"00000000123", b"00000000189")) is None
    assert tar.stated_size(tar.header("x", 83).replace(b"00000000123\0", b"000000001234")) is None


def test_blobs_of_many_gibibytes_may_be_named(bundle: Genuine) -> None:
    """Their header is written and read; that they are cut off shows."""
    large = BundledBlob(sha256=bundle.manifest.blobs[-1].sha256, size=9 * 2**30)
    manifest: Manifest = replace(bundle.manifest, blobs=(*bundle.manifest.blobs[:-1], large))
    raw = encode_manifest(manifest)
    assert decode_manifest(raw) == manifest
    whole = signed(raw, bundle.carried[:-1])[: -len(tar.END)] + tar.header(tar.blob_name(large.sha256), large.size)
    with pytest.raises(InvalidBundle, match="ends after"):
        read_whole(whole + b"cut")


def test_an_archive_of_anything_else_is_no_bundle() -> None:
    with pytest.raises(InvalidBundle, match="this is no bundle"):
        opened(archive([("hello.txt", b"hello")]))

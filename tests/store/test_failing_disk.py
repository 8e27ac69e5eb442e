"""What must hold whichever operation of the disk fails; all stores together are tried in tests/faults/operations.py."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

import pytest

from inbond.model.events import unobserved
from inbond.store.blobs import open_blobs, place
from inbond.store.disk import DISK
from inbond.store.files import make_private
from inbond.store.memory_blob import MemoryBlob
from inbond.store.taking_over import BlobTaker, How
from sim.disk import RecordingDisk
from sim.disk_recording import DirectorySynced, Failing, Recorder, Way

CONTENT = b"content " * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MORE = 30  # operations than any of these takes


@pytest.mark.parametrize("way", list(Way))
def test_a_file_that_is_moved_is_in_one_place_or_the_other(tmp_path: Path, way: Way) -> None:
    failures = 0
    for number in range(MORE):
        root = tmp_path / str(number)
        root.mkdir()
        source, blob = root / "source", root / "blobs" / "sha256" / SHA256[:2] / SHA256
        source.write_bytes(CONTENT)
        recorder = Recorder(root, Failing(number=number, way=way))
        with (
            contextlib.suppress(OSError),
            contextlib.closing(BlobTaker(root / "blobs", RecordingDisk(recorder))) as taker,
        ):
            taker.take(source, taker.examine(source), How.MOVE)
        assert any(path.exists() and path.read_bytes() == CONTENT for path in (source, blob))
        failures += recorder.failed > 0
    assert 0 < failures < MORE or way is Way.SHORT


async def test_a_disk_that_is_full_from_any_moment_on_changes_no_byte(tmp_path: Path) -> None:
    unstored = 0
    for number in range(MORE):
        root = tmp_path / str(number)
        root.mkdir()
        recorder = Recorder(root)
        store = open_blobs(root / "blobs", observer=unobserved, disk=RecordingDisk(recorder))
        recorder.fail(Failing(number=recorder.operations + number, way=Way.FULL))
        async with store.writer(SHA256) as writer:
            await writer.write(CONTENT[:3000])
            await writer.flush()
            await writer.write(CONTENT[3000:])
            blob = await writer.commit(sha256=SHA256)
            assert blob.path.read_bytes() == CONTENT
        unstored += isinstance(blob, MemoryBlob)
        await store.settled()
        await store.aclose()
    assert 0 < unstored < MORE


def test_a_directory_whose_name_could_not_be_made_safe_is_made_safe_the_next_time(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, Failing(number=1, way=Way.ERROR))
    disk = RecordingDisk(recorder)
    (tmp_path / "beside").touch()
    with pytest.raises(OSError, match="Input/output"):
        make_private(tmp_path / "new", disk)
    make_private(tmp_path / "new", disk)
    assert DirectorySynced(path=tmp_path) in recorder.log


def test_so_is_that_of_a_group_of_blobs(tmp_path: Path) -> None:
    content = tmp_path / "sha256"
    content.mkdir(mode=0o700)
    recorder = Recorder(tmp_path, Failing(number=1, way=Way.ERROR))
    disk = RecordingDisk(recorder)
    for grown, fails in (("first", True), ("second", False), ("third", False)):
        DISK.create(tmp_path / grown).close()
        with pytest.raises(OSError, match="Input/output") if fails else contextlib.nullcontext():
            place(disk, tmp_path / grown, content / "ab" / f"ab{grown}")
    assert recorder.log.count(DirectorySynced(path=content)) == 1  # the third finds it safe

"""The store of blobs as a machine: whatever is done to it, and to its disk, in whichever order, it gives right bytes.

What it gives is what passed the checks that serving makes. What was put is there until it may be evicted; what is held
is readable to its end; whatever was flipped on the disk is never given out.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from unittest.mock import patch

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from inbond.gateway.stored_bytes import Place, Shelf, StoredBytes
from inbond.model.events import unobserved
from inbond.model.names import Filename
from inbond.store import eviction
from inbond.store.blobs import DiskBlobs, open_blobs
from inbond.store.documents import open_documents
from inbond.store.files import open_shared
from inbond.store.partials import PARTIAL_MIN
from inbond.store.protocols import Blob, BlobWriter
from inbond.store.quarantine import DIRECTORY, Quarantine
from inbond.store.scrubbing import Damaged, Whole, scrub, walk

NAME = Filename("demo-1.0.tar.gz")
LONG = 60.0  # seconds: longer than anything here takes
CONTENTS = {
    hashlib.sha256(content).hexdigest(): content
    for content in (b"a", b"b" * 2000, b"c" * 3000, b"d" * 3500, b"e" * (PARTIAL_MIN + 5000))
}
MAX_SIZE = 4000  # bytes: any two but the smallest are too many, and the largest by itself
LEAVES = [0.0, 0.3, 1.0]  # parts of a file that a crash leaves growing
WHICH = st.sampled_from(sorted(CONTENTS))
MAYBE = st.booleans()


@dataclass
class Held:
    """A blob that somebody reads."""

    sha256: str
    file: FileIO
    leased: bool
    lease: contextlib.ExitStack


class BlobMachine(RuleBasedStateMachine):
    """`there`: what was put, and cannot have been evicted, removed or put aside since. `damaged`: what was flipped."""

    @initialize()
    def begin(self) -> None:
        self.runner = asyncio.Runner()
        self.root = Path(tempfile.mkdtemp())
        self.lasting = patch.object(eviction, "GRACE_SECONDS", 3600.0)  # only what is made old is old
        self.lasting.start()
        self.documents = open_documents(self.root / "documents", size_limit=2**20, observer=unobserved)
        self.there: set[str] = set()
        self.old: set[str] = set()
        self.damaged: set[str] = set()
        self.held: list[Held] = []
        self.crashed: list[DiskBlobs] = []
        self.cut_off: list[AbstractAsyncContextManager[BlobWriter]] = []
        self.open()

    def open(self) -> None:
        self.store = open_blobs(self.root / "blobs", observer=unobserved, max_size=MAX_SIZE)
        content = self.root / "blobs" / "sha256"
        quarantine = Quarantine(self.root / "blobs" / DIRECTORY)
        shelf = Shelf(place=Place.CACHE, content=content, blobs=self.store, quarantine=quarantine)
        self.checks = StoredBytes(shelf, documents=self.documents, observer=unobserved)

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            self.let_go()
            for context in self.cut_off:
                self.runner.run(closed(context))
            for store in (*self.crashed, self.store):
                self.runner.run(store.aclose())
            self.runner.run(self.checks.aclose())
            self.runner.run(self.documents.aclose())
            self.runner.close()
            self.lasting.stop()
            shutil.rmtree(self.root)

    def path(self, sha256: str) -> Path:
        return self.root / "blobs" / "sha256" / sha256[:2] / sha256

    # What those do who use the store.

    @rule(sha256=WHICH, told=MAYBE, when_others_are_old=MAYBE)
    def put(self, sha256: str, told: bool, when_others_are_old: bool) -> None:
        if when_others_are_old:
            self.grow_old()
        in_use = self.in_use()
        self.runner.run(self.putting(sha256, told))
        assert all(self.path(one).exists() for one in in_use)
        self.may_have_evicted()
        self.there.add(sha256)
        self.old.discard(sha256)
        self.damaged.discard(sha256)

    async def putting(self, sha256: str, told: bool) -> None:
        content = CONTENTS[sha256]
        async with self.store.writer(sha256) as writer:
            assert content.startswith(await read(writer.path)) or not writer.size
            await writer.write(content[writer.size :])  # the rest of what a crash has left
            blob = await writer.commit(sha256=sha256)
        if told:
            self.checks.committed(blob)
        await self.store.settled()

    @rule(sha256=WHICH)
    def get(self, sha256: str) -> None:
        found = self.runner.run(self.getting(sha256))
        if sha256 in self.damaged:
            assert found is None
            self.there.discard(sha256)
            self.damaged.discard(sha256)
        elif sha256 in self.there:
            assert found == CONTENTS[sha256]
        else:
            assert found in {None, CONTENTS[sha256]}

    async def getting(self, sha256: str) -> bytes | None:
        """What a client would get."""
        blob = await self.store.find(sha256)
        if blob is None or not await self.whole(blob):
            return None
        assert blob.size == len(CONTENTS[sha256])
        return blob.path.read_bytes()

    async def whole(self, blob: Blob) -> bool:
        return await self.checks.whole(NAME, blob, until=asyncio.get_running_loop().time() + LONG)

    @rule(sha256=WHICH)
    def remove(self, sha256: str) -> None:
        self.runner.run(self.store.remove(sha256))
        self.there.discard(sha256)
        self.damaged.discard(sha256)

    @rule(sha256=WHICH, leased=MAYBE)
    def hold(self, sha256: str, leased: bool) -> None:
        if self.runner.run(self.getting(sha256)) is None:
            self.put(sha256, told=True, when_others_are_old=False)
        lease = contextlib.ExitStack()
        if leased:
            lease.enter_context(self.store.lease(sha256))
        self.held.append(Held(sha256, open_shared(self.path(sha256)), leased, lease))

    @precondition(lambda self: self.held)
    @rule()
    def let_go(self) -> None:
        for held in self.held:
            held.file.close()
            held.lease.close()
        self.held.clear()

    # What happens to it.

    @rule()
    def grow_old(self) -> None:
        for sha256 in CONTENTS:
            with contextlib.suppress(FileNotFoundError):
                os.utime(self.path(sha256), (0, self.path(sha256).stat().st_mtime))
                self.old.add(sha256)

    @rule(sha256=WHICH, part=st.sampled_from(LEAVES))
    def crash(self, sha256: str, part: float) -> None:
        """As if the process were killed, while a part of a file has arrived."""
        self.runner.run(self.crashing(sha256, int(part * len(CONTENTS[sha256]))))
        self.let_go()
        before = self.store.generation
        self.crashed.append(self.store)
        self.open()
        assert self.store.generation != before

    async def crashing(self, sha256: str, size: int) -> None:
        await self.checks.aclose()
        context = self.store.writer(sha256)
        writer = await context.__aenter__()
        if size > writer.size:
            await writer.write(CONTENTS[sha256][writer.size : size])
            await writer.flush()
        killed(self.store)
        self.cut_off.append(context)

    @rule()
    def restart(self) -> None:
        self.let_go()
        before = self.store.generation
        self.runner.run(self.checks.aclose())
        self.runner.run(self.store.aclose())
        self.open()
        assert self.store.generation == before
        assert list((self.root / "blobs" / "incoming").iterdir()) == [self.store._incoming.directory]

    @rule(sha256=WHICH, where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
    def flip(self, sha256: str, where: float, bit: int) -> None:
        """In the file, or in a copy in its place where somebody reads it: what was promised to him was served."""
        with contextlib.suppress(FileNotFoundError):
            content = bytearray(self.path(sha256).read_bytes())
            content[int(where * len(content))] ^= 1 << bit
            if any(held.sha256 == sha256 for held in self.held):
                self.path(sha256).unlink()
            self.path(sha256).write_bytes(content)
            (self.damaged.discard if bytes(content) == CONTENTS[sha256] else self.damaged.add)(sha256)

    @rule()
    def scrub_all(self) -> None:
        """Finds exactly what was flipped."""
        if not (self.root / "blobs" / "sha256").exists():
            return
        found = {path.name: scrub(path, self.store.generation, lambda _: None) for path in self.files()}
        for sha256, one in found.items():
            assert isinstance(one, Damaged if sha256 in self.damaged else Whole)
        assert self.there - self.damaged <= found.keys()

    def files(self) -> Iterator[Path]:
        for path in walk(self.root / "blobs" / "sha256"):
            assert isinstance(path, Path)
            yield path

    def in_use(self) -> set[str]:
        """What is leased, or open as it lies there: another may have taken the place of what is open."""
        there = [held for held in self.held if self.path(held.sha256).exists()]
        return {
            held.sha256
            for held in there
            if held.leased or os.path.samestat(os.fstat(held.file.fileno()), self.path(held.sha256).stat())
        }

    def may_have_evicted(self) -> None:
        gone = {sha256 for sha256 in self.old if not self.path(sha256).exists()}
        self.there -= gone
        self.damaged -= gone
        self.old -= gone

    @invariant()
    def what_is_held_is_right_to_its_end(self) -> None:
        for held in getattr(self, "held", ()):
            assert os.pread(held.file.fileno(), 2**21, 0) == CONTENTS[held.sha256]

    @invariant()
    def sizes_agree(self) -> None:
        if hasattr(self, "store"):
            content = self.root / "blobs" / "sha256"
            assert eviction.stored_bytes(content) == sum(path.stat().st_size for path in self.files())


async def closed(context: AbstractAsyncContextManager[BlobWriter]) -> None:
    await context.__aexit__(None, None, None)


async def read(path: Path) -> bytes:
    return path.read_bytes()


def killed(store: DiskBlobs) -> None:
    """Its lock is gone, and nothing is tidied up when it is closed later on."""
    lock, store._incoming._lock = store._incoming._lock, None
    assert lock is not None
    os.close(lock)


TestBlobs = BlobMachine.TestCase
TestBlobs.settings = settings(
    max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)

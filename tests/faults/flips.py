"""One bit flipped in what is stored, through the file system and beneath it: what each client got (docs/faults.md)."""

from __future__ import annotations

import asyncio
import hashlib
import mmap
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from cli.desk import Desk
from faults.table import Scale, Table
from inbond.cli.config import LEDGER_FILE
from inbond.model.errors import InbondError, OperatorFault
from mirror.importing import Cargo, fed, taken_over
from sim.index import SimFile, SimIndex
from sim.sigstore_identities import GitHub
from stack import Inbond, inbond, sigstore

SEED: Final = 11
LEDGER_FLIPS: Final = {Scale.SHORT: 2, Scale.LONG: 200}
ATTEMPTS: Final = 20
PUBLISHER: Final = GitHub(owner="acme", repo="widgets", workflow="release.yml")
INTRO: Final = """\
One bit is flipped in something stored, and a client asks for the page, the file and its provenance as before. *Through
the file system*: another program writes the file, and sets its time of change back. *Beneath it*: the bytes differ
while inode, length and all times are as they were, as when the disk itself fails; it is done by a write through a
mapping that was written to before, of which Linux keeps no time. Where the server is started again in between, the bit
is flipped while it is stopped. "After an unclean end": as if a process had been killed.

The client compares what it gets with the digest on the page, as pip and uv do. Beneath the file system nothing tells a
damaged file from a whole one but reading it: until `inbond cache scrub`, the scrubbing behind the server or an unclean
end has it read, its bytes are sent, and that comparison is what stops them. SQLite looks at no times, so that for
documents and the ledger there is no such difference."""
FLIP: Final = """\
import os, sys
path, offset = sys.argv[1], int(sys.argv[2])
before = os.stat(path)
handle = os.open(path, os.O_RDWR)
byte = os.pread(handle, 1, offset)[0]
os.pwrite(handle, bytes([byte ^ 1]), offset)
os.close(handle)
os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
"""
BENEATH: Final = "beneath it"
THROUGH: Final = "through the file system"
RUNNING: Final = "running"
RESTARTED: Final = "started again"
UNCLEAN: Final = "started again after an unclean end"
SCRUBBED: Final = "running, scrubbed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Where a bit is flipped, how, and what the server does meanwhile."""

    where: str
    how: str
    server: str
    imported: bool = False


@dataclass(slots=True)
class Seen:
    """What became of one flip."""

    got: str
    compared: str  # what a client that compares makes of it
    told: str
    left: str
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Truth:
    """What a client should get."""

    wheel: SimFile
    files: set[tuple[str, str, str]]  # of the page


BLOB_CASES: Final = [
    Case(where=where, how=how, server=server, imported=imported)
    for where, imported in (("a file in the cache", False), ("an imported file", True))
    for how, server in (
        (THROUGH, RUNNING), (THROUGH, RESTARTED), (BENEATH, RUNNING), (BENEATH, RESTARTED), (BENEATH, UNCLEAN),
        (BENEATH, SCRUBBED),
    )
]  # fmt: skip
PAGE, PROVENANCE, STAMP = (f"the document of {what}" for what in ("a page", "a provenance", "a file's stamp"))
DOCUMENTS: Final = (PAGE, PROVENANCE, STAMP)
DOCUMENT_CASES: Final = [
    Case(where=where, how=THROUGH, server=server) for where in DOCUMENTS for server in (RUNNING, RESTARTED)
]


class Noticed(Exception):
    """The file system has told of a write that it should not have seen."""


def cases(scale: Scale) -> list[Case]:
    """What is tried: all, or what differs most."""
    every = [*BLOB_CASES, *DOCUMENT_CASES]
    if scale is Scale.LONG:
        return every
    return [case for case in every if case.server == (RUNNING if case.imported else case.server)]


def run(scale: Scale, scratch: Path) -> Table:
    """The part of docs/faults.md."""
    return asyncio.run(flips(scale, scratch))


async def flips(scale: Scale, scratch: Path) -> Table:
    """Flips, asks, and tells."""
    rows: list[Sequence[str]] = []
    wrong: list[str] = []
    for number, case in enumerate(cases(scale)):
        seen = await _tried_if_possible(case, scratch / str(number))
        rows.append((case.where, case.how, case.server, seen.got, seen.compared, seen.told, seen.left))
        wrong += [f"{case.where}, {case.how}, {case.server}: {one}" for one in seen.wrong]
    for server in (RUNNING, RESTARTED):
        more, worse = await _ledger(server, LEDGER_FLIPS[scale], scratch / f"ledger-{server}")
        rows += more
        wrong += worse
    return Table(
        title="Flipped bits",
        intro=INTRO,
        columns=("where", "how", "server", "what the client got", "what it made of it", "told", "left"),
        rows=rows,
        wrong=wrong,
    )


# --- one flip in a blob or a document


async def _tried_if_possible(case: Case, place: Path) -> Seen:
    for attempt in range(ATTEMPTS):
        try:
            return await _tried(case, place / str(attempt))
        except Noticed:
            continue  # what was written to the mapping had just reached the disk
    return Seen("not tried: this file system notices every write", "", "", "")


async def _tried(case: Case, place: Path) -> Seen:
    place.mkdir(parents=True)
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", size=50_000, provenance=_signed)
        if case.imported:
            await taken_over(place / "here", index, place, Cargo())
        async with _serving(case, place, index) as server:
            truth = Truth(wheel, await _files(server))
            await _asked(server, truth)
            flip = await _prepared(case, place, server, wheel)
            if case.server in {RUNNING, SCRUBBED}:
                await asyncio.to_thread(flip)
                if case.server == SCRUBBED:
                    return await _scrubbed(case, place, server, truth)
                return await _seen(case, place, server, truth)
        await asyncio.to_thread(flip)
        if case.server == UNCLEAN:
            for part in ("cache", "mirror"):
                (place / "data" / part / "blobs" / "incoming" / "0123456789abcdef").mkdir(parents=True)
        async with _serving(case, place, index) as server:
            return await _seen(case, place, server, truth)


async def _scrubbed(case: Case, place: Path, server: Inbond, truth: Truth) -> Seen:
    result = await asyncio.to_thread(Desk(place).run, "cache", "scrub")
    seen = await _seen(case, place, server, truth)
    seen.told = f"`inbond cache scrub` ends with {result.exit_code}"
    if result.exit_code != 1 or truth.wheel.sha256 not in result.output:
        seen.wrong.append(f"scrubbing said: {result.output}")
    return seen


@asynccontextmanager
async def _serving(case: Case, place: Path, index: SimIndex) -> AsyncIterator[Inbond]:
    async with fed(place, index) if case.imported else inbond(place, index) as server:
        yield server


def _signed(filename: str, sha256: str) -> bytes:
    return sigstore().provenance_for(filename, sha256, PUBLISHER)


async def _prepared(case: Case, place: Path, server: Inbond, wheel: SimFile) -> Callable[[], object]:
    """What flips the bit."""
    if case.where in DOCUMENTS:
        value = await _document(server, case.where, wheel)
        directory = place / "data" / "cache" / "documents"
        return lambda: flip_value(directory, value)
    store = "mirror" if case.imported else "cache"
    blob = place / "data" / store / "blobs" / "sha256" / wheel.sha256[:2] / wheel.sha256
    middle = len(wheel.content) // 2
    if case.how == THROUGH:
        return lambda: flip_at(blob, middle)
    return await beneath(blob, middle, lambda: _get(server, wheel))


async def _document(server: Inbond, where: str, wheel: SimFile) -> bytes:
    """The value of that document; a background task may still be writing it."""
    documents = server.up.parts.base.documents
    keys = {
        PAGE: "page/pypi/demo",
        STAMP: f"stamp/cache/{wheel.sha256}",
        PROVENANCE: f"provenance/{hashlib.sha256(wheel.provenance or b'').hexdigest()}",
    }
    async with asyncio.timeout(60):
        while (found := await documents.get(keys[where])) is None:
            await asyncio.sleep(0.01)
    return found


def flip_at(path: Path, offset: int) -> None:
    """One bit, by another process: closing a database's file here would let go of SQLite's locks on it."""
    subprocess.run([sys.executable, "-I", "-S", "-c", FLIP, str(path), str(offset)], check=True)


def flip_value(directory: Path, value: bytes) -> None:
    """One bit of a stored value, in every file of the database that holds it."""
    flipped = 0
    for start in range(0, max(1, len(value) - 16), 16):
        piece = value[start : start + 16]
        for path in sorted(directory.iterdir()):
            offset = path.read_bytes().find(piece) if path.suffix != ".db-shm" else -1
            if offset >= 0:
                flip_at(path, offset)
                flipped += 1
        if flipped:
            return
    raise AssertionError("the stored value was not found in the database's files")


async def beneath(blob: Path, offset: int, ask: Callable[[], Awaitable[object]]) -> Callable[[], None]:
    """What flips a bit so that the file's status does not change, once `ask` has had it looked at."""
    with blob.open("r+b") as file:
        mapped = mmap.mmap(file.fileno(), 0)
    for _ in range(ATTEMPTS):
        mapped[offset] = mapped[offset]  # from here to the next write-back, writing is not seen
        await ask()
        before, mapped[offset] = _status(blob), mapped[offset] ^ 1
        after, mapped[offset] = _status(blob), mapped[offset] ^ 1
        if before == after == _status(blob):
            return lambda: _flip_mapped(blob, mapped, offset, before)
    raise Noticed


def _flip_mapped(blob: Path, mapped: mmap.mmap, offset: int, before: tuple[int, ...]) -> None:
    mapped[offset] ^= 1
    mapped.close()
    if _status(blob) != before:
        raise Noticed


def _status(path: Path) -> tuple[int, ...]:
    status = path.lstat()
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


# --- what a client gets


async def _files(server: Inbond) -> set[tuple[str, str, str]]:
    """Which bytes the page names under which address."""
    files = (await server.page("demo"))["files"]
    return {(file["filename"], file["url"], file["hashes"]["sha256"]) for file in files}


async def _get(server: Inbond, wheel: SimFile) -> tuple[int, bytes]:
    status, body, _ = await server.get(await server.path_of("demo", wheel.filename))
    return status, body


async def _asked(server: Inbond, truth: Truth) -> None:
    assert await _get(server, truth.wheel) == (200, truth.wheel.content)
    status, body, _ = await server.get(_provenance_path(truth.wheel))
    assert (status, body) == (200, truth.wheel.provenance)


def _provenance_path(wheel: SimFile) -> str:
    return f"/integrity/demo/1.0/{wheel.filename}/provenance"


async def _seen(case: Case, place: Path, server: Inbond, truth: Truth) -> Seen:
    wheel = truth.wheel
    status, body = await _get(server, wheel)
    proved, provenance, _ = await server.get(_provenance_path(wheel))
    wrong = []
    if status == 200 and body != wheel.content and not _is_beneath(case):
        wrong.append("wrong bytes of a file were completed")
    if await _files(server) != truth.files:
        wrong.append("another page was given")
    if proved == 200 and provenance != wheel.provenance:
        wrong.append("another provenance was given")
    told = await _told(server)
    got = f"{status}, {'the right bytes' if body == wheel.content else 'other bytes' if status == 200 else 'none'}"
    if status != 200 and not case.imported:
        wrong.append(f"the file was answered with {status}")
    listed = (await server.listed("demo", wheel.filename))["hashes"]["sha256"]
    fits = hashlib.sha256(body).hexdigest() == listed
    if fits and body != wheel.content:
        wrong.append("the page vouches for wrong bytes")
    compared = "takes it" if status == 200 and fits else "refuses it" if status == 200 else "tells the error"
    return Seen(got, compared, told, _left(place, wheel, imported=case.imported), wrong)


def _is_beneath(case: Case) -> bool:
    """Whether nothing but reading the file could tell, and nothing has had it read."""
    return case.how == BENEATH and case.server in {RUNNING, RESTARTED}


async def _told(server: Inbond) -> str:
    names = ("stored-file-damaged", "imported-file-damaged", "document-store-set-aside")
    found = [name for name in names if await server.metric("inbond_alerts_total", name=name)]
    refused = [
        sample.labels["reason"]
        for metric in server.up.metrics.registry.collect()
        if metric.name == "inbond_documents_refused"
        for sample in metric.samples
        if sample.name.endswith("_total") and sample.value
    ]
    return ", ".join([*found, *(f"a document refused: {reason}" for reason in refused)]) or "nothing"


def _left(place: Path, wheel: SimFile, *, imported: bool) -> str:
    data = place / "data" / ("mirror" if imported else "cache")
    blob = data / "blobs" / "sha256" / wheel.sha256[:2] / wheel.sha256
    aside = len(list((data / "quarantine").glob("*"))) if (data / "quarantine").is_dir() else 0
    stored = "no file" if not blob.exists() else "a whole file" if blob.read_bytes() == wheel.content else "damaged"
    return stored + (", the damaged one in quarantine" if aside else "")


# --- the ledger


async def _ledger(server: str, count: int, place: Path) -> tuple[list[Sequence[str]], list[str]]:
    """Flips bits of the ledger, one after the other, each in a ledger of its own; outcomes with their number."""
    rng, outcomes, wrong = random.Random(SEED), dict[tuple[str, str], int](), list[str]()
    place.mkdir(parents=True)
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", size=50_000, provenance=_signed)
        async with inbond(place, index) as warm:
            truth = Truth(wheel, await _files(warm))
            await _asked(warm, truth)
        ledger = place / "data" / "ledger" / LEDGER_FILE
        whole = ledger.read_bytes()
        for _ in range(count):
            for path in ledger.parent.glob(f"{LEDGER_FILE}-*"):
                path.unlink()
            ledger.write_bytes(whole)
            offset = rng.choice([rng.randrange(len(whole)), rng.choice(_used(whole))])
            seen = await _with_ledger(server, place, index, truth, partial(flip_at, ledger, offset))
            outcomes[seen.got, seen.compared] = outcomes.get((seen.got, seen.compared), 0) + 1
            wrong += [f"the ledger, byte {offset}, {server}: {one}" for one in seen.wrong]
    rows: list[Sequence[str]] = [
        (f"the ledger, {found} of {count} bytes", THROUGH, server, got, compared, "", "the ledger as it is")
        for (got, compared), found in sorted(outcomes.items())
    ]
    return rows, wrong


def _used(content: bytes) -> list[int]:
    """Where something other than nothing stands."""
    return [offset for offset, byte in enumerate(content) if byte]


async def _with_ledger(server: str, place: Path, index: SimIndex, truth: Truth, flip: Callable[[], object]) -> Seen:
    if server == RESTARTED:
        await asyncio.to_thread(flip)
    try:
        async with inbond(place, index) as running:
            if server == RUNNING:
                await asyncio.to_thread(flip)
            return await _asked_of_flipped(running, truth)
    except OperatorFault as error:
        return Seen(f"no start: {error.message.partition(':')[0].partition(' (')[0]}", "tells the error", "", "")
    except InbondError as error:
        return Seen("", "", "", "", [f"ended with {error!r}"])


async def _asked_of_flipped(server: Inbond, truth: Truth) -> Seen:
    status, body, _ = await server.get(truth.wheel.path)
    answered, _, _ = await server.get("/simple/demo/")
    wrong = ["wrong bytes of a file were completed"] if status == 200 and body != truth.wheel.content else []
    if answered == 200 and not await _files(server) <= truth.files:
        wrong.append("other files were offered")
    got = f"{status}, {'the right bytes' if status == 200 else 'none'}; the page {answered}"
    return Seen(got, "takes it" if status == 200 else "tells the error", "", "", wrong)

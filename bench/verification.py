"""Verifying through the verifier process beside a bare loop over sigstore's Verifier, in the same run, interleaved.

    python bench/verification.py [--short] [--verifications 100000] [--rounds 5] [--seconds 2] [--most 600]

Everything is signed by a private Sigstore of this run; no traffic at all. Writes bench/results/verification.md, and
with --short nothing: that only shows that it runs.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import platform
import re
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib.metadata import version
from itertools import cycle
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from cryptography import x509
from pypi_attestations import Attestation
from sigstore.models import Bundle, TrustedRoot
from sigstore.verify import Verifier
from sigstore_models.trustroot import v1

from inbond.gateway.verifier import VerifierProcess
from inbond.model.evidence import Verified
from inbond.model.names import Filename
from inbond.model.trust import PUBLIC, Trust, TrustScope
from sim.sigstore import GitHub, Signer, Sigstore

OBJECTS = 500  # distinct provenance objects, cycled over
FILES_OF_A_RELEASE = 5  # signed with one certificate, as one run of a workflow does
CALLERS = 64  # calls waiting at any time: the verifier is never idle
TICK = 0.005  # seconds, the timer whose lateness is the event loop's lag


class Anybody:
    """sigstore's policy interface, without an opinion: the least that a bare loop can do."""

    def verify(self, cert: x509.Certificate) -> None:
        """Accepts."""


@dataclass(frozen=True)
class Attested:
    """One file with its provenance, and the same as the library takes it."""

    filename: Filename
    sha256: str
    provenance: bytes
    attestation: str  # JSON
    bundle: Bundle


@dataclass(frozen=True)
class Pace:
    """What was reached in a round."""

    rate: float  # verifications a second
    cost: float  # seconds of CPU for each, in the process that verifies


@dataclass
class Seen:
    """What each round reached, by how it was done, and lateness in seconds."""

    paces: dict[str, list[Pace]] = field(default_factory=lambda: {OURS: [], PARSED: [], BARE: []})
    idle: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)

    def row(self, name: str) -> str:
        """A line of the table: medians, and inbond's share of this, round by round."""
        rates, costs = [one.rate for one in self.paces[name]], [one.cost * 1000 for one in self.paces[name]]
        rounds = list(zip(self.paces[OURS], self.paces[name], strict=True))
        faster = statistics.median(ours.rate / theirs.rate for ours, theirs in rounds)
        cheaper = statistics.median(theirs.cost / ours.cost for ours, theirs in rounds)
        cells = (
            name,
            f"{statistics.median(rates):.0f} ({min(rates):.0f} to {max(rates):.0f})",
            f"{faster:.2f}",
            f"{statistics.median(costs):.2f} ms",
            f"{cheaper:.2f}",
        )
        return f"| {' | '.join(cells)} |"


OURS = "inbond: provenance bytes in, evidence out, in a process of its own"
PARSED = "a bare loop that parses the attestation and calls `verify_dsse`"
BARE = "a bare loop over `verify_dsse`, everything parsed before"


def main() -> None:
    """Measures, prints, and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="a few seconds, and nothing written")
    parser.add_argument("--verifications", type=int, default=100_000, help="for the memory afterwards")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each loop in a round")
    parser.add_argument("--most", type=float, default=600.0, help="seconds; what is not verified by then is said")
    options = parser.parse_args()
    if options.short:
        options.verifications, options.rounds, options.seconds = 300, 1, 0.3
    text = asyncio.run(measure(options))
    if not options.short:
        (HERE / "results").mkdir(exist_ok=True)
        (HERE / "results" / "verification.md").write_text(text)
    print(text)


async def measure(options: argparse.Namespace) -> str:
    """All measurements, as a page."""
    sigstore = Sigstore()
    root, now = sigstore.trusted_root(), sigstore.now + timedelta(days=1)
    files = list(attested(sigstore, OBJECTS if not options.short else 50))
    bare = Verifier(trusted_root=TrustedRoot(v1.TrustedRoot.from_json(root)))
    scope = TrustScope(name=PUBLIC, root=root)
    async with running(Trust(scopes={PUBLIC: scope}, by_upstream={"pypi": (PUBLIC,)})) as verifier:
        seen = Seen()
        await through(verifier, files, now, count=len(files))  # both are warm
        for _ in range(options.rounds):
            seen.paces[BARE].append(looped(options.seconds, files, lambda one: prepared(bare, one)))
            seen.paces[PARSED].append(looped(options.seconds, files, lambda one: from_text(bare, one)))
            async with lateness(seen.idle):
                await asyncio.sleep(options.seconds / 2)
            before = spent(verifier)
            async with lateness(seen.busy):
                count, seconds = await through(verifier, files, now, seconds=options.seconds)
            seen.paces[OURS].append(Pace(rate=count / seconds, cost=(spent(verifier) - before) / count))
        assert verifier.pid is not None
        first = resident(verifier.pid), resident(os.getpid())
        done, seconds = await through(verifier, files, now, count=options.verifications, seconds=options.most)
        last = resident(verifier.pid), resident(os.getpid())
    return "\n".join(as_markdown(seen, Long(first=first, last=last, done=done, seconds=seconds), options)) + "\n"


def attested(sigstore: Sigstore, count: int) -> Iterator[Attested]:
    """So many files, signed; whole releases."""
    for first in range(0, count, FILES_OF_A_RELEASE):
        signer = sigstore.signer(GitHub(ref=f"refs/tags/v1.{first}"))
        for number in range(first, first + FILES_OF_A_RELEASE):
            yield attested_file(signer, Filename(f"widgets-1.{number}.tar.gz"))


def attested_file(signer: Signer, filename: Filename) -> Attested:
    """One of them."""
    sha256 = hashlib.sha256(filename.encode()).hexdigest()
    provenance = signer.provenance(filename, sha256)
    (bundle,) = json.loads(provenance)["attestation_bundles"]
    text = json.dumps(bundle["attestations"][0])
    return Attested(filename, sha256, provenance, text, Attestation.model_validate_json(text).to_bundle())


def prepared(verifier: Verifier, one: Attested) -> None:
    """The least: the cryptography alone."""
    verifier.verify_dsse(one.bundle, Anybody())


def from_text(verifier: Verifier, one: Attested) -> None:
    """What whoever calls the library has to do for each file; whom it is by and what it says is not looked at."""
    verifier.verify_dsse(Attestation.model_validate_json(one.attestation).to_bundle(), Anybody())


def looped(seconds: float, files: list[Attested], verify: Callable[[Attested], None]) -> Pace:
    """A loop in this process."""
    started, before = time.perf_counter(), time.process_time()
    for count, one in enumerate(cycle(files), start=1):
        verify(one)
        if (passed := time.perf_counter() - started) >= seconds:
            return Pace(rate=count / passed, cost=(time.process_time() - before) / count)
    raise AssertionError("a cycle does not end")


@asynccontextmanager
async def running(trust: Trust) -> AsyncIterator[VerifierProcess]:
    """A verifier process as in production."""
    verifier = VerifierProcess(trust)
    try:
        await verifier.start()
        yield verifier
    finally:
        await verifier.aclose()


async def through(
    verifier: VerifierProcess, files: list[Attested], now: datetime, *, count: int = sys.maxsize, seconds: float = 600.0
) -> tuple[int, float]:
    """Verifies at full rate, until so many are done or so long has passed; how many, and the seconds that it took."""
    started, done = time.perf_counter(), 0
    waiting = cycle(files)

    async def caller() -> None:
        nonlocal done
        while done < count and time.perf_counter() - started < seconds:
            one = next(waiting)
            found = await verifier.verify(
                one.provenance, upstream="pypi", filename=one.filename, sha256=one.sha256, now=now
            )
            assert isinstance(found, Verified)
            done += 1

    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return done, time.perf_counter() - started


@asynccontextmanager
async def lateness(seen: list[float]) -> AsyncIterator[None]:
    """Notes how late the event loop is."""

    async def watch() -> None:
        while True:
            due = time.perf_counter() + TICK
            await asyncio.sleep(TICK)
            seen.append(max(0.0, time.perf_counter() - due))

    task = asyncio.create_task(watch())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def spent(verifier: VerifierProcess) -> float:
    """Seconds of CPU that the verifier process has used."""
    fields = Path(f"/proc/{verifier.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # user and system; proc(5), less the first 3


def resident(pid: int) -> float:
    """MB in memory now."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024 / 1e6


def percentile(values: list[float], share: float) -> float:
    """In milliseconds."""
    return sorted(values)[min(int(len(values) * share), len(values) - 1)] * 1000


@dataclass(frozen=True)
class Long:
    """The many verifications: MB in the verifier process and in this one before and after."""

    first: tuple[float, float]
    last: tuple[float, float]
    done: int
    seconds: float


def as_markdown(seen: Seen, long: Long, options: argparse.Namespace) -> Iterator[str]:
    """The page, line by line."""
    cut = "" if long.done >= options.verifications else f" (of {options.verifications:,}: the time was up)"
    libraries = " ".join(f"{name} {version(name)}" for name in ("sigstore", "pypi-attestations", "cryptography"))
    yield "# Verifying provenance"
    yield ""
    yield f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {libraries}."
    yield f"{options.rounds} rounds of {options.seconds:g} s each, interleaved; medians, and the range of the rounds."
    yield f"{OBJECTS} provenance objects, {FILES_OF_A_RELEASE} of a release with one certificate."
    yield ""
    yield "| | verifications a second | inbond's over it | CPU for each | inbond's worth |"
    yield "|---|---|---|---|---|"
    yield from map(seen.row, seen.paces)
    yield ""
    yield "CPU is that of the process that verifies; where other work shares the machine it is the fairer measure."
    yield "Beyond the loops inbond compares the signer with the publisher, holds each key to its window, reads the"
    yield "statement strictly, compares name and digest, and carries both across a pipe."
    yield ""
    yield f"| event loop late by ({len(seen.busy):,} looks) | median | p99 |"
    yield "|---|---|---|"
    for what, late in (("idle", seen.idle), (f"at full rate, {CALLERS} callers", seen.busy)):
        yield f"| {what} | {percentile(late, 0.5):.2f} ms | {percentile(late, 0.99):.2f} ms |"
    yield ""
    yield f"| resident | before | after {long.done:,} verifications{cut} |"
    yield "|---|---|---|"
    for place, what in enumerate(("the verifier process", "the asking process, with the simulator")):
        yield f"| {what} | {long.first[place]:.0f} MB | {long.last[place]:.0f} MB |"
    yield ""
    yield f"Those took {long.seconds:.0f} s, {long.done / long.seconds:.0f} a second."


if __name__ == "__main__":
    main()

"""Fills the upstream: real wheels, really signed, for those parts that the chosen works ask for."""

from __future__ import annotations

import base64
import hashlib
import random
import sys
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from itertools import product
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from harness import plan as names
from harness.catalog import Catalog, Entry, listed
from harness.plan import Plan
from sim.index_dists import build_sdist, build_wheel, core_metadata
from sim.sigstore import GitHub, Signer, Sigstore

VERSIONS = 5  # of each package that is installed
BLOCK = 2**20
SIZES = (8_000, 20_000, 60_000, 150_000, 400_000, 1_500_000)  # of installed wheels, in turns


@dataclass(frozen=True, kw_only=True)
class Filling:
    """What the parts are made with."""

    catalog: Catalog
    plan: Plan
    place: Path
    signer: Signer
    uploaded: str

    def wheel(
        self, project: str, version: str, *, size: int | None = None, requires: Iterable[str] = (), signed: bool = True
    ) -> Entry:
        """A small wheel, in memory."""
        dist = build_wheel(project, version, requires=requires, size=size)
        return self._add(project, version, dist.filename, dist.content, dist.metadata, signed=signed)

    def sdist(self, project: str, version: str) -> Entry:
        dist = build_sdist(project, version)
        return self._add(project, version, dist.filename, dist.content, None, signed=True)

    def large(self, project: str, size: int) -> Entry:
        """A wheel of many MiB, on disk."""
        filename = f"{project.replace('-', '_')}-1.0-py3-none-any.whl"
        path = self.place / filename
        metadata = large_wheel(path, project, size)
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return self._add(project, "1.0", filename, path, metadata, signed=True, sha256=sha256)

    def _add(
        self, project: str, version: str, filename: str, content: bytes | Path, metadata: bytes | None, *,
        signed: bool, sha256: str = "",
    ) -> Entry:  # fmt: skip
        if isinstance(content, bytes):
            sha256 = hashlib.sha256(content).hexdigest()
        provenance = self.signer.provenance(filename, sha256) if signed else None
        return self.catalog.add(
            project, version, filename, content,
            uploaded=self.uploaded, sha256=sha256, metadata=metadata, provenance=provenance,
        )  # fmt: skip


def filled(catalog: Catalog, plan: Plan, place: Path, parts: Iterable[str]) -> bytes:
    """Adds the parts; the trusted root by which their files are genuine."""
    sigstore = Sigstore()
    uploaded = (sigstore.now + timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    signer = sigstore.signer(GitHub(), issued=sigstore.now, integrated_time=sigstore.now)
    filling = Filling(catalog=catalog, plan=plan, place=place, signer=signer, uploaded=uploaded)
    for part in sorted(parts):
        PARTS[part](filling)
    return sigstore.trusted_root()


def _small(to: Filling) -> None:
    for number in range(30):
        to.wheel(names.SMALL, f"1.{number}")
        to.sdist(names.SMALL, f"1.{number}")


def _vast(to: Filling) -> None:
    entries = [
        listed(names.VAST, f"1.{n}", sdist=sdist) for n in range(to.plan.page_files // 2) for sdist in (False, True)
    ]
    to.catalog.projects[names.VAST] = entries


def _files(to: Filling) -> None:
    to.wheel(names.MEDIUM, "1.0", size=names.MEDIUM_SIZE)
    to.large(names.LARGE, names.LARGE_SIZE)


def _cold_pages(to: Filling) -> None:
    for round_ in range(to.plan.rounds):
        for number in range(names.COLD_PAGES):
            for version in range(20):
                to.wheel(names.cold_page(round_, number), f"1.{version}")


def _cold_files(to: Filling) -> None:
    for round_ in range(to.plan.rounds):
        for number in range(names.COLD_FILES):
            to.wheel(names.cold_file(round_, number), "1.0", size=names.MEDIUM_SIZE)


def _cold_large(to: Filling) -> None:
    for round_ in range(to.plan.rounds):
        for kind in ("free", "paced"):
            to.large(names.cold_large(round_, kind), names.LARGE_SIZE)


def _herd(to: Filling) -> None:
    for round_ in range(to.plan.rounds):
        to.large(names.cold_large(round_, "herd"), names.LARGE_SIZE)


def _attested(to: Filling) -> None:
    for round_ in range(to.plan.rounds):
        for number in range(to.plan.attested):
            to.wheel(f"{names.ATTESTED}-{round_}", f"1.{number}")


def _verified(to: Filling) -> None:
    uses = (names.ALONE, names.BESIDE, names.PACED, names.HALF)
    for round_, use in product(range(to.plan.rounds), uses):
        for project in names.young(to.plan, round_, use):
            for number in range(names.YOUNG_FILES):
                to.wheel(project, f"1.{number}")


def _sets(of: Callable[[int], str]) -> Callable[[Filling], None]:
    def fill(to: Filling) -> None:
        for round_ in range(to.plan.rounds):
            for number in range(to.plan.packages):
                _package(to, of(round_), number)

    return fill


def _package(to: Filling, set_: str, number: int) -> None:
    project = names.package(set_, number)
    for version in range(VERSIONS - 1):
        to.wheel(project, f"1.{version}")
    to.wheel(project, names.PINNED, size=SIZES[number % len(SIZES)], requires=names.requires(to.plan, set_, number))


def _giant(to: Filling) -> None:
    to.large(names.GIANT, to.plan.giant)


def _listed(to: Filling) -> None:
    to.catalog.listed = to.plan.listed


PARTS: dict[str, Callable[[Filling], None]] = {
    "small": _small, "vast": _vast, "files": _files, "cold pages": _cold_pages, "cold files": _cold_files,
    "cold large": _cold_large,
    "herd": _herd, "attested": _attested, "verified": _verified, "giant": _giant, "listed": _listed,
    "pip": _sets(names.pip_set), "uv": _sets(names.uv_set), "storm": _sets(names.storm_set),
    "replay": _sets(names.replay_set),
}  # fmt: skip


def large_wheel(path: Path, project: str, size: int) -> bytes:
    """Writes a real wheel of about so many bytes piece by piece; its core metadata."""
    name = project.replace("-", "_")
    info = f"{name}-1.0.dist-info"
    metadata = core_metadata(project, "1.0")
    block = random.Random(project).randbytes(BLOCK)
    wheel = b"Wheel-Version: 1.0\nGenerator: bench\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    rows = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for member, pieces in (
            (f"{name}/__init__.py", [b""]), (f"{name}/padding.bin", [block] * (size // BLOCK)),
            (f"{info}/METADATA", [metadata]), (f"{info}/WHEEL", [wheel]),
        ):  # fmt: skip
            digest = hashlib.sha256()
            with archive.open(member, "w", force_zip64=True) as out:
                for piece in pieces:
                    digest.update(piece)
                    out.write(piece)
            urlsafe = base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()
            rows.append(f"{member},sha256={urlsafe},{sum(map(len, pieces))}\n")
        archive.writestr(f"{info}/RECORD", "".join([*rows, f"{info}/RECORD,,\n"]))
    return metadata

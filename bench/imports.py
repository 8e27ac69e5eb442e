"""Putting an import in force, beside writing the same rows into a bare SQLite database.

    python bench/imports.py [--projects 400] [--files 300] [--rounds 5]

One transaction each. The import is taken into an empty ledger, then once more, then with one file more of each project;
and the ledger is copied without its history, as every import has it done before. Wall time, medians, each part in its
turn. Writes bench/results/imports.md.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import json
import os
import platform
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

HERE = Path(__file__).parent
sys.path[0] = str(HERE.parent / "tests")

from inbond.model.events import unobserved
from inbond.model.memory import FileRecord, PageRecord
from inbond.model.names import Filename, ProjectName
from inbond.store.ledger import open_ledger
from store.brought import PROJECT, later, take
from store.samples import REPOSITORY, T0

CARRIED = 20  # files of each project's entry
HEAD = """\
# Putting an import in force

{machine}, {cores} processors with a load of {load:.1f} before the run, Python {python}, SQLite {sqlite}. Medians of
{rounds} rounds of wall time. {projects} projects with {files} files each.

| what | seconds | to bare |
|---|--:|--:|
"""
WHAT = {
    "bare": "the rows of the memory into one bare table, one transaction, on disk",
    "first": "the import into an empty ledger",
    "again": "the same import once more",
    "more": "an import with one file more of each project",
    "copy": "copying that ledger without its history",
}


def main() -> None:
    """Measures, and writes the result."""
    arguments = _arguments()
    load = os.getloadavg()[0]
    taken: dict[str, list[float]] = {what: [] for what in WHAT}
    for _ in range(arguments.rounds):
        for what, seconds in asyncio.run(_round(arguments.projects, arguments.files)):
            taken[what].append(seconds)
    medians = {what: statistics.median(seconds) for what, seconds in taken.items()}
    head = HEAD.format(
        machine=platform.machine(),
        cores=os.cpu_count(),
        load=load,
        python=platform.python_version(),
        sqlite=sqlite3.sqlite_version,
        **vars(arguments),
    )
    rows = [f"| {WHAT[what]} | {median:.2f} | {median / medians['bare']:.1f} |" for what, median in medians.items()]
    text = head + "\n".join(rows) + "\n"
    (HERE / "results" / "imports.md").write_text(text)
    sys.stdout.write(text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--projects", type=int, default=400)
    parser.add_argument("--files", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


async def _round(projects: int, files: int) -> list[tuple[str, float]]:
    names = [ProjectName(f"project-{number}") for number in range(projects)]
    memory, more = ([_record(name, count) for name in names] for count in (files, files + 1))
    taken: list[tuple[str, float]] = []

    @contextlib.contextmanager
    def timed(what: str) -> Iterator[None]:
        before = time.perf_counter()
        yield
        taken.append((what, time.perf_counter() - before))

    with tempfile.TemporaryDirectory() as place:
        with timed("bare"):
            _bare(Path(place) / "bare", memory)
        ledger = open_ledger(Path(place) / "ledger" / "ledger.sqlite3", observer=unobserved)
        entries = [replace(PROJECT, project=name, entry=_entry()) for name in names]
        established = [("pypi", name, [REPOSITORY]) for name in names]
        for number, (what, records) in enumerate((("first", memory), ("again", memory), ("more", more))):
            with timed(what):
                await take(ledger, later(number), projects=entries, memory=records, established=established)
        with timed("copy"):
            await ledger.copy_without_history(Path(place) / "copy")
        await ledger.aclose()
    return taken


def _bare(path: Path, memory: list[PageRecord]) -> None:
    rows = [
        (str(record.project), str(one.filename), one.first_seen.isoformat(), one.first_sha256)
        for record in memory
        for one in record.files
    ]
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE file (project TEXT, filename TEXT, seen TEXT, sha256 TEXT)")
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO file VALUES (?, ?, ?, ?)", rows)
        connection.execute("COMMIT")


def _record(name: ProjectName, files: int) -> PageRecord:
    return PageRecord(
        upstream="pypi",
        project=name,
        first_seen=T0,
        highest_serial=files,
        files=tuple(
            FileRecord(
                filename=Filename(f"{name}-{number}.0.tar.gz"),
                first_seen=T0 + timedelta(hours=number),
                first_sha256=hashlib.sha256(f"{name} {number}".encode()).hexdigest(),
            )
            for number in range(files)
        ),
    )


def _entry() -> str:
    digests = {"sha256": "a" * 64, "metadata": "b" * 64, "provenance": "c" * 64}
    return json.dumps([{"filename": f"demo-{number}.0.tar.gz", **digests} for number in range(CARRIED)])


if __name__ == "__main__":
    main()

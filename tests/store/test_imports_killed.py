"""An import that is killed is in force as a whole, or was never there: whatever table one looks at says the same."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from inbond.store.ledger import Ledger, open_ledger
from store.brought import later
from store.heard import Heard
from store.samples import path_in

KILLS = 6
PROJECTS, FILES = 12, 60

# Import number N moves everything to N: each project's page has N as its serial, the pins are one more, and so on.
IMPORTING = f"""
import asyncio, sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from inbond.model.events import unobserved
from inbond.model.memory import FileRecord, PageRecord
from inbond.model.names import Filename, ProjectName
from inbond.store.ledger import open_ledger
from store.brought import DOCUMENT, PROJECT, UPSTREAM, later, take
from store.samples import PIN, REPOSITORY, T0

NAMES = [ProjectName(f"project-{{n}}") for n in range({PROJECTS})]

def record(name, number):
    files = [Filename(f"{{name}}-{{number}}.{{n}}.tar.gz") for n in range({FILES})]
    return PageRecord(
        upstream="pypi", project=name, first_seen=T0, highest_serial=number,
        files=tuple(FileRecord(filename=one, first_seen=T0, first_sha256="a" * 64) for one in files),
    )

async def main(number):
    ledger = open_ledger(Path(sys.argv[1]), observer=unobserved)
    print("open", flush=True)
    while True:
        number += 1
        await take(
            ledger,
            later(number),
            upstreams=[replace(UPSTREAM, url=f"https://{{number}}.example/")],
            projects=[replace(PROJECT, project=name, entry=str(number)) for name in NAMES],
            documents=[replace(DOCUMENT, sha256=f"{{number:064x}}")],
            memory=[record(name, number) for name in NAMES],
            pins=[replace(PIN, project=ProjectName(f"pin-{{number}}"))],
            established=[(f"upstream-{{number}}", NAMES[0], [REPOSITORY])],
        )
        print(number, flush=True)

asyncio.run(main(int(sys.argv[2])))
"""


async def test_a_killed_import_is_whole_or_was_never_there(tmp_path: Path) -> None:
    number = 0
    for seed in range(KILLS):
        confirmed = killed_after(path_in(tmp_path), number, random.Random(seed).uniform(0, 0.15))
        ledger = open_ledger(path_in(tmp_path), observer=Heard())
        found = len(await ledger.imports())
        assert confirmed <= found <= confirmed + 1  # one may have come into force and not said so
        await check(ledger, found)
        await ledger.aclose()
        number = found
    assert number > 0


def killed_after(path: Path, number: int, seconds: float) -> int:
    """Imports from `number` on until it is killed; the last import that was confirmed."""
    with subprocess.Popen(
        [sys.executable, "-c", IMPORTING, str(path), str(number)],
        stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        time.sleep(seconds)
        process.kill()
        said = process.communicate()[0].split()
    assert process.returncode == -signal.SIGKILL
    return int(said[-1]) if said else number


async def check(ledger: Ledger, number: int) -> None:
    """All of it is as the import of that number left it."""
    assert await ledger.imports() == tuple(later(one) for one in range(number, 0, -1))
    projects = await ledger.imported_projects()
    assert [one.entry for one in projects] == [str(number)] * PROJECTS * (number > 0)
    assert [one.sha256 for one in await ledger.imported_documents()] == [f"{number:064x}"] * (number > 0)
    assert [one.url for one in await ledger.imported_upstreams()] == [f"https://{number}.example/"] * (number > 0)
    for project in projects:
        record = await ledger.page_record("pypi", project.project)
        assert record is not None
        assert (record.highest_serial, len(record.files)) == (number, number * FILES)
    assert len(await ledger.decisions()) == number
    for one in range(1, number + 2):
        known = await ledger.established(f"upstream-{one}", projects[0].project) if projects else ()
        assert bool(known) == (one <= number)

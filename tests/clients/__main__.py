"""Writes docs/clients.md: every client through inbond, in every case, under every policy.

    make clients                                    # runs all and writes the page
    make clients ARGS=--check                       # compares with the page instead
    make clients ARGS='--only pdm --only poetry'    # runs some and writes nothing

The environments of the clients need a package index; everything else happens on this machine.
"""

from __future__ import annotations

import argparse
import asyncio
import difflib
import logging
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import structlog

from clients.cases import CASES, expected
from clients.environments import TOP, NotReady, ready
from clients.families import CLIENTS
from clients.matrix import Result, run_matrix
from clients.page import SECTIONS_THAT_COUNT, page, problems, sections
from clients.upload import Upload, upload

PAGE: Final = TOP / "docs" / "clients.md"


def main() -> None:
    """Runs the matrix and writes or compares the page."""
    options = _options()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    clients = [client for client in CLIENTS if not options.only or client.name in options.only]
    began = time.monotonic()
    try:
        for name in [*(client.name for client in clients), "twine"]:
            ready(name)
    except NotReady as error:
        sys.exit(str(error))
    made = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        results = asyncio.run(run_matrix(clients, Path(scratch)))
        refused = asyncio.run(upload(Path(scratch) / "twine"))
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = f"{spent.ru_utime + spent.ru_stime:.0f} s of processor time"
    print(f"{len(results)} cells; environments {made - began:.0f} s, runs {time.monotonic() - made:.0f} s; {used}")
    _hold(results, refused)
    if options.only:
        return
    text = page(results, refused)
    if options.check:
        _compare(PAGE.read_text(), text)
    else:
        PAGE.write_text(text)
        print(f"wrote {PAGE}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare outcomes with the page; write nothing")
    parser.add_argument("--only", action="append", choices=[client.name for client in CLIENTS], help="run these only")
    return parser.parse_args()


def _hold(results: list[Result], refused: Upload) -> None:
    """Ends with what is not as expected."""
    keys = [(client.name, case, policy) for client in CLIENTS for case in CASES for policy in case.expected]
    texts = problems(results, {(name, case.name, policy): expected(name, case, policy) for name, case, policy in keys})
    if not refused.explained:
        texts.append(f"twine\n  expected: 405 and the sentence\n  came: exit code {refused.code}\n{refused.printed}")
    if texts:
        sys.exit("\n\n".join([*texts, f"{len(texts)} outcomes are not the expected ones; nothing was written"]))


def _compare(kept: str, now: str) -> None:
    """Ends where a part that counts has changed; says where only the wording of a client has."""
    before, after = sections(kept), sections(now)
    changed = [name for name in after if before.get(name) != after[name]]
    diff = difflib.unified_diff(kept.splitlines(), now.splitlines(), "docs/clients.md", "this run", lineterm="", n=0)
    if changed:
        print("\n".join(diff))
    if any(name in SECTIONS_THAT_COUNT for name in changed):
        sys.exit("docs/clients.md says otherwise than this run; `make clients` writes it anew")
    print("docs/clients.md holds" + (", but what clients print reads differently now" if changed else ""))


if __name__ == "__main__":
    main()

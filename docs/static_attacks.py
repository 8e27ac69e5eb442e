"""Writes docs/static-attacks.md: attacks on a static tree, and what becomes of each.

    make static-attacks

Each is tried on a tree that a real inbond wrote, behind a plain web server: with `inbond static verify`, with a second
inbond in front, and with pip and uv straight from the tree. All traffic stays on this machine.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from e2e.attacks import version_of
from e2e.service import pip, uv
from mirror.static_attacks import ATTACKS, document, installed, outcome_of, world_in

TARGET = HERE / "static-attacks.md"


def main() -> None:
    """Tries all attacks and writes the file."""
    with tempfile.TemporaryDirectory() as scratch:
        text = asyncio.run(tried(Path(scratch)))
    TARGET.write_text(text)
    print(f"wrote {TARGET}")


async def tried(scratch: Path) -> str:
    """The page."""
    outcomes, installations = [], []
    async with world_in(scratch / "honest") as world:
        for number, attack in enumerate(ATTACKS):
            outcomes.append(await outcome_of(attack, world, scratch / f"{number}"))
            direct = [await installed(attack, world, scratch / f"{number}-{one.__name__}", one) for one in (pip, uv)]
            installations.append((direct[0], direct[1]))
    versions = version_of(scratch, "pip"), version_of(scratch, "uv")
    return document(outcomes, installations, versions)


if __name__ == "__main__":
    main()

"""Writes docs/attacks.md: five attacks, and what pip and uv print to the first person who meets them.

    make attacks

Each attack is replayed on a simulated index with a private Sigstore, behind an inbond with its defaults that nobody has
asked anything yet. All traffic stays on this machine.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from clients import terminal
from e2e.attacks import ATTACKS, BEFORE, OWN, Attack, Outcome, replayed, version_of, with_history
from sim.index import SimIndex

NOISE = ("Using Python", "Using CPython", "Looking in indexes", "[notice]")
HEAD = """# Five attacks, replayed

Written by `make attacks` from real runs of pip {pip} and uv {uv}. A simulated project has six releases, a month apart,
each signed by one publisher; the attack is the seventh, 1.6. Behind inbond's defaults, with nothing in its cache, its
ledger or its memory, the first person asks for the project, and then for exactly the attacker's version. The release
before, {before}, is what is installed each time. Times, ports and digests are made uniform.

| attack | stopped by | installed without a version | asked for by version |
|---|---|---|---|
"""


def main() -> None:
    """Replays all attacks and writes the file."""
    with tempfile.TemporaryDirectory() as scratch:
        text = asyncio.run(document(Path(scratch)))
    (HERE / "attacks.md").write_text(text)
    print(f"wrote {HERE / 'attacks.md'}")


async def document(scratch: Path) -> str:
    """The page."""
    head = HEAD.format(pip=version_of(scratch, "pip"), uv=version_of(scratch, "uv"), before=BEFORE)
    rows, sections = [], []
    for attack in ATTACKS:
        outcomes = [one for installer in ("pip", "uv") for one in await run(attack, installer, scratch)]
        unpinned = {one.installed or "nothing" for one in outcomes[::2]}
        pinned = {one.installed or "refused" for one in outcomes[1::2]}
        rule = "ownership (`projects` of an upstream)" if attack.owned else f"`{attack.stopped_by}`"
        rows.append(f"| {attack.name} | {rule} | {', '.join(sorted(unpinned))} | {', '.join(sorted(pinned))} |")
        sections.append(f"## {attack.name}\n\n{attack.told}\n")
        sections += [shown(one) for one in outcomes]
    return head + "\n".join(rows) + "\n\n" + "\n".join(sections)


async def run(attack: Attack, installer: str, scratch: Path) -> list[Outcome]:
    """One attack, one installer, an inbond of its own."""
    place = Path(tempfile.mkdtemp(dir=scratch))
    async with SimIndex() as public, SimIndex() as inside:
        with_history(public)
        inside.add_wheel(OWN, BEFORE)
        attack.strike(public)
        return await asyncio.to_thread(replayed, attack, place, installer, public, inside)


def shown(outcome: Outcome) -> str:
    """What was printed, as it is quoted."""
    lines = [
        terminal.tidy(line, origin=outcome.origin, places={outcome.place: "~"})
        for line in outcome.printed.splitlines()
        if line.strip() and not line.startswith(NOISE)
    ]
    return "```text\n$ " + outcome.command + "\n" + "\n".join(lines) + "\n```\n"


if __name__ == "__main__":
    main()

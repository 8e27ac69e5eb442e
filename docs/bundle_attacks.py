"""Writes docs/bundle-attacks.md: every attack on a bundle that is tried, and what inbond says to it.

    make bundle-attacks

Each is made from a genuine bundle and brought to an inbond that has imported the genuine one, as `inbond bundle
import` would. Fails where one is taken.
"""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from bundles.attack import Attacks, Who
from bundles.attacks import ALL, KINDS
from bundles.importing import Outcome, tried

TARGET = HERE / "bundle-attacks.md"
HEAD = """\
# What a bundle stands up to

{count} attacks on a bundle ([bundles.md](bundles.md)), each of them made from a genuine one and brought to an inbond
that has imported the genuine one before. None is taken. {carrier} are open to whoever carries a bundle from one side to
the other. {signer} need a key that the receiving side trusts: what is signed is not believed either. Where a bundle is
refused, what was in force before stays so, and nothing of it is left on the disk; where only a file lies, that file is
left out and the rest is taken. Digests and keys are made uniform.

This page is written by `make bundle-attacks` from what `inbond bundle import` says, and a test compares.
"""
NEEDS = {
    Who.CARRIER: "By whoever has the bundle in their hands, and no key.",
    Who.SIGNER: "By whoever has a key that is trusted, so that the signature is good.",
}


def main() -> None:
    """Writes the file."""
    with tempfile.TemporaryDirectory() as scratch:
        outcomes = asyncio.run(tried(Path(scratch)))
    TARGET.write_text(document(outcomes))
    print(f"wrote {TARGET}")


def document(outcomes: Mapping[str, Outcome]) -> str:
    """The page. `outcomes` by the attacks' ids."""
    carrier = sum(attack.who is Who.CARRIER for attack in ALL)
    head = HEAD.format(count=len(ALL), carrier=carrier, signer=len(ALL) - carrier)
    return head + "".join(line for kind in KINDS for line in section(kind, outcomes))


def section(kind: Attacks, outcomes: Mapping[str, Outcome]) -> Iterator[str]:
    """A heading and a table."""
    yield f"\n## {kind.title}\n\n{NEEDS[kind.who]}\n\n| attack | what is done | inbond says |\n|---|---|---|\n"
    for attack in kind.all:
        message = outcomes[attack.id].said
        if message is None:
            sys.exit(f"{attack.id} was taken")
        yield f"| {attack.id} | {cell(attack.done)} | {cell(uniform(message))} |\n"


def uniform(message: str) -> str:
    """Without what differs from bundle to bundle."""
    return re.sub(r"\bk-[0-9a-f]{16}\b", "k-…", re.sub(r"\b[0-9a-f]{64}\b|\b[0-9a-f]{12}\.\.\.", "…", message))


def cell(text: str) -> str:
    """Text that keeps a table whole."""
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "\\<")


if __name__ == "__main__":
    main()

"""Mutates genuine provenance any number of times, and fails if ever one is let through that must not be.

    make mutations COUNT=1000000 SEED=1

In several processes. Tells how far it is, and at the end what became of the mutants, by state and by reason. What
breaks the law — an unexpected accept, an exception, more than a second for one — is written to a directory, with the
trusted roots under which it did, and the command fails.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from attest.mutations.corpus import Corpus, build
from attest.mutations.engine import Engine

_PORTION: Final = 2_000  # mutants between two lines of progress, at most
_REASONS_SHOWN: Final = 30
_QUOTED: Final = re.compile(
    r"\d{4}-\d\d-\d\d \d\d:\d\d|\([0-9a-f]*\)|: .*|(?<=not by ).*|(?<=signed by ).*|(?<=of kind ).*|(?<=type ).*|\d+"
)


@dataclass
class Tally:
    """What became of some mutants."""

    states: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    hows: Counter[str] = field(default_factory=Counter)
    broken: list[tuple[str, str, bytes]] = field(default_factory=list)  # law, seed, provenance

    def add(self, other: Tally) -> None:
        """Adds another up."""
        self.states += other.states
        self.reasons += other.reasons
        self.hows += other.hows
        self.broken += other.broken

    @property
    def count(self) -> int:
        """How many mutants."""
        return self.states.total()

    @property
    def raised(self) -> int:
        """How many made it raise something."""
        return self.states["raised"]

    @property
    def accepted(self) -> int:
        """How many were let through that must not be, or took too long."""
        return len(self.broken) - self.raised


def portion(corpus: Corpus, seed: str, first: int, count: int) -> Tally:
    """Mutates and judges so many, from one on."""
    warnings.simplefilter("ignore")  # cryptography's, about certificates as it will refuse them one day
    engine, tally = Engine(corpus), Tally()
    for number in range(first, first + count):
        one = f"{seed}/{number}"
        mutant = engine.mutant(one)
        judged = engine.judge(mutant)
        tally.states[judged.state] += 1
        tally.reasons[_QUOTED.sub("…", judged.reason)] += 1
        tally.hows.update(mutant.how.split(", "))
        if judged.wrong is not None:
            tally.broken.append((judged.wrong, one, mutant.provenance))
    return tally


def run(count: int, seed: str, processes: int, *, quiet: bool = False) -> tuple[Tally, Corpus]:
    """All of them."""
    corpus, tally, began = build(), Tally(), time.monotonic()
    with ProcessPoolExecutor(processes) as pool:
        portions = [pool.submit(portion, corpus, seed, first, size) for first, size in _portions(count)]
        for done in as_completed(portions):
            tally.add(done.result())
            if not quiet:
                rate = tally.count / (time.monotonic() - began)
                print(f"\r{tally.count:,} of {count:,}, {rate:,.0f} a second, {len(tally.broken)} wrong ",
                      end="", file=sys.stderr, flush=True)  # fmt: skip
    if not quiet:
        print(file=sys.stderr)
    return tally, corpus


def _portions(count: int) -> Iterator[tuple[int, int]]:
    return ((first, min(_PORTION, count - first)) for first in range(0, count, _PORTION))


def report(tally: Tally) -> str:
    """What became of them, in lines."""
    lines = [f"{tally.count:,} mutations, {tally.accepted} accepted, {tally.raised} exceptions", ""]
    lines += [f"{number:>9,}  {state}" for state, number in tally.states.most_common()]
    lines += ["", *(f"{number:>9,}  {how}" for how, number in tally.hows.most_common())]
    told = [(reason, number) for reason, number in tally.reasons.most_common() if reason][:_REASONS_SHOWN]
    return "\n".join([*lines, "", *(f"{number:>9,}  {reason}" for reason, number in told)])


def keep(tally: Tally, corpus: Corpus) -> Path:
    """Writes down what broke the law."""
    place = Path(tempfile.mkdtemp(prefix="mutants-"))
    for scope in corpus.scopes:
        (place / f"trusted_root-{scope.name}.json").write_bytes(scope.root)
    for number, (law, seed, provenance) in enumerate(tally.broken):
        (place / f"{number}.json").write_bytes(provenance)
        (place / f"{number}.txt").write_text(f"{law}\nseed {seed}\nnow {corpus.now.isoformat()}\n", encoding="utf-8")
    return place


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="mutate provenance and see that none is let through")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    tally, corpus = run(asked.count, asked.seed, asked.processes)
    print(report(tally))
    if tally.broken:
        sys.exit(f"{len(tally.broken)} broke the law; they are in {keep(tally, corpus)}")


if __name__ == "__main__":
    main()

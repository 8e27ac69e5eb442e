"""Writes docs/findings.md: every finding by its id, what it means and what lifts it.

python docs/findings.py
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from inbond.check import meanings as of_locks
from inbond.policy import meanings as of_policy
from inbond.policy.meanings import Meaning

TARGET = Path(__file__).with_suffix(".md")
NOTHING = "\u2013"
HEAD = """\
# Findings

Every finding has an id, `rule/code`, that stays the same whatever becomes of its words: it stands in the verdict's
JSON (`id`), on `/why/` pages, in what `inbond why` and `inbond check` print, and in reports. `…` stands for what
differs from case to case, and `/` between sentences of which it says one. What lifts a finding is told here in short;
[rules.md](rules.md) says by which key each rule is configured.

A waiver lifts what one rule finds ([waivers.md](waivers.md)); nothing waives `digest`, `filename` and `hashes`. The
last column says whether an explanation hands out the command ready-made. It does not where what was found looks like
an attack, nor where the answer comes by itself: somebody who is stopped would paste it without a look. For a
publisher that changed, the command is `inbond pins accept`, which holds for later releases too; for what was rejected
here, `inbond review revoke`. Where several findings stop a file, all their commands are shown, or none.

This page is written by `docs/findings.py` from the texts in the code, and a test compares.
"""
OF_POLICY = """
## Of the policy

| finding | says | means | lifted by | command |
|---|---|---|---|---|
"""
OF_LOCKS = """
## Of `inbond check`, about a lock

They are about what a lock says beside what the index says, so no waiver lifts them.

| finding | says | means | lifted by |
|---|---|---|---|
"""


def main() -> None:
    """Writes the file."""
    TARGET.write_text(document())
    print(f"wrote {TARGET}")


def document() -> str:
    """The page."""
    policy, locks = of_policy.MEANINGS, of_locks.MEANINGS
    return HEAD + OF_POLICY + "".join(rows(policy, command=True)) + OF_LOCKS + "".join(rows(locks, command=False))


def rows(meanings: Mapping[str, Meaning], *, command: bool) -> Iterable[str]:
    """A line for each finding, by id."""
    for name in sorted(meanings):
        one = meanings[name]
        cells = [f"`{name}`", one.says, one.means, one.lifted_by or NOTHING]
        if command:
            cells.append("yes" if one.handed_out else "no" if one.lifted_by else NOTHING)
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


if __name__ == "__main__":
    main()

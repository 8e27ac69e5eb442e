"""Fenced blocks of a Markdown document, and the commands in those marked `sh`.

A comment on the line before a block says what is different about it:

    <!-- run: exits 1 -->           its last command ends with that code
    <!-- run: no, REASON -->        it is not run
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_FENCE: Final = re.compile(r"^(?P<indent> *)```(?P<language>[\w-]*)\s*$")
_NOTE: Final = re.compile(r"^\s*<!-- run: (?:exits (?P<code>\d+)|no, (?P<reason>.+)) -->\s*$")
_FILE: Final = re.compile(r"^# ([\w./-]+\.(?:toml|txt|in|yml|yaml))\s*$")


class Malformed(AssertionError):
    """A document that cannot be read this way; the text names file and line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block. `line`: of its first line of text, counted from 1."""

    document: Path
    line: int
    language: str
    text: str
    exits: int  # what its last command ends with
    not_run: str | None  # why

    @property
    def file(self) -> str | None:
        """The file that it shows, where its first line is a comment with that name."""
        found = _FILE.match(self.text.partition("\n")[0])
        return found[1] if found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command of a block, with its line; several lines where it goes on."""

    block: Block
    line: int
    text: str
    exits: int

    @property
    def place(self) -> str:
        """File and line, as an editor takes them."""
        return f"{self.block.document.name}:{self.line}"


def blocks(document: Path) -> list[Block]:
    """The blocks of a document in order. Raises `Malformed`."""
    lines = document.read_text(encoding="utf-8").splitlines()
    found: list[Block] = []
    at = 0
    while at < len(lines):
        opening = _FENCE.match(lines[at])
        if opening is None:
            at += 1
            continue
        end = next((n for n in range(at + 1, len(lines)) if lines[n].strip() == "```"), None)
        if end is None:
            raise Malformed(f"{document.name}:{at + 1}: this block does not end")
        found.append(_block(document, at, opening, lines[at + 1 : end], lines[at - 1] if at else ""))
        at = end + 1
    return found


def _block(document: Path, at: int, opening: re.Match[str], inside: list[str], before: str) -> Block:
    note = _NOTE.match(before)
    if note is None and "<!-- run:" in before:
        raise Malformed(f"{document.name}:{at}: not a note that the tests know: {before.strip()}")
    return Block(
        document=document,
        line=at + 2,
        language=opening["language"],
        text="\n".join(line.removeprefix(opening["indent"]) for line in inside) + "\n",
        exits=int(note["code"] or 0) if note else 0,
        not_run=note["reason"] if note else None,
    )


def commands(block: Block) -> list[Command]:
    """The commands of a block: each as many lines as the shell needs. Raises `Malformed`."""
    found = [Command(block=block, line=line, text=text, exits=0) for line, text in _whole(block)]
    if not found:
        raise Malformed(f"{block.document.name}:{block.line}: a block without a command")
    last = found[-1]
    return [*found[:-1], Command(block=block, line=last.line, text=last.text, exits=block.exits)]


def _whole(block: Block) -> Iterator[tuple[int, str]]:
    pending: list[str] = []
    for number, line in enumerate(block.text.splitlines()):
        if not pending and (not line.strip() or line.lstrip().startswith("#")):
            continue
        pending.append(line)
        text = "\n".join(pending)
        if _complete(text):
            yield block.line + number - len(pending) + 1, text
            pending = []
    if pending:
        raise Malformed(f"{block.document.name}:{block.line}: the shell finds no end: {pending[0]}")


def _complete(text: str) -> bool:
    # For a here-document without end the shell only warns.
    checked = subprocess.run(["bash", "-n", "-c", text], capture_output=True, text=True, check=False)
    return checked.returncode == 0 and not checked.stderr and not text.endswith("\\")

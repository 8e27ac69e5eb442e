"""Progress of bytes on standard error while a person watches: how many, how fast, how long still. Nothing otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from inbond.model.text import printable

SPEED_SECONDS: Final = 30.0  # over so long a time the rate is the mean of what arrived
MAX_NAME_CHARS: Final = 40


class Transferred(Protocol):
    """Is told of what was transferred."""

    def bytes(self, count: int) -> None:
        """So many bytes more; fewer than none where some must be sent again."""
        ...

    def file(self, name: str) -> None:
        """A file of that name is done."""
        ...


class Unwatched:
    """`Transferred` where nobody watches."""

    def bytes(self, count: int) -> None:
        """Passes over it."""

    def file(self, name: str) -> None:
        """Passes over it."""


@dataclass(slots=True, kw_only=True)
class _Bar:
    """`Transferred` as a bar."""

    bar: Progress
    task: TaskID
    files: int
    done: int = field(default=0)

    def bytes(self, count: int) -> None:
        self.bar.update(self.task, advance=count)

    def file(self, name: str) -> None:
        self.done += 1
        self.bar.update(self.task, description=_described(self.done, self.files, name))


@contextmanager
def transferring(doing: str, *, files: int, size: int | None) -> Iterator[Transferred]:
    """A bar of so many files and bytes, called for example "fetching". `size`: None where nobody knows."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield Unwatched()
        return
    columns = (
        TextColumn(doing, markup=False),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeElapsedColumn() if size is None else TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False),
    )
    with Progress(*columns, console=console, transient=True, speed_estimate_period=SPEED_SECONDS) as bar:
        task = bar.add_task(_described(0, files, ""), total=size)
        yield _Bar(bar=bar, task=task, files=files)


def _described(done: int, files: int, name: str) -> str:
    shown = printable(name)
    cut = shown if len(shown) <= MAX_NAME_CHARS else f"{shown[: MAX_NAME_CHARS - 3]}..."
    return f"{done:,} of {files:,} files {cut}".rstrip()

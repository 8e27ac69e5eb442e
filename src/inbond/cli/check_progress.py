"""Progress on standard error while a person watches; nothing otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from inbond.locks.lock import Dependency

Progressed = Callable[[Dependency | None], None]


@contextmanager
def progressing(total: int) -> Iterator[Progressed]:
    """A bar of so many entries; call what it yields with each that is done (None: one that is passed over)."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    columns = (
        TextColumn("checking"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=total)

        def done(dependency: Dependency | None) -> None:
            bar.update(task, advance=1, description=str(dependency.project) if dependency is not None else "")

        yield done

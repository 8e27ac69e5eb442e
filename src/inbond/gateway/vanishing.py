"""What is told when files, or a whole project, are offered no longer: an alert, and an occurrence to act upon."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from inbond.model.events import Alert, Event, Happened
from inbond.model.names import Filename, ProjectName
from inbond.model.occurrence import Occurrence, OccurrenceKind

# Files that vanish together are told one by one up to this number: an index may take away tens of thousands.
MAX_TOLD: Final = 20


def vanished_files(
    upstream: str, project: ProjectName, vanished: Sequence[Filename], *, now: datetime
) -> Iterator[Event]:
    """What is told of files that stood on a page and are gone from it. `now`: when that was seen."""
    for filename in vanished[:MAX_TOLD]:
        message = f"{upstream}: {filename} of {project} is no longer offered"
        yield Alert(name="file-vanished", message=message)
        yield Happened(
            occurrence=Occurrence(
                key=f"file-vanished/{upstream}/{project}/{filename}/{now.isoformat()}",
                kind=OccurrenceKind.FILE_VANISHED,
                at=now,
                message=message,
                upstream=upstream,
                project=project,
                filename=filename,
            )
        )
    if (untold := len(vanished) - MAX_TOLD) > 0:
        yield Alert(name="file-vanished", message=f"{upstream}: {untold} more files of {project} are no longer offered")


def vanished_project(upstream: str, project: ProjectName, files: int, *, now: datetime) -> Iterator[Event]:
    """What is told of a project that upstream does not know any more. `files`: how many of it were known."""
    message = f"{upstream} no longer has the project {project}, of which {files} files were known"
    yield Alert(name="project-vanished", message=message)
    yield Happened(
        occurrence=Occurrence(
            key=f"project-vanished/{upstream}/{project}/{now.isoformat()}",
            kind=OccurrenceKind.PROJECT_VANISHED,
            at=now,
            message=message,
            upstream=upstream,
            project=project,
        )
    )

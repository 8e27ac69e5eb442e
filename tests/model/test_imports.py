from __future__ import annotations

from datetime import UTC, datetime, timedelta

from inbond.model.imports import ImportedProject, newest_first
from inbond.model.names import ProjectName

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def row(name: str, *, days: int, serial: int | None) -> ImportedProject:
    moment = NOW + timedelta(days=days)
    return ImportedProject(
        upstream="first",
        project=ProjectName("demo"),
        name=name,
        as_of=moment,
        imported_at=moment,
        entry="{}",
        serial=serial,
    )


def test_the_newest_page_counts_unless_its_serial_is_lower() -> None:
    old, new, back = row("old", days=0, serial=7), row("new", days=1, serial=9), row("back", days=2, serial=8)
    without = row("without", days=3, serial=None)
    assert newest_first([old, new, back])[0] is new
    assert newest_first([old, new, back, without])[0] is without
    assert newest_first([]) == ()

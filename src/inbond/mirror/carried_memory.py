"""What is remembered of a page, as it is carried: no more than was known when the bundle's content was. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from inbond.model.memory import FileRecord, PageRecord


def as_of(record: PageRecord, made_at: datetime, serial: int | None) -> PageRecord:
    """The record without what a server learned since. `serial`: that of the page that is carried with it.

    What was first seen later is taken for seen then: no bytes of it are carried, and the page that lists it is.
    """
    highest = record.highest_serial
    return replace(
        record,
        first_seen=min(record.first_seen, made_at),
        highest_serial=None if highest is None or serial is None else min(highest, serial),
        files=tuple(_as_of(one, made_at) for one in record.files),
    )


def _as_of(one: FileRecord, made_at: datetime) -> FileRecord:
    vanished = None if one.vanished_at is None else min(one.vanished_at, made_at)
    return replace(one, first_seen=min(one.first_seen, made_at), vanished_at=vanished)

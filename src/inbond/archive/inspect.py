"""Whether an archive's inside agrees with its outside.

An archive that two readers take for different things lets somebody show one content to who looks and another to who
installs. So one answer is asked for, whichever way it is read, as PyPI asks of uploads; and besides that a wheel is
what its name says, by its METADATA and by its RECORD (docs/rules.md, "Inside and outside").

Nothing is inflated but METADATA and RECORD, both within bounds, and a file whose length stands only behind it where
something in it looks like a header (`inbond.archive.streamed`). An sdist that is a zip file is held to the structure
alone: what is in it is for its build to say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256 as sha256_of
from itertools import chain, islice
from typing import BinaryIO, Final

from inbond.archive.directory import read_directory
from inbond.archive.ending import find_directory
from inbond.archive.limits import MAX_REASONS
from inbond.archive.local import check_local
from inbond.archive.names import odd_names, odd_ratio
from inbond.archive.source import GaveUp, Oddity, Source
from inbond.archive.streamed import check_streamed
from inbond.archive.wheel import Contents, look_inside
from inbond.model.inspection import Inspection, NotInspected, Odd, Sane
from inbond.model.names import Filename, Kind, parse_filename

TOO_LONG: Final = NotInspected(reason="it took too long to look into")


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """What was found, and the METADATA of a sane wheel, byte for byte."""

    inspection: Inspection
    metadata: bytes | None = None


def inspect(file: BinaryIO, filename: Filename, *, give_up: Callable[[], bool]) -> Inspected:
    """Looks into a wheel or zip sdist (`inbond.model.inspection.inspectable`).

    `file` is read and sought in, not closed. `give_up` is asked about every millisecond of work; once it says yes the
    archive is not inspected. Raises only what reading the file raises.
    """
    try:
        return _inspect(Source(file, give_up=give_up), filename)
    except Oddity as odd:
        return Inspected(inspection=Odd(reasons=(str(odd),)))
    except GaveUp:
        return Inspected(inspection=TOO_LONG)


def _inspect(source: Source, filename: Filename) -> Inspected:
    directory = find_directory(source)
    entries = read_directory(source, directory)
    data = check_local(source, entries, directory.start)
    check_streamed(source, entries, data)
    if reasons := _first(chain(odd_names(source, entries), odd_ratio(source, entries))):
        return Inspected(inspection=Odd(reasons=reasons))
    if parse_filename(filename).kind is not Kind.WHEEL:
        return Inspected(inspection=Sane())
    inside = look_inside(source, Contents.of(entries, data), filename)
    if reasons := _first(inside.reasons):
        return Inspected(inspection=Odd(reasons=reasons))
    return Inspected(inspection=Sane(metadata_sha256=sha256_of(inside.metadata).hexdigest()), metadata=inside.metadata)


def _first(reasons: Iterator[str]) -> tuple[str, ...]:
    """The first reasons. What ends the search does not undo what it found: padding behind a reason hides nothing."""
    found: list[str] = []
    try:
        found.extend(islice(reasons, MAX_REASONS))  # what came before an error stays
    except Oddity as odd:
        found.append(str(odd))
    except GaveUp:
        if not found:
            raise
    return tuple(found)

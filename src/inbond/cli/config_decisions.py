"""`[decisions]`: waivers, rejections and pins of the configuration, and of the files that it names.

They are read on the values as they add up, so that what is wrong with them is told together with all other problems,
each with its file and line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, assert_never

from pydantic import ValidationError

from inbond.cli.config_file import read_file
from inbond.cli.config_layers import KeyPath, Layer, place_of, tables_at
from inbond.cli.config_model import DecisionsFile, DecisionsTable, PinTable, RejectionTable, WaiverTable
from inbond.cli.config_paths import parse_path
from inbond.cli.config_problems import Problem, missing_in, problems_in
from inbond.model.decisions import Decided, Pin, Placed, Rejection, Source, Target, Waiver
from inbond.model.errors import ConfigurationError
from inbond.model.meant import did_you_mean
from inbond.model.names import ProjectName
from inbond.model.publisher import PublisherPattern
from inbond.model.units import parse_moment
from inbond.policy.rule import stamp
from inbond.policy.waiving import MAX_WAIVED

SECTION: Final = "decisions"
_FILES: Final = (SECTION, "files")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadDecisions:
    """What a configuration decides, what is wrong with it, and what an operator should know.

    `files`: as named, each with its path on this machine.
    """

    decisions: tuple[Placed, ...]
    files: Mapping[str, str]
    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]


def read_decisions(
    values: Mapping[str, Any], layers: Sequence[Layer], *, directory: Path | None, now: datetime
) -> ReadDecisions:
    """Reads the section and its files. Whatever the models refuse already is passed over.

    `directory`: of the configuration file, from which files count that are named there.
    """
    section = tables_at(values, SECTION)
    files: dict[str, str] = {}
    problems: list[Problem] = []
    found = [*_inline(section, layers)]
    for number, text in enumerate(_named_files(section)):
        path = _resolved(text, layers, directory)
        files[text] = str(path)
        try:
            layer = read_file(path)
        except ConfigurationError as error:
            here = (*_FILES, number)
            problems.append(Problem(place=place_of(here, layers), path=here, message=error.message))
            continue
        problems += [*problems_in(layer, DecisionsFile), *missing_in(layer.values, [layer], DecisionsFile)]
        found += _rows(layer.values, DecisionsFile, (), [layer])
    problems += _unknown_indexes(found, frozenset(tables_at(values, "indexes")))
    return ReadDecisions(
        decisions=_each_once(found),
        files=MappingProxyType(files),
        problems=tuple(problems),
        warnings=tuple(_warnings(found, now)),
    )


def decisions_in(table: DecisionsFile, source: Source) -> tuple[Decided, ...]:
    """What a valid file or section decides, in its order."""
    rows: list[WaiverTable | RejectionTable | PinTable] = [*table.waivers, *table.rejections, *table.pins]
    return tuple(_decided(row, source) for row in rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    path: KeyPath
    place: str
    place_of_index: str
    decided: Decided


def _inline(section: Mapping[str, Any], layers: Sequence[Layer]) -> Iterator[_Row]:
    return _rows(section, DecisionsTable, (SECTION,), layers)


def _rows(
    values: Mapping[str, Any], kind: type[DecisionsFile], below: KeyPath, layers: Sequence[Layer]
) -> Iterator[_Row]:
    try:
        table = kind.model_validate(values)
    except ValidationError:
        return  # told already
    tables: Mapping[str, Sequence[WaiverTable | RejectionTable | PinTable]] = {
        "waivers": table.waivers, "rejections": table.rejections, "pins": table.pins,
    }  # fmt: skip
    for name, rows in tables.items():
        for number, row in enumerate(rows):
            path = (*below, name, number)
            yield _Row(
                path=path,
                place=place_of(path, layers),
                place_of_index=place_of((*path, "index"), layers),
                decided=_decided(row, Source.CONFIGURATION),
            )


def _decided(row: WaiverTable | RejectionTable | PinTable, source: Source) -> Decided:
    at = parse_moment(row.at) if row.at else None
    match row:
        case WaiverTable():
            return Waiver(
                target=Target.parse(row.target), rule=row.rule, until=parse_moment(row.until), reason=row.reason,
                by=row.by, at=at, index=row.index or None, source=source,
            )  # fmt: skip
        case RejectionTable():
            return Rejection(
                target=Target.parse(row.target), reason=row.reason, by=row.by, at=at, index=row.index or None,
                source=source,
            )  # fmt: skip
        case PinTable():
            return Pin(
                project=ProjectName(row.project), publisher=PublisherPattern.parse(row.publisher), reason=row.reason,
                by=row.by, at=at, repository_id=row.repository_id or None, source=source,
            )  # fmt: skip
        case _:
            assert_never(row)


def _named_files(section: Mapping[str, Any]) -> list[str]:
    named = section.get("files")
    return [text for text in named if isinstance(text, str) and _is_path(text)] if isinstance(named, list) else []


def _is_path(text: str) -> bool:
    try:
        parse_path(text)
    except ValueError:
        return False  # told already
    return bool(text)


def _resolved(text: str, layers: Sequence[Layer], directory: Path | None) -> Path:
    """The path, relative to the configuration file where that names it."""
    path = parse_path(text)
    holder = next(layer for layer in reversed(layers) if layer.holds(_FILES))
    in_file = ":" in holder.place(_FILES)
    return (directory / Path(text).expanduser()).absolute() if in_file and directory is not None else path


def _unknown_indexes(rows: Sequence[_Row], known: frozenset[str]) -> Iterator[Problem]:
    for row in rows:
        index = None if isinstance(row.decided, Pin) else row.decided.index
        if index is not None and index not in known:
            message = f"there is no index {index!r}{did_you_mean(index, known)}"
            yield Problem(place=row.place_of_index, path=(*row.path, "index"), message=message)


def _each_once(rows: Sequence[_Row]) -> tuple[Placed, ...]:
    found: dict[str, Placed] = {}
    for row in rows:
        found.setdefault(row.decided.id, Placed(decided=row.decided, place=row.place))
    return tuple(found.values())


def _warnings(rows: Sequence[_Row], now: datetime) -> Iterator[str]:
    for row in rows:
        if isinstance(row.decided, Waiver):
            waiver = row.decided
            about = f"{row.place}: the waiver of {waiver.rule} for {waiver.target}"
            if waiver.until <= now:
                yield f"{about} has expired on {stamp(waiver.until)}: remove it"
            elif waiver.until - now > MAX_WAIVED:
                yield f"{about} lasts until {stamp(waiver.until)}: what shall stay so belongs into the policy"

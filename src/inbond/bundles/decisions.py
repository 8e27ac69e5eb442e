"""Accepted publishers and established repositories, as documents of a bundle: canonical JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final

import msgspec

from inbond.bundles import canonical
from inbond.bundles.canonical import EXPORT_ANEW, is_utc
from inbond.model.decisions import Pin
from inbond.model.errors import InvalidBundle
from inbond.model.names import ProjectName
from inbond.model.publisher import PublisherPattern
from inbond.model.standing import Established
from inbond.model.text import printable

FORMAT: Final = 1
_PINS_WHAT: Final = "the document of pins"
_REPOSITORIES_WHAT: Final = "the document of repositories"

Repositories = tuple[str, ProjectName, Sequence[Established]]  # of a project at an upstream


class _Pin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    project: ProjectName
    publisher: str
    repository_id: str | None
    reason: str
    by: str
    at: datetime | None


class _Pins(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    inbond_pins: int
    pins: tuple[_Pin, ...]


class _Project(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    upstream: str
    project: ProjectName
    established: tuple[Established, ...]


class _Repositories(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    inbond_repositories: int
    projects: tuple[_Project, ...]


_PINS: Final = canonical.reader(_Pins)
_REPOSITORIES: Final = canonical.reader(_Repositories)


def encode_pins(pins: Sequence[Pin]) -> bytes:
    """The bytes of pins, in an order of their own; of two that accept the same the first. Raises `InvalidBundle`."""
    distinct = {pin.id: pin for pin in reversed(pins)}
    stored = tuple(sorted(map(_stored_pin, distinct.values()), key=_pin_key))
    return _checked_pins(canonical.encode(_Pins(FORMAT, stored)))[0]


def decode_pins(raw: bytes) -> tuple[Pin, ...]:
    """What `encode_pins` was given, as of a ledger. Raises `InvalidBundle` for all that it does not produce."""
    return _checked_pins(raw)[1]


def encode_repositories(repositories: Sequence[Repositories]) -> bytes:
    """The bytes of repositories, in an order of their own; projects without any are left out.

    Raises `InvalidBundle` for what no reader would take.
    """
    projects = tuple(
        _Project(upstream, project, tuple(sorted(established, key=_established_key)))
        for upstream, project, established in sorted(repositories, key=lambda one: one[:2])
        if established
    )
    return _checked_repositories(canonical.encode(_Repositories(FORMAT, projects)))[0]


def decode_repositories(raw: bytes) -> tuple[Repositories, ...]:
    """What `encode_repositories` was given. Raises `InvalidBundle` for all that it does not produce."""
    return _checked_repositories(raw)[1]


def _checked_pins(raw: bytes) -> tuple[bytes, tuple[Pin, ...]]:
    stored = canonical.decode(raw, _PINS, what=_PINS_WHAT)
    _check_format(stored.inbond_pins, _PINS_WHAT)
    _check_order([_pin_key(pin) for pin in stored.pins], _PINS_WHAT)
    return raw, tuple(map(_pin, stored.pins))


def _stored_pin(pin: Pin) -> _Pin:
    # Their words are shown in terminals over there.
    return _Pin(
        pin.project, str(pin.publisher), pin.repository_id, printable(pin.reason), printable(pin.by), pin.at
    )  # fmt: skip


def _pin(stored: _Pin) -> Pin:
    try:
        publisher = PublisherPattern.parse(stored.publisher)
    except ValueError as error:
        raise _refused(f"{_PINS_WHAT} accepts nobody for {stored.project}: {printable(str(error))}") from error
    words = (stored.reason, stored.by, stored.repository_id or "")
    if str(publisher) != stored.publisher or not all(map(str.isprintable, words)):
        raise _refused(f"{_PINS_WHAT} holds one for {stored.project} that is not written as inbond writes it")
    if stored.at is not None and not is_utc(stored.at):
        raise _refused(f"{_PINS_WHAT} has a time that is not told in UTC")
    return Pin(
        project=stored.project,
        publisher=publisher,
        reason=stored.reason,
        by=stored.by,
        at=stored.at,
        repository_id=stored.repository_id,
    )


def _pin_key(pin: _Pin) -> tuple[str, str, str]:
    return pin.project, pin.publisher, pin.repository_id or ""


def _checked_repositories(raw: bytes) -> tuple[bytes, tuple[Repositories, ...]]:
    stored = canonical.decode(raw, _REPOSITORIES, what=_REPOSITORIES_WHAT)
    _check_format(stored.inbond_repositories, _REPOSITORIES_WHAT)
    _check_order([(project.upstream, project.project) for project in stored.projects], _REPOSITORIES_WHAT)
    for project in stored.projects:
        _check_order([_established_key(one) for one in project.established], _REPOSITORIES_WHAT)
        if not project.established:
            raise _refused(f"{_REPOSITORIES_WHAT} names {project.project} without any")
        if not all(is_utc(one.since) for one in project.established):
            raise _refused(f"{_REPOSITORIES_WHAT} has a time that is not told in UTC")
    return raw, tuple((one.upstream, one.project, one.established) for one in stored.projects)


def _established_key(one: Established) -> tuple[str, str]:
    return one.repository, one.repository_id


def _check_format(found: int, what: str) -> None:
    if found != FORMAT:
        raise _refused(f"{what} is of format {found}, and this inbond reads format {FORMAT}")


def _check_order(keys: Sequence[tuple[str, ...]], what: str) -> None:
    if any(one >= other for one, other in pairwise(keys)):
        raise _refused(f"{what} names something twice, or not in its order")


def _refused(message: str) -> InvalidBundle:
    return InvalidBundle(message, remedy=EXPORT_ANEW)

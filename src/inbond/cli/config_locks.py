"""The lock files that a policy names (`locks`): the digests of all files in them, read at start.

Only what stands here is *reviewed*. A lock that `inbond check` is pointed at is not, unless it is one of these: no lock
lets itself through.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from inbond.cli.config_layers import Layer, place_of, tables_at
from inbond.cli.config_paths import parse_path
from inbond.cli.config_problems import Problem, dotted

if TYPE_CHECKING:
    from inbond.locks.lock import Lock


@dataclass(frozen=True, slots=True, kw_only=True)
class Locks:
    """The sha256 of the files that each policy's locks name, by policy, and what is wrong with these locks."""

    digests: Mapping[str, frozenset[str]]
    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]


def read_locks(values: Mapping[str, Any], layers: Sequence[Layer]) -> Locks:
    """Reads them. Whatever the models refuse already is passed over."""
    digests: dict[str, frozenset[str]] = {}
    problems: list[Problem] = []
    warnings: list[str] = []
    for policy, number, text in _named(values):
        path = ("policies", policy, "locks", number)
        try:
            named = _digests_in(text)
        except ValueError as error:
            problems.append(Problem(place=place_of(path, layers), path=path, message=str(error)))
            continue
        if not named:
            warnings.append(f"{dotted(path)}: {text!r} names no sha256, so it lets no file through")
        digests[policy] = digests.get(policy, frozenset()) | named
    return Locks(digests=MappingProxyType(digests), problems=tuple(problems), warnings=tuple(warnings))


def _named(values: Mapping[str, Any]) -> Iterator[tuple[str, int, str]]:
    for policy, table in tables_at(values, "policies").items():
        locks = table.get("locks") if isinstance(table, Mapping) else None
        for number, text in enumerate(locks if isinstance(locks, list) else ()):
            if isinstance(text, str) and text and "\0" not in text:
                yield policy, number, text


def _digests_in(text: str) -> frozenset[str]:
    """The digests of a lock's files. Raises ValueError with the file and the line."""
    # Their readers take 40 ms to import, which only whoever names locks should pay.
    from inbond.cli.check_targets import read_file  # noqa: PLC0415 (as above)
    from inbond.locks.lock import InvalidLock  # noqa: PLC0415 (as above)

    try:
        return _sha256_of(read_file(parse_path(text)).lock)
    except InvalidLock as error:
        raise ValueError(str(error)) from error


def _sha256_of(lock: Lock) -> frozenset[str]:
    files = (file.sha256 for dependency in lock.dependencies for file in dependency.files)
    return frozenset(sha256 for sha256 in files if sha256 is not None)

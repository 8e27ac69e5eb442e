"""The stops of a history in few words, as tables say them."""

from __future__ import annotations

from inbond.model.names import parse_filename
from inbond.model.verdict import Outcome
from policy.histories.language import NAMES, History, Stop


def told(history: History) -> tuple[str, ...]:
    """`1.5: continuity/lost, 7 d` for each version, or for a kind of file where not all of the version are alike."""
    stops = history.stops()
    found: dict[str, list[Stop]] = {}
    for stop in stops:
        found.setdefault(_version(stop), []).append(stop)
    lines = []
    for version, stopped in found.items():
        kinds = {kind for one in history.uploads if one.version == version for kind in one.kinds}
        if len(stopped) == len(kinds) and len({_line(version, one) for one in stopped}) == 1:
            lines.append(_line(version, stopped[0]))
        else:
            lines += [_line(f"{version} {_kind(one)}", one) for one in stopped]
    return tuple(lines)


def _line(subject: str, stop: Stop) -> str:
    return f"{subject}: {stop.finding}, {_until(stop)}"


def _until(stop: Stop) -> str:
    if stop.days is not None:
        return f"{stop.days:g} d"
    return "until a pin accepts it" if stop.outcome is Outcome.DENY else "still held"


def _version(stop: Stop) -> str:
    return str(parse_filename(stop.filename).version)


def _kind(stop: Stop) -> str:
    return next(kind for kind, name in NAMES.items() if name.format(_version(stop)) == stop.filename)

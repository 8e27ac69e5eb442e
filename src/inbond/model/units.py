"""Lengths of time and sizes as people write them in the configuration."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_BYTES: Final = {
    "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40,
}  # fmt: skip
MAX_DURATION: Final = timedelta(days=36525)


def parse_duration(text: str) -> timedelta:
    """`"10m"`, `"24h"`, `"7d"`, `"1d12h"`; `"0"` is none. Raises ValueError."""
    if text.strip() == "0":
        return timedelta(0)
    parts = re.findall(r"([0-9]{1,9})([smhdw])", text.strip())
    if not parts or "".join(number + unit for number, unit in parts) != text.strip():
        raise ValueError(f"{text!r} is not a length of time: write a number and s, m, h, d or w, as in '24h'")
    length = timedelta(seconds=sum(int(number) * _SECONDS[unit] for number, unit in parts))
    if length > MAX_DURATION:
        raise ValueError(f"{text!r} is longer than a hundred years")
    return length


def format_duration(length: timedelta) -> str:
    """The shortest writing that `parse_duration` reads back, to the second: `timedelta(hours=36)` is "1d12h"."""
    rest = int(length.total_seconds())
    parts = []
    for unit in ("d", "h", "m", "s"):
        count, rest = divmod(rest, _SECONDS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0"


def parse_moment(text: str) -> datetime:
    """`"2026-12-01"`, the beginning of that day in UTC, or a time with its offset, `"2026-12-01T18:00:00Z"`, in UTC.

    Raises ValueError.
    """
    written = text.strip()
    moment: datetime | None = None
    with suppress(ValueError, OverflowError):
        if len(written) == len("2026-12-01"):
            moment = datetime.combine(date.fromisoformat(written), time.min, UTC)
        else:
            local = datetime.fromisoformat(written)
            moment = local.astimezone(UTC) if local.tzinfo is not None else None
    if moment is None:
        raise ValueError(f"{text!r} is no date and no time: write '2026-12-01' or '2026-12-01T18:00:00Z'")
    return moment


def about(length: timedelta) -> str:
    """A length of time for a person, in its largest unit: "3 hours", "1 day"."""
    seconds = max(0, int(length.total_seconds()))
    for unit, below, name in (("d", "h", "day"), ("h", "m", "hour"), ("m", "s", "minute")):
        # 59 minutes and 45 seconds are about an hour, not 60 minutes
        if round(seconds / _SECONDS[below]) * _SECONDS[below] >= _SECONDS[unit]:
            count = round(seconds / _SECONDS[unit])
            return f"{count} {name}{'' if count == 1 else 's'}"
    return f"{seconds} second{'' if seconds == 1 else 's'}"


def parse_size(text: str) -> int:
    """`"20GiB"`, `"512 MB"`, `"1024"`: bytes. Raises ValueError."""
    match = re.fullmatch(r"\s*(\d{1,15}(?:\.\d{1,3})?)\s*((?:[KMGT]i?)?B)?\s*", text, re.IGNORECASE | re.ASCII)
    if match is None:
        raise ValueError(f"{text!r} is not a size: write a number and B, KB, MB, GB, KiB, MiB, GiB or TiB")
    return int(float(match[1]) * _BYTES[(match[2] or "B").upper()])


def format_size(count: int) -> str:
    """Bytes for a person: "17.4 MiB"."""
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if round(size, 1) < 1024:  # noqa: PLR2004 (the factor between the units above)
            return f"{int(size)} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"

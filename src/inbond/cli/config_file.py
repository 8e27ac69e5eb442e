"""A TOML file as a layer, with the line of every key (tomllib keeps none)."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Final

from inbond.cli.config_layers import KeyPath, Layer
from inbond.model.errors import ConfigurationError

MAX_FILE_BYTES: Final = 1024 * 1024
_PART: Final = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_DOTTED: Final = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER: Final = re.compile(rf"\s*\[\s*(?P<table>{_DOTTED})\s*\]|\s*\[\[\s*(?P<item>{_DOTTED})\s*\]\]")
_KEY: Final = re.compile(rf"\s*(?P<key>{_DOTTED})\s*=")


def read_file(path: Path, *, shown: str | None = None, raw: bytes | None = None) -> Layer:
    """Reads a file; `shown` is how messages name it, `raw` what it held. Raises `ConfigurationError`."""
    name = shown or str(path)
    if raw is None:
        raw = read_raw(path, shown=name)
    if len(raw) > MAX_FILE_BYTES:
        raise ConfigurationError(f"{name}: is larger than {MAX_FILE_BYTES} bytes")
    try:
        text = raw.decode("utf-8")
        values = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{name}: is not UTF-8 at byte {error.start}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{name}: is not TOML: {error}") from error
    except RecursionError as error:
        raise ConfigurationError(f"{name}: its values lie too deep in each other") from error
    lines = _lines(text)
    # What is only written as part of a longer name (`a` in `[a.b]`) stands where it is first named.
    around = [(key[:length], line) for key, line in lines for length in range(1, len(key))]
    places = {key: f"{name}:{line}" for key, line in [*reversed(around), *reversed(lines)]} | {(): name}
    return Layer(values=values, places=places, sources=(name,))


def read_raw(path: Path, *, shown: str | None = None) -> bytes:
    """What a file holds, or a little more than it may. Raises `ConfigurationError`."""
    try:
        with path.open("rb") as stream:
            return stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(f"{shown or path}: cannot be read: {error.strerror or error}") from error


def _lines(text: str) -> list[tuple[KeyPath, int]]:
    # A line inside a text of several lines may look like a key: no value of ours is one, and only messages use this.
    found: list[tuple[KeyPath, int]] = []
    items: dict[KeyPath, int] = {}
    table: KeyPath = ()
    for number, line in enumerate(text.split("\n"), start=1):
        if header := _HEADER.match(line):
            table = _parts(header["table"] or header["item"])
            if header["item"]:
                items[table] = items.get(table, -1) + 1
                found.append((table, number))
                table = (*table, items[table])
            found.append((table, number))
        elif key := _KEY.match(line):
            found.append(((*table, *_parts(key["key"])), number))
    return found


def _parts(dotted: str) -> KeyPath:
    return tuple(part.strip("\"'") for part in re.findall(_PART, dotted))

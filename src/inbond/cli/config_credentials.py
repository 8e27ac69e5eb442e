"""Where credentials and secrets are kept: `env:NAME`, a variable, or `file:PATH`.

The secret itself never stands in the configuration, and no message here shows it.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from inbond.cli.config_layers import PREFIX
from inbond.cli.config_paths import parse_path
from inbond.upstream.credentials import authorization_of

MAX_SECRET_BYTES: Final = 64 * 1024
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class FromVariable:
    """A variable of the process's environment."""

    name: str

    def __str__(self) -> str:
        return f"the variable {self.name}"


@dataclass(frozen=True, slots=True)
class FromFile:
    """A file."""

    path: Path

    def __str__(self) -> str:
        return f"the file {self.path}"


def parse_source(text: str) -> FromVariable | FromFile:
    """What `credentials` says. Raises ValueError, without showing a text that may be the secret itself."""
    kind, colon, rest = text.partition(":")
    if kind == "env" and colon and _VARIABLE.fullmatch(rest):
        if rest.startswith(PREFIX):
            raise ValueError(f"variables that begin with {PREFIX} are keys of this configuration: choose another name")
        return FromVariable(rest)
    if kind == "file" and rest:
        return FromFile(parse_path(rest))
    raise ValueError("is neither 'env:NAME' nor 'file:PATH'; the credentials themselves do not stand here")


def authorization_from(source: FromVariable | FromFile, environ: Mapping[str, str]) -> str:
    """The Authorization header's value that a source gives. Raises ValueError."""
    try:
        return authorization_of(held_at(source, environ))
    except ValueError as error:
        raise ValueError(f"{source} {error}") from None


def renewal(source: FromVariable | FromFile) -> Callable[[], str | None] | None:
    """What reads a source again, None where it cannot change; it gives None where nothing usable is there."""
    if isinstance(source, FromVariable):
        return None

    def read() -> str | None:
        try:
            return authorization_from(source, {})
        except ValueError:
            return None

    return read


def exposed(source: FromVariable | FromFile) -> str | None:
    """What is to be said of a file that every user of this machine may read."""
    if isinstance(source, FromVariable) or os.name != "posix":
        return None
    mode = source.path.stat().st_mode
    if not mode & stat.S_IRWXO:
        return None
    return f"everybody on this machine may use the file {source.path} (mode {stat.S_IMODE(mode):04o}): chmod o= it"


def held_at(source: FromVariable | FromFile, environ: Mapping[str, str]) -> str:
    """The text that a source holds. Raises ValueError, which says what is wrong with the source."""
    match source:
        case FromVariable(name):
            if name not in environ:
                raise ValueError("is not set")
            return environ[name]
        case FromFile(path):
            return _text(path)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_SECRET_BYTES + 1)
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror or error}") from None
    if len(raw) > MAX_SECRET_BYTES:
        raise ValueError(f"is larger than {MAX_SECRET_BYTES} bytes")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8") from None

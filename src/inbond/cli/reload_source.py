"""Where a server's configuration comes from: the same file, environment and flags at its start and at each reload."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inbond.cli.config import Loaded, load_written
from inbond.cli.config_environ import SHORT_NAMES
from inbond.cli.config_file import read_raw
from inbond.cli.options import GivenOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """`file`: None where there is none. `environ`: as it was at the start."""

    file: Path | None
    overrides: Mapping[str, Any]
    environ: Mapping[str, str] = field(repr=False)

    @classmethod
    def of(cls, given: GivenOptions) -> Source:
        """Of a command line and this process's environment."""
        name = os.environ.get(SHORT_NAMES["config"])
        file = given.file or (Path(name) if name else None)
        return cls(file=file, overrides=given.overrides, environ=dict(os.environ))

    def raw(self) -> bytes | None:
        """What the file holds now; None where there is none. Blocks. Raises `ConfigurationError`."""
        return None if self.file is None else read_raw(self.file)

    def load(self, raw: bytes | None) -> Loaded:
        """The configuration with that for its file; what it names is read. Blocks. Raises `ConfigurationError`."""
        return load_written(file=self.file, overrides=self.overrides, environ=self.environ, raw=raw)

"""What a bundle brought for this machine as a whole, a trusted root or advisories, as the sources of both take it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

IMPORT_IT: Final = "import a bundle that brings it, with inbond bundle import FILE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """A file that an import left here. `as_of`: when the sending side last knew it to be current.

    Whoever reads it compares the digest: between two imports a disk may have changed it.
    """

    path: Path
    sha256: str
    as_of: datetime


# The newest one of a kind and name, None where no import brought any. Blocks. Raises `OperatorFault`.
FindBrought = Callable[[], Brought | None]

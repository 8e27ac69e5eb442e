"""What a look into an archive found. Made from its bytes and its filename alone, so it never changes for either."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from inbond.model.names import Filename, Kind, parse_filename

# Which checks a stored result stands for. A change of what is checked makes it another number: what older checks
# found is then found again, from the bytes.
FORMAT: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Sane:
    """Every reader finds the same files in it, and they are what its name says.

    `metadata_sha256`: the digest of a wheel's METADATA, None for an sdist.
    """

    metadata_sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Odd:
    """Readers may disagree about it, or it is not what its name says. At least one reason, the first found first."""

    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotInspected:
    """Nothing was found out in the time there is, and nothing is claimed."""

    reason: str


Inspection = Sane | Odd | NotInspected


def inspectable(filename: Filename) -> bool:
    """Whether archives of that name are looked into: wheels, and sdists that are zip files.

    A tar archive has no directory: to list its members is to inflate all of it. Nothing is claimed about those.
    """
    return parse_filename(filename).kind is Kind.WHEEL or filename.lower().endswith(".zip")

"""What stands on the command line in a lock's place: one requirement, or one distribution file."""

from __future__ import annotations

from packaging.requirements import Requirement

from inbond.locks.credentials import masked
from inbond.locks.facts import exactly
from inbond.locks.lock import Dependency, InvalidLock, Lock, LockedFile, LockFormat, Place
from inbond.locks.pip_requirement import MAX_REQUIREMENT_CHARS, from_pep508, not_a_requirement
from inbond.model.errors import InvalidFilename
from inbond.model.names import Filename, Kind, parse_filename


def read_requirement(text: str) -> Lock:
    """One requirement (PEP 508): `flask`, `flask==3.1.0`, `flask[async]>=3`. Raises `InvalidLock`."""
    source = masked(text.strip())
    place = Place(source if len(source) <= MAX_REQUIREMENT_CHARS else "requirement")
    if len(text) > MAX_REQUIREMENT_CHARS:
        raise InvalidLock(place, f"longer than {MAX_REQUIREMENT_CHARS:,} characters")
    try:
        entry = from_pep508(place, Requirement(text.strip()))
    except (ValueError, RecursionError) as error:
        raise not_a_requirement(Place("requirement"), text, error) from error
    return Lock(source=source, format=LockFormat.REQUIREMENT, dependencies=(entry,))


def read_distribution(path: str, filename: str, sha256: str, size: int) -> Lock:
    """One wheel or sdist on disk: the project and version that its name tells, its digest and size in bytes.

    It is looked up as a file of the index: that is where its evidence is. Raises `InvalidLock` for other names.
    """
    place, read = Place(path), parse_filename(filename)
    if read.kind is Kind.LEGACY or read.project is None or read.version is None:
        remedy = "wheels are named NAME-VERSION-PYTHON-ABI-PLATFORM.whl, source distributions NAME-VERSION.tar.gz"
        raise InvalidLock(place, "not the name of a wheel or source distribution", remedy=remedy)
    try:
        file = LockedFile(place=place, filename=Filename(filename), digests={"sha256": sha256.lower()}, size=size)
    except InvalidFilename as error:
        raise InvalidLock(place, error.message) from error
    entry = Dependency(
        place=place,
        project=read.project,
        version=read.version,
        specifier=exactly(read.version),
        files=(file,),
        hashed=True,
    )
    return Lock(source=path, format=LockFormat.DISTRIBUTION, dependencies=(entry,))

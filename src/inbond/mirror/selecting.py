"""Which files of a release are fetched: by Pythons and platforms, as wheels' names tell (PEP 425, 600, 656). Pure.

A wheel fits where one of its tags fits one of the Pythons and, in the same tag, one of the platforms. Sdists fit
everywhere, and stay wherever some Python or platform that is asked for has no wheel. Pythons are CPython with its GIL.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import lru_cache
from itertools import product
from typing import Final

from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from inbond.mirror.settings import Wheels
from inbond.model.names import Filename, Kind, parse_filename

NEWEST_GLIBC: Final = 60  # the y in manylinux_2_y; 2.43 is of 2026
NEWEST_MUSL: Final = 9  # the y in musllinux_1_y; 1.2 is of 2020
_ANY: Final = "any"
_FIRST_WITHOUT_M: Final = 8  # before Python 3.8 the ABI's name ended in "m"

# By platform: what a wheel's platform tag looks like there; the group is a version that is not above the limit beside.
_TAGS: Final[dict[str, tuple[re.Pattern[str], int]]] = {
    "linux-x86_64": (re.compile(r"(?:linux|manylinux(?:1|2010|2014|_2_(\d{1,2})))_x86_64"), NEWEST_GLIBC),
    "linux-aarch64": (re.compile(r"(?:linux|manylinux(?:2014|_2_(\d{1,2})))_aarch64"), NEWEST_GLIBC),
    "musllinux-x86_64": (re.compile(r"(?:linux|musllinux_1_(\d{1,2}))_x86_64"), NEWEST_MUSL),
    "musllinux-aarch64": (re.compile(r"(?:linux|musllinux_1_(\d{1,2}))_aarch64"), NEWEST_MUSL),
    "macos-x86_64": (re.compile(r"macosx_(\d{1,2})_\d{1,2}_(?:x86_64|universal2?|intel|fat64|fat32)"), 99),
    "macos-arm64": (re.compile(r"macosx_(\d{1,2})_\d{1,2}_(?:arm64|universal2)"), 99),
    "windows-x86_64": (re.compile(r"win_amd64()"), 0),
    "windows-arm64": (re.compile(r"win_arm64()"), 0),
}
PLATFORMS: Final = tuple(_TAGS)


def wanted(filenames: Iterable[Filename], wheels: Wheels) -> frozenset[Filename]:
    """Which of a release's files are fetched; none where nothing fits."""
    names = tuple(filenames)
    fitting = frozenset(name for name in names if fits(name, wheels))
    if not wheels.wheels_only or not _cover(fitting, wheels):
        return fitting
    return frozenset(name for name in fitting if parse_filename(name).kind is Kind.WHEEL)


def fits(filename: str, wheels: Wheels) -> bool:
    """Whether a file is of use to one of the Pythons on one of the platforms; empty: to any."""
    return any(_fits_one(filename, python, platform) for python, platform in _places(wheels))


def _cover(filenames: Collection[str], wheels: Wheels) -> bool:
    """Whether every Python has a wheel on every platform."""
    found = [name for name in filenames if parse_filename(name).kind is Kind.WHEEL]
    return all(any(_fits_one(name, python, platform) for name in found) for python, platform in _places(wheels))


def _places(wheels: Wheels) -> Iterable[tuple[str | None, str | None]]:
    return product(wheels.pythons or (None,), wheels.platforms or (None,))


def _fits_one(filename: str, python: str | None, platform: str | None) -> bool:
    if python is None and platform is None:
        return True
    match parse_filename(filename).kind:
        case Kind.WHEEL:
            return any(_fits_tag(tag, python, platform) for tag in _tags(filename))
        case Kind.SDIST:
            return True
        case Kind.LEGACY:
            return False  # no installer of today takes it


def _fits_tag(tag: Tag, python: str | None, platform: str | None) -> bool:
    on_platform = platform is None or tag.platform == _ANY or _is_of(tag.platform, platform)
    return on_platform and (python is None or (tag.interpreter, tag.abi, tag.platform == _ANY) in _taken_by(python))


def _is_of(tag: str, platform: str) -> bool:
    pattern, newest = _TAGS[platform]
    found = pattern.fullmatch(tag)
    return found is not None and int(found[1] or 0) <= newest


@lru_cache(maxsize=16384)
def _tags(filename: str) -> frozenset[Tag]:
    """The tags of a wheel; none where its name is odd: no installer takes it then."""
    try:
        return parse_wheel_filename(filename)[3]
    except InvalidWheelFilename:
        return frozenset()


@lru_cache(maxsize=256)
def _taken_by(python: str) -> frozenset[tuple[str, str, bool]]:
    """Interpreter and ABI of the tags that a Python takes, those for any platform apart from the others."""
    minor = int(python.partition(".")[2])
    abis = [f"cp3{minor}", *([f"cp3{minor}m"] if minor < _FIRST_WITHOUT_M else [])]
    here = ["here"]
    tags = (*cpython_tags((3, minor), abis, here), *compatible_tags((3, minor), f"cp3{minor}", here))
    return frozenset((tag.interpreter, tag.abi, tag.platform == _ANY) for tag in tags)

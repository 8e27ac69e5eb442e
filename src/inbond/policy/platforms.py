"""Which files are like each other: of one kind, and wheels of one platform, in families and architectures.

A name with several platforms ("any.win_amd64") counts as the one that most people get: whoever adds a rare one to it
must not choose what it is compared with. What is not known is one group of its own, so a page has few groups whatever
it lists.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from inbond.model.names import Kind
from inbond.model.page import File

# The most used first; "manylinux" is linux.
_FAMILIES: Final = ("any", "linux", "macosx", "win", "musllinux", "ios", "android")
_ARCHITECTURES: Final = (
    "x86_64", "amd64", "universal2", "aarch64", "arm64", "i686", "armv7l", "ppc64le", "s390x", "riscv64",
)  # fmt: skip
_OTHER: Final = "other"

Group = tuple[Kind, str, str]  # kind, family and architecture

ANY_WHEEL: Final[Group] = (Kind.WHEEL, "any", "")


def group_of(file: File) -> Group:
    """The files that a file is like."""
    kind = file.kind
    return (kind, *_platform(file.filename.rpartition("-")[2])) if kind is Kind.WHEEL else (kind, "", "")


def preference(group: Group, other: Group) -> tuple[object, ...]:
    """Sorts groups by how much they are like one: its own, its family, its kind; of those the most used first."""
    return other != group, other[:2] != group[:2], other[0] is not group[0], other[0], *_rank(other[1:]), other


@lru_cache(maxsize=4096)
def _platform(last: str) -> tuple[str, str]:
    """Of the last part of a wheel's name, which thousands of wheels share."""
    tags = last.removesuffix(".whl").lower().split(".")
    return min(map(_read, tags), key=_rank)


def _read(tag: str) -> tuple[str, str]:
    """Family and architecture of one platform tag: `manylinux_2_17_x86_64` is linux, x86_64."""
    name = tag.removeprefix("many")
    family = next((one for one in _FAMILIES if name.startswith(one)), None)
    if family is None:
        return _OTHER, ""
    rest = name.removeprefix(family).lstrip("_0123456789")
    return family, rest if not rest or rest in _ARCHITECTURES else _OTHER


def _rank(platform: tuple[str, ...]) -> tuple[int, int, tuple[str, ...]]:
    family, architecture = platform
    return _place(family, _FAMILIES), _place(architecture, _ARCHITECTURES), platform


def _place(word: str, words: tuple[str, ...]) -> int:
    return words.index(word) if word in words else len(words)

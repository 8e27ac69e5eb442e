"""Mutations of bytes: what goes wrong on a wire or on a disk, and what a fuzzer tries first."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final

Mutation = Callable[[Random, bytes], bytes]
_STRIKING: Final = (
    b"\0",
    b"\xff",
    b"\x7f",
    b"\x80",
    b'"',
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\n",
    b" ",
    b"0",
    b"-",
)
_LONGEST: Final = 64  # bytes touched at once


def flip(random: Random, data: bytes) -> bytes:
    """One bit."""
    at = random.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << random.randrange(8)]) + data[at + 1 :]


def overwrite(random: Random, data: bytes) -> bytes:
    """A byte becomes one that means something."""
    at = random.randrange(len(data))
    return data[:at] + random.choice(_STRIKING) + data[at + 1 :]


def cut(random: Random, data: bytes) -> bytes:
    """A stretch goes missing."""
    at, length = random.randrange(len(data)), random.randint(1, _LONGEST)
    return data[:at] + data[at + length :]


def truncate(random: Random, data: bytes) -> bytes:
    """The end goes missing."""
    return data[: random.randrange(len(data))]


def insert(random: Random, data: bytes) -> bytes:
    """Something comes in between."""
    at = random.randint(0, len(data))
    new = random.choice([random.randbytes(random.randint(1, 8)), random.choice(_STRIKING) * random.randint(1, 4)])
    return data[:at] + new + data[at:]


def repeat(random: Random, data: bytes) -> bytes:
    """A stretch stands there twice."""
    at, length = random.randrange(len(data)), random.randint(1, _LONGEST)
    return data[: at + length] + data[at : at + length] + data[at + length :]


def swap(random: Random, data: bytes) -> bytes:
    """Two stretches of one length change places."""
    length = random.randint(1, _LONGEST)
    if len(data) < 2 * length:
        return data[::-1]
    first, second = sorted((random.randint(0, len(data) - 2 * length), random.randint(0, len(data) - 2 * length)))
    second += length
    middle = data[first + length : second]
    return (
        data[:first] + data[second : second + length] + middle + data[first : first + length] + data[second + length :]
    )


BYTES: Final[tuple[Mutation, ...]] = (flip, overwrite, cut, truncate, insert, repeat, swap)


def splice(random: Random, data: bytes, other: bytes) -> bytes:
    """The beginning of one genuine object and the end of another."""
    if random.random() < 0.5:  # at the same place, where both are in the middle of the same thing
        at = random.randrange(min(len(data), len(other)))
        return data[:at] + other[at:]
    return data[: random.randrange(len(data))] + other[random.randrange(len(other)) :]


def mutated(random: Random, data: bytes) -> bytes:
    """One of them; empty data gets some first."""
    return random.choice(BYTES)(random, data or b"\0")

"""Errors on their way from one process to another."""

from __future__ import annotations

import msgspec
import pytest

from inbond.gateway.error_told import ErrorTold, told, untold
from inbond.model.errors import (
    BytesLost,
    DigestMismatch,
    InbondError,
    NotYet,
    Overloaded,
    StoreUnavailable,
    UpstreamBroken,
    UpstreamPaused,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamTooLarge,
    UpstreamUnavailable,
)
from inbond.model.names import Filename

PLAIN = (
    BytesLost, NotYet, Overloaded, StoreUnavailable, UpstreamBroken, UpstreamTimeout, UpstreamTooLarge,
    UpstreamUnavailable,
)  # fmt: skip
ERRORS: list[InbondError] = [
    *(kind("it is so", remedy="do that") for kind in PLAIN),
    UpstreamRefused("no", status=403),
    UpstreamPaused("not now", seconds=2.5, remedy="wait"),
    DigestMismatch(Filename("demo-1.0.tar.gz"), expected="a", actual="b", by="somebody says", algorithm="md5"),
]


def carried(error: InbondError) -> InbondError:
    return untold(msgspec.json.decode(msgspec.json.encode(told(error)), type=ErrorTold))


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_the_same_error_arrives(error: InbondError) -> None:
    arrived = carried(error)
    assert type(arrived) is type(error)
    assert (arrived.message, arrived.remedy) == (error.message, error.remedy)
    assert vars(arrived) == vars(error)


class Stranger(UpstreamTimeout):
    """A kind that is not known on its own."""


def test_a_kind_without_a_way_of_its_own_arrives_as_the_next_above() -> None:
    assert type(carried(Stranger("late"))) is UpstreamTimeout
    assert type(carried(InbondError("odd"))) is UpstreamBroken


@pytest.mark.parametrize("kind", ["DigestMismatch", "UpstreamRefused", "Nothing"])
def test_what_cannot_be_understood_is_a_broken_answer(kind: str) -> None:
    assert type(untold(ErrorTold(kind=kind, message="it is so"))) is UpstreamBroken

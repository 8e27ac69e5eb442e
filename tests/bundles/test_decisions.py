"""Pins and repositories cross the gap whole, in one order whatever theirs was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundles.manifests import pins, repositories
from bundles.support import CREATED
from inbond.bundles.decisions import (
    Repositories,
    decode_pins,
    decode_repositories,
    encode_pins,
    encode_repositories,
)
from inbond.model.decisions import Pin, Source
from inbond.model.errors import InvalidBundle
from inbond.model.names import ProjectName
from inbond.model.publisher import PublisherPattern
from inbond.model.standing import Established

DEMO = ProjectName("demo")
EAST = timezone(timedelta(hours=1))
PIN = Pin(project=DEMO, publisher=PublisherPattern.parse("github:a/b"), reason="moved", by="ann", at=CREATED)
REPOSITORY = Established(repository="github:a/b", repository_id="1", owner_id="2", since=CREATED)


@settings(max_examples=50)
@given(st.lists(pins, max_size=5))
def test_pins_that_were_written_are_read(made: list[Pin]) -> None:
    found = decode_pins(encode_pins(made))
    first = {pin.id: pin for pin in reversed(made)}
    assert {pin.id: pin for pin in found} == first
    assert len(found) == len(first)


@settings(max_examples=50)
@given(st.lists(pins, max_size=5, unique_by=lambda pin: pin.id))
def test_the_order_of_pins_does_not_show(made: list[Pin]) -> None:
    assert encode_pins(made[::-1]) == encode_pins(made)


@settings(max_examples=50)
@given(repositories)
def test_repositories_that_were_written_are_read(made: list[Repositories]) -> None:
    found = decode_repositories(encode_repositories(made))
    assert as_set(found) == as_set([one for one in made if one[2]])
    assert encode_repositories(made[::-1]) == encode_repositories(made)
    assert encode_repositories(found) == encode_repositories(made)


def as_set(made: Sequence[Repositories]) -> set[tuple[str, str, frozenset[Established]]]:
    return {(upstream, project, frozenset(listed)) for upstream, project, listed in made}


def test_a_pin_is_of_the_ledger_over_there() -> None:
    [found] = decode_pins(encode_pins([replace(PIN, source=Source.CONFIGURATION, at=None)]))
    assert found == replace(PIN, at=None)
    assert found.source is Source.LEDGER


def test_words_that_clear_a_screen_cross_the_gap_as_escapes() -> None:
    [found] = decode_pins(encode_pins([replace(PIN, reason="\x1b[2J", by="a\nb")]))
    assert (found.reason, found.by) == (r"\x1b[2J", r"a\nb")


def pins_with(old: str, new: str) -> bytes:
    raw = encode_pins([PIN])
    assert old.encode() in raw
    return raw.replace(old.encode(), new.encode(), 1)


@pytest.mark.parametrize(
    ("message", "raw"),
    [
        ("cannot be read", b"{}"),
        ("not written as inbond writes it", encode_pins([PIN]) + b" "),
        ("of format 2", pins_with(":1,", ":2,")),
        ("accepts nobody for demo", pins_with("github:a/b", "forge:a/b")),
        ("not written as inbond writes it", pins_with('"moved"', '"\\u001b[2J"')),
        ("not written as inbond writes it", pins_with('"ann"', '"\u2028"')),
        ("not told in UTC", pins_with("12:00:00Z", "12:00:00+01:00")),
        ("not told in UTC", pins_with("12:00:00Z", "12:00:00")),
    ],
)
def test_other_pins_are_refused(message: str, raw: bytes) -> None:
    with pytest.raises(InvalidBundle, match=message) as caught:
        decode_pins(raw)
    assert caught.value.remedy


def test_a_pin_that_is_there_twice_is_refused() -> None:
    raw = encode_pins([PIN])
    one = raw[raw.index(b"[") + 1 : raw.rindex(b"]")]
    with pytest.raises(InvalidBundle, match="twice"):
        decode_pins(raw.replace(one, one + b"," + one))


def test_a_time_that_is_not_utc_is_not_written() -> None:
    with pytest.raises(InvalidBundle, match="not told in UTC"):
        encode_pins([replace(PIN, at=CREATED.astimezone(EAST))])
    with pytest.raises(InvalidBundle, match="not told in UTC"):
        encode_repositories([("public", DEMO, [replace(REPOSITORY, since=CREATED.astimezone(EAST))])])


MADE: list[Repositories] = [("public", DEMO, [REPOSITORY])]


@pytest.mark.parametrize(
    ("message", "raw"),
    [
        ("cannot be read", b"{}"),
        ("not written as inbond writes it", encode_repositories(MADE) + b" "),
        ("of format 2", encode_repositories(MADE).replace(b":1,", b":2,", 1)),
        ("not told in UTC", encode_repositories(MADE).replace(b"12:00:00Z", b"12:00:00+01:00")),
        (
            "without any",
            b'{"inbond_repositories":1,"projects":[{"upstream":"public","project":"demo","established":[]}]}',
        ),
    ],
)
def test_other_repositories_are_refused(message: str, raw: bytes) -> None:
    with pytest.raises(InvalidBundle, match=message):
        decode_repositories(raw)


def test_a_repository_or_project_that_is_there_twice_is_refused() -> None:
    for made in ([("public", DEMO, [REPOSITORY, REPOSITORY])], [*MADE, *MADE]):
        with pytest.raises(InvalidBundle, match="twice"):
            encode_repositories(made)

"""What is wrong with a trusted root, said so that somebody can do something about it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from inbond.attest.root import Root
from inbond.model.errors import ConfigurationError
from sim.sigstore import Sigstore

GOOD = Sigstore().trusted_root()


def said(raw: bytes) -> str:
    with pytest.raises(ConfigurationError) as raised:
        Root(raw)
    return raised.value.message.removeprefix("the trusted root cannot be used: ")


def changed(path: tuple[str | int, ...], value: Any) -> bytes:
    root = json.loads(GOOD)
    below = root
    for part in path[:-1]:
        below = below[part]
    below[path[-1]] = value
    return json.dumps(root).encode()


@pytest.mark.parametrize("raw", [b"", b"[1", b"\xff\xfe", b"[" * 100_000])
def test_what_is_not_json(raw: bytes) -> None:
    assert said(raw) == "it is not JSON"


def test_what_is_json_and_no_object() -> None:
    assert said(b"[]") == "Input should be an object"


def test_what_is_missing_is_named() -> None:
    assert said(b"{}") == "it lacks 'mediaType'"


@pytest.mark.parametrize(
    ("path", "value", "begins"),
    [
        (("newThing",), [], "it holds 'newThing', "),
        (("mediaType",), "application/vnd.dev.sigstore.trustedroot.v9+json", "at 'mediaType' it has a value "),
        (("tlogs", 0, "publicKey", "keyDetails"), "NEW", "at 'tlogs[0].publicKey.keyDetails' it has a value "),
    ],
)
def test_a_newer_format_is_called_so(path: tuple[str | int, ...], value: Any, begins: str) -> None:
    told = said(changed(path, value))
    assert told == f"{begins}which this version of sigstore does not know; a newer inbond may read it"


def test_a_value_of_another_type_is_named_with_its_place() -> None:
    assert said(changed(("tlogs",), 1)) == "at 'tlogs': Input should be a valid array"


def test_a_key_that_is_none() -> None:
    told = said(changed(("tlogs", 0, "publicKey", "rawBytes"), "AAAA"))
    assert told == "could not load DER-formatted public key (VerificationError)"


def test_a_name_from_outside_cannot_spoil_a_terminal() -> None:
    told = said(changed(("\x1b[31m\n" + "x" * 1000,), 1))
    assert told.isprintable()
    assert len(told) < 400


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("ctlogs", "^the trusted root names no certificate transparency log$"),
        ("tlogs", r"Rekor keys in trusted root|no transparency log .* \(\w+Error\)$"),
        ("certificateAuthorities", r"^Fulcio certificates not found in trusted root \(\w+Error\)$"),
    ],
)
def test_a_kind_of_key_that_is_missing(key: str, told: str) -> None:
    assert re.search(told, said(changed((key,), [])))

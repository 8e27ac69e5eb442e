from __future__ import annotations

import hashlib
import json

import pytest

from inbond.attest.outcome import Unjudged, Wrong
from inbond.attest.statement import attested_type, same_file
from inbond.model.evidence import UnsupportedCause
from inbond.model.names import Filename
from sim.sigstore import PAYLOAD_TYPE, PUBLISH, SLSA, STATEMENT_TYPE

NAME = Filename("widgets-1.0.tar.gz")
SHA256 = hashlib.sha256(b"widgets").hexdigest()


def statement(predicate_type: str) -> bytes:
    subject = {"name": NAME, "digest": {"sha256": SHA256}}
    return json.dumps({"_type": STATEMENT_TYPE, "subject": [subject], "predicateType": predicate_type}).encode()


@pytest.mark.parametrize("kind", [PUBLISH, SLSA])
def test_a_statement_about_the_file_gives_its_predicate_type(kind: str) -> None:
    assert attested_type(PAYLOAD_TYPE, statement(kind), filename=NAME, sha256=SHA256) == kind


def test_an_unknown_predicate_type_is_not_judged_but_named() -> None:
    with pytest.raises(Unjudged) as caught:
        attested_type(PAYLOAD_TYPE, statement("https://acme.example/\nv1"), filename=NAME, sha256=SHA256)

    assert caught.value.cause is UnsupportedCause.FORMAT
    assert caught.value.predicate_type == "https://acme.example/?v1"


def test_a_payload_of_another_type_is_no_statement() -> None:
    with pytest.raises(Wrong, match="not an in-toto statement"):
        attested_type("application/json", statement(PUBLISH), filename=NAME, sha256=SHA256)


def test_comparing_the_tags_of_a_wheel_is_bounded() -> None:
    """Compressed tag sets multiply: as a name without bound, a few kilobytes would be billions of tags."""
    many = ".".join(f"py{number}" for number in range(2000))

    assert not same_file(f"widgets-1.0-{many}-{many}-{many}.whl", Filename("widgets-1.0-py3-none-any.whl"))


@pytest.mark.parametrize("subject", ["\N{KELVIN SIGN}eras-1.0.tar.gz", "ker\N{LATIN SMALL LETTER LONG S}-1.0.tar.gz"])
def test_a_letter_that_folds_into_an_ascii_one_names_another_file(subject: str) -> None:
    assert same_file("Keras-1.0.tar.gz", Filename("keras-1.0.tar.gz"))
    assert not same_file(subject, Filename("keras-1.0.tar.gz"))

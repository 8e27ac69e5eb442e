from __future__ import annotations

import pytest

from inbond.model.errors import (
    FIRST_HAD,
    Denied,
    DigestMismatch,
    InbondError,
    InvalidFilename,
    InvalidName,
    PolicyFault,
    UpstreamFault,
    UpstreamPaused,
    UpstreamRefused,
)
from inbond.model.evidence import Absent
from inbond.model.names import Filename, ProjectName
from inbond.model.page import File
from inbond.model.verdict import Finding, Judgement, Outcome, Verdict


@pytest.mark.parametrize("error", [InvalidName("a\x1b[31m\n"), InvalidFilename("a\x1b[31m\n")])
def test_what_a_client_sent_is_shown_harmlessly(error: InbondError) -> None:
    assert error.message.isprintable()
    assert "\\x1b[31m\\n" in error.message
    assert str(error) == error.message


def test_what_a_client_sent_is_shown_cut() -> None:
    assert len(InvalidName("a" * 10_000).message) < 200
    assert "…".encode("unicode_escape").decode() in InvalidName("a" * 81).message
    assert "a" * 80 in InvalidName("a" * 80).message


def test_a_wrong_digest_names_both() -> None:
    error = DigestMismatch("demo-1.zip", expected="a" * 64, actual="b" * 64)
    assert (error.filename, error.expected, error.actual) == ("demo-1.zip", "a" * 64, "b" * 64)
    assert "a" * 64 in error.message
    assert "b" * 64 in error.message
    assert isinstance(error, UpstreamFault)


def test_a_wrong_digest_says_what_it_is_made_with_and_who_named_the_other() -> None:
    error = DigestMismatch("demo-1.zip", expected="a", actual="b", by=FIRST_HAD, algorithm="md5")
    assert error.message == "demo-1.zip: the bytes upstream sent have md5 b, the first download had a"


def test_a_refusal_keeps_its_status() -> None:
    error = UpstreamRefused("no", status=403, remedy="sign in")
    assert (error.message, error.status, error.remedy) == ("no", 403, "sign in")


def test_a_denial_says_what_its_judgement_says() -> None:
    judgement = Judgement(
        index="root",
        project=ProjectName("demo"),
        file=File(filename=Filename("demo-1.zip"), url="https://files.example/demo-1.zip"),
        version="1",
        evidence=Absent(),
        verdict=Verdict.of([Finding(rule="deny", outcome=Outcome.DENY, message="listed")]),
    )
    error = Denied(judgement)
    assert error.judgement is judgement
    assert error.message == judgement.headline == "demo-1.zip is denied by rule deny: listed"
    assert isinstance(error, PolicyFault)


def test_who_is_not_asked_is_not_asked_for_so_long() -> None:
    assert UpstreamPaused("first is not asked", seconds=5).seconds == 5


@pytest.mark.parametrize(
    "error",
    [UpstreamRefused("no", status=403, remedy="log in"), DigestMismatch("demo.zip", expected="a", actual="b", by="x")],
)
def test_an_error_anew_says_the_same(error: UpstreamRefused | DigestMismatch) -> None:
    anew = error.anew()
    assert anew is not error
    assert vars(anew) == vars(error)

from __future__ import annotations

from dataclasses import replace

import pytest

from inbond.model.decisions import Rejection, Source, Target
from inbond.model.standing import Standing
from inbond.model.verdict import Finding, Outcome
from inbond.policy.case import PageCase
from inbond.policy.rules import review
from policy.cases import DIGEST, case_of, file_of

OTHER_DIGEST = "1" * 64


def rejection(target: str, *, index: str | None = None, reason: str = "steals tokens") -> Rejection:
    return Rejection(target=Target.parse(target), reason=reason, by="ada", index=index)


def shared_with(*rejections: Rejection, filename: str = "demo-2.0.tar.gz") -> PageCase:
    return replace(case_of(file_of(filename)).shared, standing=Standing(rejections=rejections))


def found(*rejections: Rejection, filename: str = "demo-2.0.tar.gz") -> Finding | None:
    shared = shared_with(*rejections, filename=filename)
    return review.judge(replace(case_of(file_of(filename)), shared=shared))


@pytest.mark.parametrize("target", ["demo", "demo==2.0", "demo<3,>1", f"demo@sha256:{DIGEST}"])
def test_what_somebody_rejected_is_denied(target: str) -> None:
    rejected = rejection(target)
    finding = found(rejected)

    assert finding is not None
    assert (finding.id, finding.outcome) == ("review/rejected", Outcome.DENY)
    assert finding.message.startswith("ada rejected demo")
    assert rejected.id in (finding.remedy or "")


def test_it_says_who_and_why() -> None:
    finding = found(rejection("demo==2.0"))

    assert finding is not None
    assert finding.message == "ada rejected demo==2.0: steals tokens"


@pytest.mark.parametrize("target", ["other", "demo==2.1", f"demo@sha256:{OTHER_DIGEST}"])
def test_everything_else_is_left_alone(target: str) -> None:
    assert found(rejection(target)) is None


def test_a_version_that_cannot_be_read_is_denied_where_versions_are() -> None:
    finding = found(rejection("demo<1"), filename="demo-latest.tar.gz")

    assert finding is not None
    assert finding.id == "review/unreadable-version"
    assert finding.message == "demo<1 is rejected, and this file's version cannot be read"
    assert found(rejection(f"demo@sha256:{OTHER_DIGEST}"), filename="demo-latest.tar.gz") is None


def test_what_is_certain_is_told_before_what_is_not() -> None:
    finding = found(rejection("demo<1"), rejection(f"demo@sha256:{DIGEST}"), filename="demo-latest.tar.gz")

    assert finding is not None
    assert finding.code == "rejected"


def test_the_order_of_several_does_not_matter() -> None:
    one, other = rejection("demo==2.0", reason="x"), rejection("demo", reason="y")
    doubtful, doubtful_too = rejection("demo<1"), rejection("demo<2")

    assert found(one, other) == found(other, one)
    assert found(doubtful, doubtful_too, filename="demo-latest.tar.gz") == found(
        doubtful_too, doubtful, filename="demo-latest.tar.gz"
    )


@pytest.mark.parametrize(("index", "applies"), [(None, True), ("root", True), ("team", False)])
def test_a_rejection_may_be_of_one_index(index: str | None, applies: bool) -> None:
    rejected = rejection("demo", index=index)

    assert review.applies(shared_with(rejected)) is applies
    assert (found(rejected) is not None) is applies


def test_it_applies_only_to_projects_that_are_named() -> None:
    assert not review.applies(shared_with())
    assert not review.applies(shared_with(rejection("other")))


def test_it_says_where_it_is_taken_back() -> None:
    here = rejection("demo")
    written = replace(here, source=Source.CONFIGURATION)
    told = [one.remedy for one in (found(here), found(written)) if one is not None]

    assert told == [
        f"use another version, or have rejection {here.id} revoked",
        f"use another version, or have rejection {here.id} removed from the configuration",
    ]
    unreadable = found(rejection("demo<3"), filename="demo-latest.tar.gz")
    assert unreadable is not None
    assert (unreadable.remedy or "").endswith(" revoked")

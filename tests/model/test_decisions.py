from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from packaging.version import Version

from inbond.model.decisions import Decided, Pin, Rejection, Source, Target, Waiver
from inbond.model.names import ProjectName
from inbond.model.publisher import PublisherPattern

DIGEST = "0ace" + "0" * 60
OTHER = "1ace" + "0" * 60
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
FLASK = ProjectName("flask")
WAIVER = Waiver(target=Target.parse("flask==3.1.0"), rule="cooldown", until=NOW, reason="x", by="ada")
REJECTION = Rejection(target=Target.parse("flask==3.1.0"), reason="x", by="ada")
PIN = Pin(project=FLASK, publisher=PublisherPattern.parse("github:pallets/flask"), reason="x", by="ada")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("flask", "flask"),
        ("Flask == 3.1.0", "flask==3.1.0"),
        ("flask<3.2,>=3", "flask<3.2,>=3"),
        ("flask>=3,<3.2", "flask<3.2,>=3"),
        (f"Flask@sha256:{DIGEST}", f"flask@sha256:{DIGEST}"),
    ],
)
def test_a_target_is_written_in_one_way(text: str, shown: str) -> None:
    target = Target.parse(text)

    assert str(target) == shown
    assert Target.parse(shown) == target


def test_a_project_alone_is_every_version_of_it() -> None:
    assert Target.parse("flask").is_every_version
    assert not Target.parse("flask>=0").is_every_version
    assert not Target.parse(f"flask@sha256:{DIGEST}").is_every_version


@pytest.mark.parametrize(
    "text",
    [
        "", "==1", "flask=3", "flask[async]==3", "flask==3; python_version<'3'", "flask @ https://flask.example/x",
        "flask@sha256:", f"flask@sha256:{DIGEST[:-1]}", f"flask@sha256:{DIGEST.upper()}", f"@sha256:{DIGEST}",
    ],
)  # fmt: skip
def test_what_is_no_target_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        Target.parse(text)


@pytest.mark.parametrize(
    ("target", "version", "sha256", "covered"),
    [
        ("flask", "3.1.0", DIGEST, True),
        ("flask", None, None, True),
        ("other", "3.1.0", DIGEST, False),
        ("flask==3.1.0", "3.1", DIGEST, True),
        ("flask==3.1.0", "3.1.0+local", DIGEST, True),
        ("flask==3.1.0", "3.1.0.post1", DIGEST, False),
        ("flask>=3", "4.0a1", DIGEST, True),
        ("flask==3.1.0", None, DIGEST, None),
        ("other==3.1.0", None, DIGEST, False),
        (f"flask@sha256:{DIGEST}", None, DIGEST, True),
        (f"flask@sha256:{DIGEST}", "3.1.0", OTHER, False),
        (f"flask@sha256:{DIGEST}", "3.1.0", None, False),
        (f"other@sha256:{DIGEST}", "3.1.0", DIGEST, False),
    ],
)
def test_what_a_target_covers(target: str, version: str | None, sha256: str | None, covered: bool | None) -> None:
    read = Version(version) if version is not None else None

    assert Target.parse(target).covers(FLASK, read, sha256) is covered


@pytest.mark.parametrize(
    ("target", "version", "covered"),
    [
        ("flask", None, True),
        ("flask", "3.1.0+local", True),
        ("flask==3.1.0", "3.1", True),
        ("flask==3.1.0", "3.1.0+local", False),
        ("flask==3.1.0+local", "3.1.0+local", True),
        ("flask==3.1.0", None, False),
        (f"flask@sha256:{DIGEST}", None, True),
        (f"flask@sha256:{OTHER}", "3.1.0", False),
    ],
)
def test_a_waiver_covers_no_local_version_that_it_does_not_name(
    target: str, version: str | None, covered: bool
) -> None:
    read = Version(version) if version is not None else None

    assert replace(WAIVER, target=Target.parse(target)).covers(FLASK, read, DIGEST) is covered


def test_the_same_decision_has_the_same_id_wherever_it_stands() -> None:
    decisions: tuple[tuple[Decided, str], ...] = ((WAIVER, "w-"), (REJECTION, "r-"), (PIN, "p-"))
    for one, mark in decisions:
        elsewhere = replace(one, source=Source.CONFIGURATION, at=NOW)
        assert elsewhere.id == one.id
        assert one.id.startswith(mark)
        assert len(one.id) == len(mark) + 10


def test_decisions_that_say_something_else_have_other_ids() -> None:
    different: list[Decided] = [
        WAIVER,
        replace(WAIVER, target=Target.parse("flask==3.1.1")),
        replace(WAIVER, rule="sdists"),
        replace(WAIVER, until=NOW + timedelta(seconds=1)),
        replace(WAIVER, index="team"),
        replace(WAIVER, by="bob"),
        REJECTION,
        replace(REJECTION, index="team"),
        PIN,
        replace(PIN, repository_id="1"),
        replace(PIN, publisher=PublisherPattern.parse("github:pallets/flask@publish.yaml")),
    ]

    assert len({one.id for one in different}) == len(different)


def test_a_pin_is_the_same_whoever_accepts_it_and_why() -> None:
    assert replace(PIN, by="bob", reason="y").id == PIN.id

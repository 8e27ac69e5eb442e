from __future__ import annotations

import shlex
from datetime import UTC, datetime, timedelta

import pytest

from inbond.policy.remedies import pin_command, waive_command

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
DIGEST = "0ace" + "0" * 60
DAY = timedelta(days=1)


def command(**given: object) -> str | None:
    about = {"rule": "cooldown", "version": "3.1.0", "sha256": DIGEST, "now": NOW, **given}
    return waive_command("flask", **about)  # type: ignore[arg-type]  # its keywords


def test_it_names_the_release_the_rule_and_an_end() -> None:
    assert command() == "inbond waive add flask==3.1.0 --rule cooldown --until 30d --reason '...'"


def test_a_file_whose_version_cannot_be_read_is_named_by_its_digest() -> None:
    assert (command(version=None) or "").startswith(f"inbond waive add flask@sha256:{DIGEST} --rule cooldown ")


def test_nothing_is_offered_that_would_lift_nothing_or_everything() -> None:
    assert command(rule="hashes") is None
    assert command(rule="review") is None
    assert command(version=None, sha256=None) is None


@pytest.mark.parametrize(
    ("length", "written"),
    [
        (timedelta(minutes=1), "1d"),
        (DAY, "1d"),
        (DAY + timedelta(seconds=1), "2d"),
        (6.5 * DAY, "7d"),
        (366 * DAY, "366d"),
        (366 * DAY + timedelta(seconds=1), "30d"),
        (-DAY, "1d"),
    ],
)
def test_it_lasts_as_long_as_the_hold_in_whole_days(length: timedelta, written: str) -> None:
    assert f" --until {written} " in (command(until=NOW + length) or "")


def test_words_are_quoted_for_a_shell() -> None:
    words = shlex.split(command(version="1!3.1.0", index="a b") or "")

    assert words[3] == "flask==1!3.1.0"
    assert words[words.index("--index") + 1] == "a b"
    assert "'flask==1!3.1.0'" in (command(version="1!3.1.0") or "")


def test_a_pin_accepts_a_publisher_and_where_asked_a_repository() -> None:
    assert pin_command("flask", "github:pallets/flask@publish.yaml") == (
        "inbond pins accept flask github:pallets/flask@publish.yaml"
    )
    words = shlex.split(pin_command("flask", "github:pallets/flask@p.yml#py pi", repository_id="596892"))
    assert words[3:] == ["flask", "github:pallets/flask@p.yml#py pi", "--repository-id", "596892"]

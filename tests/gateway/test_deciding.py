"""Decisions made and revoked: in force, told, and on record, in one; and what is said where one is not in force."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from inbond.gateway.deciding import (
    NOTHING_KNOWN,
    ConfiguredDecisions,
    NotInForce,
    decide,
    placed,
    revoke,
    told,
    warnings_of,
)
from inbond.model.decisions import Decided, Pin, Placed, Rejection, Source, Target, Waiver
from inbond.model.events import Event
from inbond.model.names import ProjectName
from inbond.model.publisher import PublisherPattern
from inbond.store.ledger import Ledger, open_ledger

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
WAIVER = Waiver(
    target=Target.parse("flask==3.1.0"), rule="cooldown", until=NOW + timedelta(days=3), reason="read", by="ada",
    at=NOW, index="root",
)  # fmt: skip
REJECTION = Rejection(target=Target.parse("left-pad<2"), reason="no", by="ada", at=NOW)
PIN = Pin(
    project=ProjectName("flask"), publisher=PublisherPattern.parse("github:pallets/flask"), reason="", by="ada", at=NOW,
    repository_id="5",
)  # fmt: skip
WRITTEN = Placed(
    decided=Waiver(
        target=Target.parse("six"), rule="sdists", until=NOW, reason="git", by="team", source=Source.CONFIGURATION
    ),
    place="inbond.toml:7",
)


def unheard(_event: Event) -> None:
    """Nobody listens."""


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    opened = open_ledger(tmp_path / "ledger.sqlite3", observer=unheard)
    yield opened
    await opened.aclose()


@pytest.mark.parametrize("decided", [WAIVER, REJECTION, PIN], ids=["waiver", "rejection", "pin"])
async def test_a_decision_is_in_force_told_and_on_record(ledger: Ledger, decided: Decided) -> None:
    (made,) = await decide(ledger, [decided], now=NOW, client="10.0.0.1")
    (again,) = await decide(ledger, [decided], now=LATER, client="10.0.0.1")

    assert (made.new, again.new) == (True, False)
    assert made.warnings == (NOTHING_KNOWN,)
    assert await ledger.decisions() == (decided,)
    assert [one.message for one in await ledger.occurrences(since=NOW)] == [told(decided)]
    (kept,) = await ledger.acts()
    assert (kept.act.by, kept.act.client, kept.act.message) == ("ada", "10.0.0.1", told(decided))


async def test_ending_one_says_who_and_why(ledger: Ledger) -> None:
    await decide(ledger, [WAIVER], now=NOW)
    ended = await revoke(ledger, (), WAIVER.id, kind=Waiver, by="bob", now=LATER, client="10.0.0.2", why="was mended")

    assert ended == WAIVER
    assert await ledger.decisions() == ()
    sentence = f"bob revoked {WAIVER.id} (was mended): {told(WAIVER)}"
    assert [one.message for one in await ledger.occurrences(since=LATER)] == [sentence]
    act = (await ledger.acts())[0].act
    assert (act.by, act.client, act.message) == ("bob", "10.0.0.2", sentence)


@pytest.mark.parametrize(
    ("decision_id", "said", "remedy"),
    [
        (WAIVER.id, "is in force: it was revoked before", "inbond waive list shows those that are"),
        ("w-0000000000", "no waiver w-0000000000 is in force", "inbond waive list shows those that are"),
        (PIN.id, "is a pin, no waiver", f"inbond pins revoke {PIN.id}"),
        (WRITTEN.decided.id, "stands in the configuration", "remove it there: inbond.toml:7"),
    ],
)
async def test_what_is_not_in_force_cannot_be_ended(ledger: Ledger, decision_id: str, said: str, remedy: str) -> None:
    await decide(ledger, [WAIVER, PIN], now=NOW)
    await revoke(ledger, (), WAIVER.id, kind=Waiver, by="bob", now=NOW)
    before = len(await ledger.acts())

    with pytest.raises(NotInForce, match=said) as caught:
        await revoke(ledger, [WRITTEN], decision_id, kind=Waiver, by="bob", now=LATER)
    assert caught.value.remedy == remedy
    assert ("revoked before" in caught.value.message) is (decision_id == WAIVER.id)
    assert len(await ledger.acts()) == before


async def test_what_stands_in_both_is_there_once_with_the_place_of_the_configuration() -> None:
    configured = ConfiguredDecisions([WRITTEN])

    assert placed([WRITTEN.decided, WAIVER, PIN], configured.now, Waiver) == (
        (WRITTEN.decided, "inbond.toml:7"),
        (WAIVER, "the ledger"),
    )
    configured.use([])
    assert placed([PIN], configured.now, Waiver) == ()


async def test_a_project_that_was_never_met_is_wondered_about(ledger: Ledger) -> None:
    for name in ("flask", "django"):
        await ledger.remember_page("pypi", ProjectName(name), serial=None, files=[], page_sha256="ab" * 32, now=NOW)
    misspelt = Rejection(target=Target.parse("flsk==1"), reason="no", by="ada", at=NOW)

    assert await warnings_of(ledger, WAIVER) == await warnings_of(ledger, PIN) == ()
    assert await warnings_of(ledger, misspelt) == ("no page of flsk is known here; did you mean flask?",)
    (made,) = await decide(ledger, [REJECTION], now=NOW)
    assert made.warnings == ("no page of left-pad is known here",)

"""One of each thing that the ledger holds, for the tests of all its tables."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from inbond.model.acts import Act, ActKind
from inbond.model.decisions import Pin, Rejection, Target, Waiver
from inbond.model.history import Asked, AskedRow
from inbond.model.names import Filename, ProjectName
from inbond.model.occurrence import Occurrence, OccurrenceKind
from inbond.model.publisher import PublisherPattern
from inbond.model.standing import Established
from inbond.model.traffic import TrafficHour, TrafficKind, TrafficOutcome
from inbond.model.verdict import Decision

FLASK = ProjectName("flask")
T0 = datetime(2026, 11, 20, 12, 0, 0, 123456, tzinfo=UTC)
T1, T2, T3 = (T0 + timedelta(hours=n) for n in (1, 2, 3))
WAIVER = Waiver(
    target=Target.parse("flask>=3,<3.2"), rule="cooldown", until=T3, reason="a fix", by="ada", at=T0, index="root"
)
REJECTION = Rejection(target=Target.parse(f"flask@sha256:{'a' * 64}"), reason="looked: bad", by="grace", at=T1)
PIN = Pin(
    project=FLASK,
    publisher=PublisherPattern.parse("github:pallets/flask@publish.yaml#pypi"),
    reason="renamed",
    by="ada",
    at=T2,
    repository_id="596892",
)
REPOSITORY = Established(repository="github:pallets/flask", repository_id="596892", owner_id="1", since=T0)
ASKED = Asked(
    at=T1,
    index="root",
    upstream="pypi",
    project=FLASK,
    filename=Filename("flask-3.1.0.tar.gz"),
    version="3.1.0",
    sha256="b" * 64,
    client="192.0.2.7",
    decision=Decision.ALLOW,
    would=Decision.HOLD,
    rule="cooldown",
    code="young",
    message="it is 2 hours old",
)
ACT = Act(
    at=T1,
    kind=ActKind.SIGN_IN,
    by="token:t-1a2b3c4d (ci)",
    client="192.0.2.7",
    message="signed in",
    index="root",
    project="flask",
    target="t-1a2b3c4d",
    detail={"role": "reader", "b": "Grüße"},
)
TRAFFIC = TrafficHour(
    hour=T0.replace(minute=0, second=0, microsecond=0),
    index="root",
    kind=TrafficKind.FILE,
    outcome=TrafficOutcome.HIT,
    count=3,
    size=1000,
)
HAPPENED = Occurrence(
    key="publisher-changed/pypi/flask/3.1.0",
    kind=OccurrenceKind.PUBLISHER_CHANGED,
    at=T1,
    message="flask 3.1.0 has another publisher",
    upstream="pypi",
    project=FLASK,
    detail={"to": "github:evil/flask", "from": "github:pallets/flask"},
)


def rows_from(asked: Iterable[Asked]) -> list[AskedRow]:
    """One row for each request."""
    return list(map(AskedRow.of, asked))


def path_in(directory: Path) -> Path:
    return directory / "ledger" / "ledger.db"

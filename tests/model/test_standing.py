from __future__ import annotations

from datetime import UTC, datetime

import pytest
from packaging.version import Version

from inbond.model.advisory import Advisory, AffectedRange
from inbond.model.decisions import Rejection, Target, Waiver
from inbond.model.standing import Standing

DIGEST = "a" * 64
BELOW_2 = Advisory(id="GHSA-1", ranges=(AffectedRange(fixed=Version("2")),))
ONE_FILE = Advisory(id="MAL-1", malicious=True, digests=frozenset({DIGEST}))
EVERYTHING = Advisory(id="MAL-2", malicious=True, ranges=(AffectedRange(),))


@pytest.mark.parametrize(
    ("version", "sha256", "ids"),
    [
        ("1.0", None, ["GHSA-1", "MAL-2"]),
        ("2.0", None, ["MAL-2"]),
        ("2.0", DIGEST, ["MAL-1", "MAL-2"]),
        (None, None, ["GHSA-1", "MAL-2"]),  # its version cannot be read: it may be meant
    ],
)
def test_the_advisories_that_a_file_may_be_meant_by(version: str | None, sha256: str | None, ids: list[str]) -> None:
    standing = Standing(advisories=(BELOW_2, ONE_FILE, EVERYTHING))

    found = standing.advisories_on(Version(version) if version else None, sha256)

    assert [one.id for one in found] == ids


def test_what_was_decided_for_another_index_alone_is_nothing_to_one() -> None:
    at, target = datetime(2026, 5, 4, tzinfo=UTC), Target.parse("demo==1.0")
    indexes = ("a", "b", None)
    standing = Standing(
        waivers=tuple(
            Waiver(target=target, rule="deny", until=at, reason="why", by="ada", at=at, index=index)
            for index in indexes
        ),
        rejections=tuple(Rejection(target=target, reason="why", by="ada", at=at, index=index) for index in indexes),
        advisories=(BELOW_2,),
    )
    on_a = standing.on("a")
    assert [[one.index for one in several] for several in (on_a.waivers, on_a.rejections)] == [["a", None]] * 2
    assert on_a.advisories == (BELOW_2,)

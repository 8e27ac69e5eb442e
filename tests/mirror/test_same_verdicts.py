"""P5: the same lock, policy, evidence, memory, advisories and clock give the same verdicts on both sides of the gap."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from check.support import ACME, EVIL, signed_by
from mirror.carrying import Receiver, Sender
from mirror.importing import FED, fed
from mirror.syncing import Connected, hashed
from sim.index import SimFile, SimIndex
from sim.osv import directory, malware, vulnerability
from sim.sigstore import GitHub
from stack import Inbond, SetClock, inbond

# Every rule has its say and is recorded, so that every file crosses and every finding can be compared.
POLICY = """
[policies.default]
audit = ["*"]
min_age = "24h"
continuity = "hold 7d"
malware = "deny"
vulnerabilities = "warn"
attestations = "if-present"
yanked = "deny"
deny = ["denied==1.0"]
"""
NEAR_ADVISORIES = '\n[advisories.osv]\npath = "{osv}"\n'
FAR_ADVISORIES = '\n[advisories.osv]\nurl = "imports"\n'
PIN = """
[[decisions.pins]]
project = "moved"
publisher = "github:acme/elsewhere"
reason = "they told us"
by = "ada"
"""
ELSEWHERE = GitHub(owner="acme", repo="elsewhere", workflow="release.yml")


class StillClock(SetClock):
    """A clock that stands, so that both sides judge at the same moment."""

    def __init__(self) -> None:
        super().__init__()
        self.at = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.at + self.ahead


def ago(clock: StillClock, **length: float) -> datetime:
    return clock() - timedelta(**length)


def an_attested_past(index: SimIndex, clock: StillClock, project: str) -> None:
    for month in range(5, 0, -1):
        index.add_wheel(project, f"1.{5 - month}", provenance=signed_by(), upload_time=ago(clock, days=30 * month))


def files(index: SimIndex, clock: StillClock) -> list[SimFile]:
    """What is locked: something for each rule to find."""
    for project in ("kept", "taken", "lost", "moved"):
        an_attested_past(index, clock, project)
    young = ago(clock, hours=3)
    return [
        index.add_wheel("kept", "2.0", provenance=signed_by(ACME), upload_time=young),
        index.add_wheel("taken", "2.0", provenance=signed_by(EVIL), upload_time=young),
        index.add_wheel("lost", "2.0", upload_time=young),
        index.add_wheel("moved", "2.0", provenance=signed_by(ELSEWHERE), upload_time=young),
        index.add_wheel("forged", "1.0", provenance=b"{}"),
        index.add_wheel("denied", "1.0"),
        index.add_wheel("bad", "1.0"),
        index.add_sdist("weak", "1.0"),
        index.add_wheel("yanked", "1.0", yanked="broken"),
        index.add_wheel("undated", "1.0", claim="silent"),
    ]


async def verdicts(side: Inbond, of: list[SimFile]) -> dict[str, Any]:
    """Each verdict, but for where more about it stands, and when this side verified what it says."""
    found = {}
    for file in of:
        verdict = await side.verdict(file.project, file.filename)
        verdict.pop("why")
        verdict["evidence"].pop("verified_at", None)
        found[file.filename] = json.loads(json.dumps(verdict).replace(side.origin, ""))
    return found


async def test_verdicts_are_the_same_online_and_offline(tmp_path: Path) -> None:
    clock = StillClock()
    near, far = tmp_path / "near", tmp_path / "far"
    near.mkdir()
    osv = directory(
        tmp_path / "osv",
        {"MAL-1.json": malware("MAL-2026-1", "bad", "1.0"), "W-1.json": vulnerability("GHSA-1", "weak", fixed="2.0")},
    )
    async with SimIndex() as index:
        locked = files(index, clock)
        connected = Connected(near, index, clock=clock)
        settings = POLICY + NEAR_ADVISORIES.replace("{osv}", str(osv)) + PIN
        connected.configure(settings)
        lock = connected.lock([hashed(file.project, file.version, file) for file in locked])
        await connected.sync(lock)
        # A file that comes to a page later: memory knows since when, and only this side's was there.
        clock.advance(timedelta(hours=1))
        late = index.add_wheel("kept", "2.0", tag="py2-none-any", upload_time=ago(clock, days=300))
        locked.append(late)
        await connected.sync(lock, connected.lock([hashed("kept", "2.0", late)], "late.txt"))
        sender = Sender(connected)
        exported = await sender.export()
        assert not exported.gathered.left_out
        async with inbond(near, index, more=settings, clock=clock) as online:
            before = await verdicts(online, locked)
        taken = await Receiver(far, POLICY + FAR_ADVISORIES, clock=clock).take(sender.bundle)
        assert not taken.refused
        assert not taken.different
        async with fed(far, index, config=FED, more=POLICY + FAR_ADVISORIES, clock=clock) as offline:
            after = await verdicts(offline, locked)
    assert after == before
    found = {finding["rule"] for verdict in before.values() for finding in verdict["findings"]}
    assert found >= {"continuity", "cooldown", "attestations", "malware", "vulnerabilities", "deny", "yanked"}
    assert {verdict["decision"] for verdict in before.values()} == {"allow"}
    assert {verdict["would"] for verdict in before.values()} >= {"deny", "hold", None}

"""An organisation's inbond with a history: two teams, an index of its own, decisions, denials, and weeks of traffic.

    async with populated(tmp_path) as org:
        status, body = await org.get("/-/search", org.operator)

For tests of pages, and for whoever wants to look at them: `python -m web.populated` in `tests/` serves it until it is
interrupted. What can be asked for really is: pages and files come from simulated indexes and go through real policies;
the weeks before today are written into the ledger.
"""

from __future__ import annotations

import asyncio
import base64
import math
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
from aiohttp import web

from inbond.access.principal import EVERY_INDEX, Grant
from inbond.access.roles import Role
from inbond.access.secret import digest_of, id_of, secret_of
from inbond.access.tokens import Token
from inbond.cli.compose import Running, running
from inbond.cli.config import load_config
from inbond.cli.serve import address_of, start
from inbond.model.acts import COMMAND, Act, ActKind
from inbond.model.decisions import Pin, Rejection, Target, Waiver
from inbond.model.history import Asked, AskedRow
from inbond.model.names import Filename, ProjectName
from inbond.model.occurrence import Occurrence, OccurrenceKind
from inbond.model.publisher import PublisherPattern
from inbond.model.traffic import TrafficHour, TrafficKind, TrafficOutcome
from inbond.model.verdict import Decision
from sim.attested import attested_files
from sim.index import SimFile, SimIndex
from sim.sigstore import GitHub, Sigstore
from stack import sigstore

DAYS = 30  # of traffic
CONFIG = """
[server]
listen = "127.0.0.1:0"
[storage]
path = "{data}/data"
[access]
readers = "anybody"
[trust.public]
root = "{data}/public.json"
[upstreams.public]
url = "{public}"
[upstreams.internal]
url = "{internal}"
projects = ["acme-*"]
[policies.default]
deny = ["leftpadx"]
[policies.strict]
attestations = "require"
min_age = "7d"
audit = ["attestations"]
deny = ["leftpadx", "tarball-tools<2"]
[indexes.root]
policy = "default"
upstreams = ["public"]
[indexes.data]
policy = "default"
upstreams = ["internal", "public"]
[indexes.payments]
policy = "strict"
upstreams = ["internal", "public"]
"""
WIDGETS = GitHub(owner="acme", repo="widgets", workflow="release.yml")
STRANGER = GitHub(owner="evil", repo="widgets", workflow="release.yml", repository_id="6666", owner_id="7777")
HTTP = GitHub(owner="tinyhttp", repo="tinyhttp", workflow="publish.yml", repository_id="3003", owner_id="4004")
ACME = GitHub(owner="acme", repo="billing", workflow="release.yml", repository_id="5005")
# As somebody wrote it who wanted it to be read as something else.
HOSTILE = "see \u202egnp.exe\u202c <b>now</b>\x1b[31m " + "very " * 40 + "long"
CLIENTS = ("10.1.4.17", "10.1.4.18", "10.1.9.3", "10.2.0.44", "10.2.0.45")
WHO = ("ci:data-builds (repo:acme/etl:ref:refs/heads/main)", "", "person:ada", "token:t-5d1e0a2b9c44 (payments-ci)", "")


@dataclass(frozen=True, kw_only=True)
class Populated:
    """It, running. `admin`, `operator` (of data) and `reader` (of payments) are secrets of tokens."""

    origin: str
    session: aiohttp.ClientSession
    up: Running
    app: web.Application
    public: SimIndex
    internal: SimIndex
    held: SimFile  # of widgets: by another publisher
    young: SimFile
    denied: SimFile
    served: SimFile  # that many have, and an advisory names since yesterday
    given: Sequence[SimFile]  # others that were let through
    admin: str
    operator: str
    reader: str

    async def get(self, path: str, secret: str | None = None, **headers: str) -> tuple[int, str]:
        """Asks, as the holder of a token or as nobody."""
        if secret is not None:
            headers["Authorization"] = f"Basic {base64.b64encode(f'__token__:{secret}'.encode()).decode()}"
        async with self.session.get(f"{self.origin}{path}", headers=headers, allow_redirects=False) as response:
            return response.status, await response.text()


@asynccontextmanager
async def populated(data: Path, *, port: int = 0, readers: str = "anybody", more: str = "") -> AsyncIterator[Populated]:
    """Starts all of it in a directory. `readers`: of all indexes; `more`: of the configuration."""
    signing = sigstore()
    (data / "public.json").write_bytes(signing.trusted_root())
    async with SimIndex() as public, SimIndex() as internal:
        files = _publish(public, internal, signing)
        config = (CONFIG.replace("anybody", readers) + more).format(data=data, public=public.url, internal=internal.url)
        file = data / "inbond.toml"
        file.write_text(config.replace("127.0.0.1:0", f"127.0.0.1:{port}"))
        loaded = load_config(file=file, overrides={}, environ={})
        async with running(loaded) as up:
            admin, operator, reader = await _tokens(up)
            runner = await start(up, loaded)
            try:
                async with aiohttp.ClientSession() as session:
                    found = Populated(
                        origin=f"http://{address_of(runner)}",
                        session=session,
                        up=up,
                        app=runner.app,
                        public=public,
                        internal=internal,
                        held=files.held,
                        young=files.young,
                        denied=files.denied,
                        served=files.served,
                        given=files.given,
                        admin=admin,
                        operator=operator,
                        reader=reader,
                    )
                    await _lived(found)
                    yield found
            finally:
                await runner.cleanup()


@dataclass(frozen=True, kw_only=True)
class _Published:
    held: SimFile
    young: SimFile
    denied: SimFile
    served: SimFile
    given: Sequence[SimFile]


def _publish(public: SimIndex, internal: SimIndex, signing: Sigstore) -> _Published:
    now, given = datetime.now(UTC), []
    for number in range(9):
        at = now - timedelta(days=700 - 70 * number)
        given += attested_files(public, signing, "widgets", [f"1.{number}"], WIDGETS, uploaded=at, signed=at)
    recent = now - timedelta(days=2)
    (held,) = attested_files(public, signing, "widgets", ["1.9"], STRANGER, uploaded=recent, signed=recent)
    for number in range(5):
        at = now - timedelta(days=400 - 60 * number)
        given += attested_files(public, signing, "tinyhttp", [f"3.{number}"], HTTP, uploaded=at, signed=at)
    public.add_wheel("tinyhttp", "3.5", upload_time=now - timedelta(days=3))
    for number in range(130):
        at = now - timedelta(days=1500 - 10 * number)
        yanked = "broken on Windows" if number % 17 == 5 else False
        wheel = public.add_wheel("parsley", f"{number // 10}.{number % 10}", upload_time=at, yanked=yanked)
        given += [wheel] if number % 6 == 0 else []
    public.add_wheel("tarball-tools", "1.0", upload_time=now - timedelta(days=900), yanked=HOSTILE)
    served = public.add_wheel("tarball-tools", "2.0", upload_time=now - timedelta(days=90))
    young = public.add_wheel("newthing", "0.1", upload_time=now - timedelta(hours=2))
    denied = public.add_wheel("leftpadx", "6.6.6", upload_time=now - timedelta(days=40))
    for number in range(4):
        at = now - timedelta(days=100 - 20 * number)
        attested_files(internal, signing, "acme-billing", [f"2026.{number}"], ACME, uploaded=at, signed=at)
    internal.add_wheel("acme-tools", "4.2", upload_time=now - timedelta(days=33))
    return _Published(held=held, young=young, denied=denied, served=served, given=given)


async def _tokens(up: Running) -> tuple[str, str, str]:
    made = []
    for number, (name, role, indexes, days) in enumerate(
        [
            ("platform team", Role.ADMIN, {EVERY_INDEX}, None),
            ("data operators", Role.OPERATOR, {"data"}, 200),
            ("payments-ci", Role.READER, {"payments"}, 4),
        ]
    ):
        secret = secret_of(bytes([number + 1]) * 32)
        now = up.gateway.clock()
        token = Token(
            id=id_of(digest_of(secret)),
            digest=digest_of(secret),
            name=name,
            grant=Grant(role=role, indexes=frozenset(indexes)),
            made_by="ada",
            made_at=now - timedelta(days=20),
            expires_at=None if days is None else now + timedelta(days=days),
        )
        told = Act(
            at=now - timedelta(days=20),
            kind=ActKind.TOKEN_CREATED,
            by="ada",
            client=COMMAND,
            message=f"a token called {name} was made",
            target=token.id,
        )
        await up.parts.base.ledger.add_token(token, told=told)
        made.append(secret)
    return made[0], made[1], made[2]


async def _lived(org: Populated) -> None:
    """Today, as it was asked for really, and the weeks before it."""
    for index in ("", "/data", "/payments"):
        for project in ("widgets", "tinyhttp", "parsley", "tarball-tools", "newthing", "leftpadx"):
            assert (await org.get(f"{index}/simple/{project}/", org.admin))[0] == 200
    for path in ("/data/simple/acme-billing/", "/payments/simple/acme-tools/"):
        assert (await org.get(path, org.admin))[0] == 200
    for file in (org.held, org.young, org.denied):
        assert (await org.get(f"/data{file.path}", org.operator))[0] == 403
    await _ask(org, f"/data{org.served.path}", f"/payments{org.served.path}")
    ledger, now = org.up.parts.base.ledger, org.up.gateway.clock()
    await ledger.record_traffic(_traffic(now))
    await ledger.record(_asked(now, org))
    for decision in _decisions(now):
        await ledger.decide(decision, now=now - timedelta(days=5))
    await ledger.happened(_occurrences(now))
    await ledger.record_acts(_acts(now))
    await org.up.parts.base.book.write()


async def _ask(org: Populated, *paths: str) -> None:
    for path in paths:
        headers = {"Authorization": f"Bearer {org.admin}"}
        async with org.session.get(f"{org.origin}{path}", headers=headers) as response:
            await response.read()


def _traffic(now: datetime) -> list[TrafficHour]:
    """Working days with a peak at noon, and quiet nights; one bad hour."""
    end = now.replace(minute=0, second=0, microsecond=0)
    found = []
    for back in range(1, DAYS * 24):
        hour = end - timedelta(hours=back)
        busy = max(0.05, math.sin(math.pi * (hour.hour - 5) / 16)) * (0.25 if hour.weekday() >= 5 else 1.0)
        for index, share in (("data", 1.0), ("payments", 0.45), ("root", 0.2)):
            hits, misses = int(900 * busy * share), int(60 * busy * share)
            stopped, failed = int(7 * busy * share), 25 if back == 40 and index == "data" else 0
            for kind, size, part in (
                (TrafficKind.PAGE, 20_000, 0.5),
                (TrafficKind.FILE, 900_000, 0.35),
                (TrafficKind.METADATA, 4_000, 0.15),
            ):
                for outcome, count in (
                    (TrafficOutcome.HIT, hits),
                    (TrafficOutcome.MISS, misses),
                    (TrafficOutcome.STOPPED, stopped if kind is TrafficKind.FILE else 0),
                    (TrafficOutcome.FAILED, failed if kind is TrafficKind.FILE else 0),
                ):
                    number = int(count * part)
                    if number:
                        bodies = 0 if outcome in {TrafficOutcome.STOPPED, TrafficOutcome.FAILED} else size * number
                        found.append(
                            TrafficHour(hour=hour, index=index, kind=kind, outcome=outcome, count=number, size=bodies)
                        )
    return found


def _asked(now: datetime, org: Populated) -> list[AskedRow]:
    rows = []
    stopped = [
        ("data", org.held, Decision.HOLD, "continuity", "changed", "its publisher is none that the project had", 23),
        ("data", org.young, Decision.HOLD, "cooldown", "young", "published 2 hours ago, younger than 1d", 61),
        ("payments", org.young, Decision.HOLD, "cooldown", "young", "published 2 hours ago, younger than 7d", 14),
        ("data", org.denied, Decision.DENY, "deny", "listed", "the deny list names leftpadx", 9),
        ("payments", org.denied, Decision.DENY, "deny", "listed", "the deny list names leftpadx", 3),
    ]
    for number, (index, file, decision, rule, code, message, times) in enumerate(stopped):
        for client, who in list(zip(CLIENTS, WHO, strict=True))[: 2 + number % 3]:
            first = _one(now - timedelta(hours=5 + 7 * number), index, file, (client, who), decision)
            asked = replace(first, rule=rule, code=code, message=message)
            rows.append(AskedRow(first=asked, last_at=now - timedelta(hours=1 + number), count=times))
    for number, (client, who) in enumerate(zip(CLIENTS, WHO, strict=True)):
        index = "payments" if number % 2 else "data"
        first = _one(now - timedelta(days=6 - number), index, org.served, (client, who), Decision.ALLOW)
        rows.append(AskedRow(first=first, last_at=now - timedelta(days=1, hours=number), count=3 + 5 * number))
    recorded = _one(now - timedelta(days=2), "payments", org.served, (CLIENTS[0], WHO[3]), Decision.ALLOW)
    asked = replace(recorded, would=Decision.DENY, rule="attestations", code="absent", message="it has no attestations")
    rows.append(AskedRow(first=asked, last_at=now - timedelta(hours=9), count=41))
    for file in org.given:
        first = _one(now - timedelta(days=3), "data", file, (CLIENTS[1], WHO[0]), Decision.ALLOW)
        rows.append(AskedRow(first=first, last_at=now - timedelta(hours=30), count=12))
    return rows


def _one(at: datetime, index: str, file: SimFile, asker: tuple[str, str], decision: Decision) -> Asked:
    return Asked(
        at=at,
        index=index,
        upstream="public",
        project=ProjectName(file.project),
        filename=Filename(file.filename),
        version=file.version,
        sha256=file.sha256,
        client=asker[0],
        who=asker[1],
        decision=decision,
        would=decision,
    )


def _decisions(now: datetime) -> Sequence[Waiver | Rejection | Pin]:
    return (
        Waiver(
            target=Target.parse("tinyhttp==3.5"),
            rule="continuity",
            until=now + timedelta(days=3),
            reason="the maintainer lost access to the workflow and wrote to us",
            by="ada",
            at=now - timedelta(days=5),
            index="data",
        ),
        Waiver(
            target=Target.parse("parsley==12.9"),
            rule="cooldown",
            until=now - timedelta(days=1),
            reason="mends an <b>outage</b>",
            by="grace",
            at=now - timedelta(days=6),
            index="payments",
        ),
        Rejection(
            target=Target.parse("leftpadx==6.6.6"),
            reason="runs a miner when it is imported",
            by="ada",
            at=now - timedelta(days=5),
        ),
        Pin(
            project=ProjectName("widgets"),
            publisher=PublisherPattern.parse("github:acme/widgets@release.yml"),
            reason="as its documentation says",
            by="grace",
            at=now - timedelta(days=5),
        ),
    )


def _occurrences(now: datetime) -> Sequence[Occurrence]:
    return (
        Occurrence(
            key="populated/turned-bad",
            kind=OccurrenceKind.SERVED_TURNED_BAD,
            at=now - timedelta(hours=20),
            message="tarball-tools 2.0, which 5 clients have, is named by MAL-2026-0001 as malware",
            index="data",
            upstream="public",
            project=ProjectName("tarball-tools"),
        ),
        Occurrence(
            key="populated/vanished",
            kind=OccurrenceKind.FILE_VANISHED,
            at=now - timedelta(days=4),
            message="parsley-0.3-py3-none-any.whl is no more on its page",
            upstream="public",
            project=ProjectName("parsley"),
        ),
    )


def _acts(now: datetime) -> list[Act]:
    return [
        Act(
            at=now - timedelta(days=5),
            kind=ActKind.DECISION_MADE,
            by="ada",
            client=COMMAND,
            message="waived continuity for tinyhttp==3.5 on index data",
            index="data",
            project="tinyhttp",
            target="w-0123456789",
        ),
        Act(
            at=now - timedelta(days=2),
            kind=ActKind.SIGN_IN_FAILED,
            by="",
            client="10.9.9.9",
            message="a token that inbond does not know",
        ),
        Act(
            at=now - timedelta(hours=26),
            kind=ActKind.CONFIGURATION_RELOADED,
            by="root",
            client=COMMAND,
            message="the configuration was read anew",
        ),
    ]


async def _serve() -> None:
    with tempfile.TemporaryDirectory() as directory:
        async with populated(Path(directory)) as org:
            print(
                f"{org.origin}/\n  admin     {org.admin}\n  operator  {org.operator}\n  reader    {org.reader}",
                flush=True,
            )
            await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve())

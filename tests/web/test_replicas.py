"""Promise P5: two inbonds with disks of their own and the same configuration and memory say the same, byte for byte."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp

from check.support import ACME, EVIL, signed_by
from inbond.model.decisions import Rejection, Target, Waiver
from inbond.store.ledger import open_ledger
from sim.index import SimIndex
from stack import JSON, Inbond, SetClock, inbond

HTML = "application/vnd.pypi.simple.v1+html"
CODINGS = ("identity", "gzip", "zstd")
CONFIG = """
[server]
listen = "127.0.0.1:0"
public_url = "http://packages.acme.example"
[storage]
path = "{data}"
[upstreams.pypi]
url = "{upstream}"
[indexes.root]
[indexes.strict]
policy = "strict"
[indexes.then]
freeze = "2024-01-03"
[advisories.own]
path = "{records}"
"""
RECORD = """{{"id": "{id}", "modified": "2026-01-01T00:00:00Z", "published": "2026-01-01T00:00:00Z", "affected": [
{{"package": {{"ecosystem": "PyPI", "name": "demo"}}, "versions": ["{version}"]}}]}}"""


class StandingClock(SetClock):
    """The same moment for all that ask."""

    def __init__(self) -> None:
        super().__init__()
        self.began = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.began + self.ahead


def filled(index: SimIndex) -> list[str]:
    """A project of which something is held, waived, rejected, malware and vulnerable; its filenames."""
    now = datetime.now(UTC)
    files = []
    for number in range(6):
        files.append(index.add_wheel("demo", f"1.{number}", upload_time=now - timedelta(days=200 - 30 * number)))
        files.append(index.add_sdist("demo", f"1.{number}", upload_time=now - timedelta(days=200 - 30 * number)))
    for number in range(4):
        age = timedelta(days=100 - 20 * number)
        files.append(index.add_wheel("demo", f"2.{number}", upload_time=now - age, provenance=signed_by(ACME)))
    files.append(index.add_wheel("demo", "2.9", upload_time=now - timedelta(days=2), provenance=signed_by(EVIL)))
    files.append(index.add_wheel("demo", "3.0", upload_time=now - timedelta(hours=3)))
    files.append(index.add_sdist("demo", "3.0", upload_time=now - timedelta(hours=3)))
    files.append(index.add_wheel("demo", "3.1", upload_time=now - timedelta(hours=2), yanked="broken"))
    return [file.filename for file in files]


def records(place: Path) -> str:
    """A directory of advisories."""
    directory = place / "records"
    directory.mkdir()
    for id_, version in (("MAL-2026-1", "1.3"), ("GHSA-1", "1.4")):
        (directory / f"{id_}.json").write_text(RECORD.format(id=id_, version=version))
    return str(directory)


async def decided(ledger: Path, now: datetime) -> None:
    """Some decisions, as an operator leaves them in the ledger."""
    book = open_ledger(ledger, observer=lambda _: None)
    waived: dict[str, Any] = {
        "target": Target.parse("demo==3.0"),
        "reason": "seen",
        "by": "somebody",
        "until": now + timedelta(days=1),
    }
    for decision in (
        Waiver(rule="cooldown", at=now, **waived),
        Waiver(rule="continuity", at=now, **{**waived, "target": Target.parse("demo==2.9")}),
        Rejection(target=Target.parse("demo==1.1"), reason="no", by="somebody", at=now),
    ):
        assert await book.decide(decision, now=now)
    await book.aclose()


async def said(proxy: Inbond, files: Sequence[str]) -> dict[str, bytes]:
    """All pages and verdicts, asked for in the order of the files."""
    found: dict[str, bytes] = {}
    async with aiohttp.ClientSession(auto_decompress=False) as raw:
        for number, file in enumerate(files):
            for index in ("root", "strict", "then"):
                found[f"{index} {file}"] = (await proxy.get(f"/-/verdict/{index}/demo/{file}"))[1]
            if number != len(files) // 2:
                continue
            for index in ("", "/strict", "/then"):
                for form in (JSON, HTML):
                    for coding in CODINGS:
                        asked = {"Accept": form, "Accept-Encoding": coding}
                        async with raw.get(proxy.url(f"{index}/simple/demo/"), headers=asked) as answer:
                            assert answer.status == 200
                            found[f"{index} {form} {coding} ETag"] = answer.headers["ETag"].encode()
                            found[f"{index} {form} {coding}"] = await answer.read()
    return found


async def test_two_inbonds_say_the_same_in_whatever_order_they_are_asked(tmp_path: Path) -> None:
    clock = StandingClock()
    places = [tmp_path / name for name in ("one", "two")]
    for place in places:
        place.mkdir()
    config = CONFIG.replace("{records}", records(tmp_path))
    async with SimIndex() as index:
        files = filled(index)
        async with inbond(places[0], index, config=config, clock=clock) as proxy:
            await proxy.page("demo")  # from now on there is a memory
        index.add_wheel("demo", "3.2", upload_time=clock() - timedelta(days=90))
        clock.advance(timedelta(minutes=30))
        await decided(places[0] / "data/ledger/ledger.sqlite3", clock())
        shutil.rmtree(places[0] / "data/cache")  # it changes no verdict, but tells when each file was verified
        shutil.copytree(places[0] / "data/ledger", places[1] / "data/ledger")

        async with AsyncExitStack() as stack:
            one, two = [
                await stack.enter_async_context(inbond(place, index, config=config, clock=clock)) for place in places
            ]
            first = await said(one, files)
            second = await said(two, files[::-1])

    assert first.keys() == second.keys()
    assert [key for key in first if first[key] != second[key]] == []
    for file, decision, word in (
        ("demo-1.0-py3-none-any.whl", "allow", ""),
        ("demo-1.1-py3-none-any.whl", "deny", "review"),
        ("demo-1.3.tar.gz", "deny", "MAL-2026-1"),
        ("demo-1.4.tar.gz", "allow", "GHSA-1"),
        ("demo-3.0.tar.gz", "hold", "w-"),  # the cooldown is waived, continuity is not
        ("demo-3.1-py3-none-any.whl", "hold", "cooldown"),
    ):
        verdict = first[f"root {file}"].decode()
        assert f'"decision":"{decision}"' in verdict.replace('": "', '":"'), verdict
        assert word in verdict, verdict
    assert b"after-freeze" in first["then demo-3.0.tar.gz"]

"""`inbond who`: a file that was served yesterday is malware today, and whoever has it is named."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from inbond.access.secret import RANDOM_BYTES, digest_of, secret_of
from inbond.cli.config import Config, load_config
from inbond.cli.who_run import Wanted, rows, run, told
from inbond.gateway.advisories import AdvisoryKeeper
from inbond.model.errors import ConfigurationError, OperatorFault
from inbond.model.history import FetchedWanted
from inbond.model.names import Filename, ProjectName
from inbond.model.verdict import Decision
from inbond.reporting.askers import Sought
from inbond.store import ledger_history
from inbond.store.ledger import Ledger, open_ledger
from sim.index import SimIndex
from sim.osv import directory, malware
from stack import Inbond, LocalVerifier, SetClock, inbond
from store.heard import Heard
from store.samples import ASKED, path_in, rows_from

SECRET = secret_of(bytes(range(RANDOM_BYTES)))
MORE = f"""
[advisories.own]
path = "{{data}}/../advisories"
[indexes.root]
policy = "default"
upstreams = ["pypi"]
[indexes.team]
policy = "default"
upstreams = ["pypi"]
[[access.tokens]]
name = "ci"
sha256 = "{digest_of(SECRET).hex()}"
role = "reader"
indexes = ["root", "team"]
"""
UPSTREAM = '[upstreams.pypi]\nurl = "https://index.example/simple/"\n'
SIGNED_IN = {"Authorization": aiohttp.encode_basic_auth("__token__", SECRET)}


def config_of(place: Path) -> Config:
    return load_config(file=place / "inbond.toml", overrides={}, environ={})


async def asked(place: Path, what: str, clock: SetClock, **changes: Any) -> int:
    config = config_of(place)
    return await told(config, config.upstreams_at(""), LocalVerifier(), Wanted(what=what, **changes), clock=clock)


async def has_turned_bad(proxy: Inbond, place: Path) -> None:
    (place / "MAL-7.json").write_bytes(malware("MAL-7", "demo", "2.0"))
    advisories = proxy.up.gateway.advisories
    assert isinstance(advisories, AdvisoryKeeper)
    await advisories.look()
    async with asyncio.timeout(30):
        while not await proxy.metric("inbond_occurrences_total", kind="served-turned-bad"):
            await asyncio.sleep(0.05)


async def test_a_file_served_yesterday_turns_out_to_be_malware(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = directory(tmp_path / "advisories", {"other.json": malware("MAL-5", "other")})
    clock = SetClock()
    async with SimIndex() as index:
        bad, good = index.add_wheel("demo", "2.0").filename, index.add_wheel("demo", "1.0").filename
        async with inbond(tmp_path, index, more=MORE, clock=clock) as proxy:
            for name, of in ((bad, ""), (bad, "/team"), (good, "")):
                path = await proxy.path_of("demo", name, of)
                for _ in range(3):  # the second and third go the hot way
                    async with proxy.session.get(proxy.url(path), headers=SIGNED_IN) as response:
                        assert response.status == 200
                        await response.read()
            assert (await proxy.get(await proxy.path_of("demo", bad)))[0] == 200  # nobody in particular
            clock.advance(timedelta(days=1))
            await has_turned_bad(proxy, place)
            assert (await proxy.get(await proxy.path_of("demo", bad)))[0] == 403

            assert await asked(tmp_path, f"demo@sha256:{'0' * 64}", clock) == 0
            assert await asked(tmp_path, "nobody", clock) == 0
            capsys.readouterr()
            assert await asked(tmp_path, "demo==2.0", clock, form="json") == 1
            found = json.loads(capsys.readouterr().out)
            base = proxy.up.parts.base
            wanted = FetchedWanted(upstream="pypi", project=ProjectName("demo"), filename=Filename(bad))
            kept = await base.ledger.who_fetched(wanted)
            await base.book.write()

    (who,) = {one["who"] for one in found["given_to"]} - {""}
    assert who.startswith("token:")
    assert who.endswith(" (ci)")
    assert {(one["who"], one["index"], one["times"]) for one in found["given_to"]} == {
        (who, "root", 3),
        (who, "team", 3),
        ("", "root", 1),
    }
    assert {one["client"] for one in found["given_to"]} == {"127.0.0.1"}
    assert {one["then"] for one in found["given_to"]} == {"allow"}
    assert {(one["filename"], one["index"], one["now"]["rule"]) for one in found["files"]} == {
        (bad, "root", "malware"),
        (bad, "team", "malware"),
    }
    assert [one["advisories"] for one in found["files"]] == [["MAL-7"], ["MAL-7"]]
    assert {(one.row.first.who, one.row.first.index, one.row.count) for one in kept} == {
        (one["who"], one["index"], one["times"]) for one in found["given_to"]
    }

    capsys.readouterr()  # what the server said in the end
    assert await asked(tmp_path, bad, clock, form="csv", indexes=("team",)) == 1
    (line,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (line["who"], line["index"], line["filename"], line["times"]) == (who, "team", bad, "3")

    assert await asked(tmp_path, "demo", clock, limit=2) == 1
    text = " ".join(capsys.readouterr().out.split())
    assert f"{good}" in text
    assert "named by MAL-7; is denied by rule malware: MAL-7 says that this release is malware" in text
    assert "and 2 more rows: --limit, or --format csv for all" in text


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    opened = open_ledger(path_in(tmp_path), observer=Heard())
    yield opened
    await opened.aclose()


async def clients(ledger: Ledger, what: str, indexes: frozenset[str] | None = None) -> list[str]:
    return [row.first.client async for row in rows(ledger, Sought.parse(what), indexes)]


async def test_whoever_was_given_any_file_that_is_meant_is_among_them_and_nobody_else(ledger: Ledger) -> None:
    await ledger.record(
        rows_from(
            [
                replace(ASKED, client="a"),
                replace(ASKED, client="b", version=None),  # that nobody can read: it may be meant
                replace(ASKED, client="c", upstream="acme", index="team"),
                replace(ASKED, client="d", version="3.2.0"),
                replace(ASKED, client="x", metadata=True),
                replace(ASKED, client="y", decision=Decision.DENY),
                replace(ASKED, client="z", project=ProjectName("other")),
            ]
        )
    )
    assert sorted(await clients(ledger, "flask")) == ["a", "b", "c", "d"]
    assert sorted(await clients(ledger, "Flask>=3,<3.2")) == ["a", "b", "c"]
    assert sorted(await clients(ledger, f"flask@sha256:{'b' * 64}", frozenset({"root"}))) == ["a", "b", "d"]
    assert sorted(await clients(ledger, "flask-3.1.0.tar.gz", frozenset({"team"}))) == ["c"]
    assert await clients(ledger, "flask-3.1.0.zip") == []


async def test_of_very_many_clients_all_are_told(ledger: Ledger) -> None:
    many = [f"192.0.2.{number}" for number in range(ledger_history.FETCHED_AT_ONCE * 2 + 3)]
    await ledger.record(rows_from([replace(ASKED, client=one) for one in many]))
    assert await clients(ledger, "flask") == many


async def test_where_nothing_is_recorded_it_cannot_be_told(tmp_path: Path) -> None:
    (tmp_path / "inbond.toml").write_text(f'[storage]\npath = "{tmp_path / "data"}"\n{UPSTREAM}')
    with pytest.raises(OperatorFault, match="no request is recorded"):
        await run(config_of(tmp_path), Wanted(what="flask"))
    assert not (tmp_path / "data").exists()
    ledger = open_ledger(config_of(tmp_path).storage.ledger, observer=Heard())
    await ledger.aclose()
    with pytest.raises(OperatorFault, match="no request is recorded"):
        await asked(tmp_path, "flask", SetClock())


async def test_what_is_mistyped_is_not_just_given_to_nobody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "inbond.toml").write_text(f'[storage]\npath = "{tmp_path / "data"}"\n{UPSTREAM}')
    ledger = open_ledger(config_of(tmp_path).storage.ledger, observer=Heard())
    await ledger.record(rows_from([ASKED, replace(ASKED, index="gone", decision=Decision.DENY)]))
    await ledger.aclose()
    clock = SetClock()
    with pytest.raises(ConfigurationError, match=r"no index 'rot' here.*did you mean 'root'"):
        await asked(tmp_path, "flask", clock, indexes=("rot",))
    assert await asked(tmp_path, "flask", clock, indexes=("gone",)) == 0
    assert await asked(tmp_path, "flask==1", clock) == 0
    assert capsys.readouterr().err == ""
    for mistyped in ("flaks", "flaks-3.1.0.tar.gz", "flask-3.1.0.foo"):
        assert await asked(tmp_path, mistyped, clock) == 0
        said = f"no request for {mistyped} is recorded, neither given nor stopped; did you mean flask?"
        assert said in capsys.readouterr().err
    assert await asked(tmp_path, "zzz", clock, form="json") == 0
    told = capsys.readouterr()
    assert "no request for zzz" in told.err
    assert json.loads(told.out)["files"] == []
    for written in ("Flask-3.1.0.TAR.GZ", "flask-3.1.0.tar.gz.metadata"):
        assert await asked(tmp_path, written, clock) == 1


@pytest.mark.parametrize("what", ["", "no such thing", "flask[extra]", "../x.whl", "flask@sha256:12"])
async def test_what_names_no_file_is_refused(tmp_path: Path, what: str) -> None:
    (tmp_path / "inbond.toml").write_text(f'[storage]\npath = "{tmp_path / "data"}"\n{UPSTREAM}')
    with pytest.raises(ConfigurationError):
        await run(config_of(tmp_path), Wanted(what=what))

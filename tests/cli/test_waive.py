"""`inbond waive`: what an operator types, and what clients meet at their next request."""

from __future__ import annotations

import asyncio
import getpass
import json
import shlex
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cli.desk import Desk, configured, young
from e2e.service import serving
from inbond.cli import decisions_shown
from inbond.cli.waive_run import until_of
from inbond.model.decisions import Target, Waiver
from inbond.model.errors import ConfigurationError
from sim.index import SimIndex
from stack import inbond

NOW = datetime(2026, 11, 20, 12, 0, 0, 5, tzinfo=UTC)
LIFT = ("waive", "add", "demo==2.0", "--rule", "cooldown", "--until", "7d", "--reason", "mends our outage")
TWO_INDEXES = """
[indexes.team]
policy = "default"
upstreams = ["pypi"]
"""


async def test_what_is_waived_is_served_at_the_next_request_and_stopped_again_at_the_one_after_revoking(
    tmp_path: Path,
) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "2.0", upload_time=young())
        async with inbond(tmp_path, index) as proxy:
            desk = Desk(tmp_path)
            assert "held until" in (await proxy.listed("demo", wheel.filename))["yanked"]
            assert (await proxy.get(wheel.path))[0] == 403

            told = await desk.beside(*LIFT)
            head, lifts = told.splitlines()
            waiver_id = head.partition(":")[0]
            assert "ada waived cooldown for demo==2.0 on all indexes until 20" in head
            assert head.endswith(" UTC: mends our outage")
            assert lifts == f"  lifted on index root for 1 known file: {wheel.filename}"
            assert not (await proxy.listed("demo", wheel.filename)).get("yanked")
            assert (await proxy.get(wheel.path))[0] == 200

            assert (await desk.beside("waive", "revoke", waiver_id, "--by", "bob")).startswith(
                f"revoked {waiver_id}: ada"
            )
            assert "held until" in (await proxy.listed("demo", wheel.filename))["yanked"]
            assert (await proxy.get(wheel.path))[0] == 403
        made, revoked = await desk.happened()
        assert made == ("decision-made", head.partition(": ")[2])
        assert revoked == ("decision-revoked", f"bob revoked {waiver_id}: {made[1]}")


async def test_whoever_decides_where_no_server_looks_is_told_so(tmp_path: Path) -> None:
    desk = configured(tmp_path)
    ledger = tmp_path / "data" / "ledger" / "ledger.sqlite3"
    for words in (LIFT, ("review", "reject", "demo", "--reason", "x"), ("pins", "accept", "demo", "github:acme/demo")):
        result = await asyncio.to_thread(desk.run, *words, "--format", "json")
        assert result.exit_code == 0
        assert (
            result.stderr == f"warning: no server has used the ledger {ledger}: name its configuration with --config\n"
        )
        assert json.loads(result.stdout)


async def test_a_project_of_which_no_page_is_known_is_told_with_its_neighbour(tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("plain", "1.0")
        async with inbond(tmp_path, index) as proxy:
            await proxy.page("plain")
        desk = Desk(tmp_path)
        near, far, right = [
            (await asyncio.to_thread(desk.run, "review", "reject", name, "--reason", "x")).stderr
            for name in ("plian==1", "left-pad", "plain==0.1")
        ]
    assert near == "warning: no page of plian is known here; did you mean plain?\n"
    assert far == "warning: no page of left-pad is known here\n"
    assert right == ""


def test_who_only_lists_or_revokes_makes_no_ledger(tmp_path: Path) -> None:
    desk = configured(tmp_path)
    assert desk.told("waive", "list") == "no waivers\n"
    assert desk.told("pins", "list") == "no pins\n"
    assert "no pin p-0000000000 is in force" in desk.told("pins", "revoke", "p-0000000000", code=1)
    assert not (tmp_path / "data").exists()


async def test_a_server_that_is_another_process_goes_by_it_at_once(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "2.0", upload_time=young())
        (tmp_path / "inbond.toml").write_text("")
        await asyncio.to_thread(_waived_beside_a_process, tmp_path, index.url, wheel.path)


def _waived_beside_a_process(place: Path, upstream: str, path: str) -> None:
    with serving(place, upstream) as service:

        def status() -> int:
            try:
                with urllib.request.urlopen(f"{service.origin}{path}") as answer:
                    return int(answer.status)
            except urllib.error.HTTPError as error:
                return error.code

        urllib.request.urlopen(f"{service.origin}/simple/demo/").close()
        assert status() == 403
        Desk(place).told(*LIFT)
        assert status() == 200


async def test_a_waiver_of_one_index_leaves_the_others(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "2.0", upload_time=young())
        async with inbond(tmp_path, index, more=TWO_INDEXES) as proxy:
            desk = Desk(tmp_path)
            await proxy.page("demo")
            told = await desk.beside(*LIFT, "--index", "team")
            assert "on index team until" in told
            assert (await proxy.get(wheel.path))[0] == 403
            assert (await proxy.get(f"/team{wheel.path}"))[0] == 200


async def test_the_commands_of_an_explanation_lift_all_that_it_is_about(tmp_path: Path) -> None:
    async with SimIndex() as index:
        sdist = index.add_sdist("demo", "2.0", upload_time=young())
        async with inbond(tmp_path, index, more='[policies.default]\nsdists = "deny"\n') as proxy:
            await proxy.page("demo")
            status, body, _ = await proxy.get(sdist.path)
            commands = json.loads(body)["verdict"]["commands"]
            assert (status, len(commands)) == (403, 2)
            desk = Desk(tmp_path)
            program, *words = shlex.split(commands[0])
            assert program == "inbond"
            assert "say in a few words why" in await desk.beside(*words, code=2)
            for command in commands:
                await desk.beside(*shlex.split(command.replace("'...'", "'read by Ada'"))[1:])
            assert (await proxy.get(sdist.path))[0] == 200
            findings = (await proxy.verdict("demo", sdist.filename))["findings"]
            waived = {finding["rule"]: finding["waiver"]["reason"] for finding in findings if finding["waiver"]}
            assert waived == {"sdists": "read by Ada", "cooldown": "read by Ada"}
            _, page, _ = await proxy.get(f"/why/{sdist.sha256[:12]}")
            assert b"read by Ada" in page
        for command in (("why", "demo", sdist.filename), ("check", "demo==2.0")):
            assert "read by Ada" in " ".join((await desk.beside(*command)).split())


async def test_what_still_stops_a_release_is_told(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "2.0", upload_time=young())
        for number in range(310, 316):
            index.add_wheel("demo", "2.0", tag=f"cp{number}-none-any", upload_time=young())
        async with inbond(tmp_path, index, more='[policies.default]\ndeny = ["demo"]\n') as proxy:
            await proxy.page("demo")
            assert (await proxy.get(wheel.path))[0] == 403
            told = await Desk(tmp_path).beside(*LIFT)
            assert told.splitlines()[1].startswith("  lifted on index root for 7 known files: demo-2.0-")
            assert told.endswith(" and 2 more; still stopped by deny\n")
            assert (await proxy.get(wheel.path))[0] == 403


async def test_when_a_waiver_ends_pages_and_files_stop_again(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "2.0")
        async with inbond(tmp_path, index, more='[policies.default]\ndeny = ["demo"]\n') as proxy:
            words = ("--rule", "deny", "--until", "1d", "--reason", "only today")
            await Desk(tmp_path).beside("waive", "add", "demo==2.0", *words)
            assert not (await proxy.listed("demo", wheel.filename)).get("yanked")
            assert (await proxy.get(wheel.path))[0] == 200
            proxy.clock.advance(timedelta(days=1, minutes=1))
            assert "denied by rule deny" in (await proxy.listed("demo", wheel.filename))["yanked"]
            assert (await proxy.get(wheel.path))[0] == 403


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"TARGET": "demo=2"}, "TARGET: 'demo=2' is not a project with versions or a digest, such as 'flask==3.1.0'"),
        ({"--rule": "cooldwn"}, "--rule: 'cooldwn' is no rule; did you mean 'cooldown'?"),
        ({"--rule": "filename"}, "--rule: rule 'filename' cannot be waived: other bytes under a known filename"),
        ({"--rule": "digest"}, "--rule: rule 'digest' cannot be waived: bytes that are not those the index names"),
        ({"--until": "2020-01-01"}, "--until: 2020-01-01 00:00 UTC is past"),
        ({"--until": "0"}, "is past"),
        ({"--until": "367d"}, "is more than 366d away"),
        ({"--until": "soon"}, "--until: 'soon' is no time: write a length, '7d', or a date, '2026-12-01'"),
        ({"--until": "2999-13-01"}, "--until: '2999-13-01' is no date and no time"),
        ({"--reason": "..."}, "--reason: '...' is no reason: say in a few words why"),
        ({"--index": "rot"}, "--index: there is no index 'rot'; did you mean 'root'?"),
        ({"--by": " "}, "' ' names nobody"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_nothing_is_decided(
    tmp_path: Path, changes: dict[str, str], told: str
) -> None:
    desk = configured(tmp_path)
    words = {"--rule": "cooldown", "--until": "7d", "--reason": "mends", **changes}
    target = words.pop("TARGET", "demo==2.0")

    said = desk.told("waive", "add", target, *(word for pair in words.items() for word in pair), code=2)
    assert said.startswith("inbond: ")
    assert told in said
    assert desk.json("waive", "list") == {"waivers": []}


def test_without_a_reason_or_a_configuration_it_does_nothing(tmp_path: Path) -> None:
    assert "Missing option '--reason'" in configured(tmp_path).told(*LIFT[:-2], code=2)
    assert "unknown key" in configured(tmp_path, "[decision]\n").told(*LIFT, code=2)


def test_without_a_page_it_says_that_nothing_is_lifted_now(tmp_path: Path) -> None:
    desk = configured(tmp_path)
    assert desk.told(*LIFT).splitlines()[1] == "  of the files that are known it lifts nothing now"


def test_who_waives_a_whole_project_is_told_so(tmp_path: Path) -> None:
    desk = configured(tmp_path)
    words = ("--rule", "cooldown", "--until", "7d", "--reason", "ours")

    assert "  it covers every version, also those to come: 'demo==...' would be narrower" in desk.told(
        "waive", "add", "demo", *words
    )
    assert "every version" not in desk.told("waive", "add", "demo<3", *words)


def test_where_nothing_can_be_judged_the_waiver_is_in_force_all_the_same(tmp_path: Path) -> None:
    desk = configured(tmp_path)
    result = desk.run(*LIFT, environ={"INBOND_TRUST__PUBLIC__ROOT": str(tmp_path / "none.json")})

    assert result.exit_code == 0, result.output
    assert "  what it lifts now cannot be told: " in result.stdout
    assert len(desk.json("waive", "list")["waivers"]) == 1


def test_the_same_again_changes_nothing(tmp_path: Path) -> None:
    desk = configured(tmp_path)
    on_a_day = [word if word != "7d" else f"{datetime.now(UTC) + timedelta(days=3):%Y-%m-%d}" for word in LIFT]

    first, again = desk.json(*on_a_day), desk.json(*on_a_day)
    assert (first["new"], first["lifts"], first["untold"]) == (True, [], None)
    assert (again["new"], again["waiver"]["id"]) == (False, first["waiver"]["id"])
    assert " was in force already: ada waived" in desk.told(*on_a_day)
    assert len(desk.json("waive", "list")["waivers"]) == 1


def test_who_has_no_name_is_asked_for_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr(getpass, "getuser", nobody)
    said = configured(tmp_path).told(*LIFT, code=2)
    assert "this user has no name" in said
    assert "say with --by who decides this" in said


def test_waivers_are_listed_for_people_programs_and_git(tmp_path: Path) -> None:
    numpy = 'target = "numpy"\nrule = "sdists"\nuntil = "2999-01-01"\nreason = "no wheels"\nby = "bob"\n'
    desk = configured(tmp_path, f"[[decisions.waivers]]\n{numpy}")
    desk.told(*LIFT)

    head, numpy, demo = desk.told("waive", "list", columns="300").splitlines()
    assert head.split() == ["id", "target", "rule", "index", "until", "by", "reason", "stands", "in"]
    assert f"{tmp_path / 'inbond.toml'}:1" in numpy
    assert demo.endswith("the ledger")
    first, second = desk.json("waive", "list")["waivers"]
    assert (first["target"], first["source"], first["at"]) == ("numpy", "configuration", None)
    assert (second["target"], second["rule"], second["by"], second["index"]) == ("demo==2.0", "cooldown", "ada", None)
    (tmp_path / "waivers.toml").write_text(desk.told("waive", "list", "--format", "toml"), encoding="utf-8")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    other = configured(elsewhere, '[decisions]\nfiles = ["../waivers.toml"]\n')
    assert [one["id"] for one in other.json("waive", "list")["waivers"]] == [second["id"], first["id"]]


async def test_expired_ones_are_listed_where_they_are_asked_for(tmp_path: Path) -> None:
    desk = configured(tmp_path)
    expired = Waiver(
        target=Target.parse("demo"), rule="cooldown", until=datetime(2025, 1, 1, tzinfo=UTC), reason="x", by="ada"
    )
    await desk.in_ledger(lambda ledger: ledger.decide(expired, now=NOW))

    assert await desk.beside("waive", "list") == "no waivers\n"
    assert "2025-01-01 00:00 UTC (expired)" in await desk.beside("waive", "list", "--expired")
    await desk.beside("waive", "revoke", expired.id)
    assert await desk.beside("waive", "list", "--expired") == "no waivers\n"


def test_what_cannot_be_revoked_says_where_it_stands(tmp_path: Path) -> None:
    waiver = 'target = "numpy"\nrule = "sdists"\nuntil = "2999-01-01"\nreason = "x"\nby = "bob"\n'
    desk = configured(tmp_path, f"[[decisions.waivers]]\n{waiver}")
    (configured_id,) = [one["id"] for one in desk.json("waive", "list")["waivers"]]
    pin = desk.json("pins", "accept", "demo", "github:acme/demo")["pins"][0]["id"]

    unknown = desk.told("waive", "revoke", "w-0000000000", code=1)
    assert "no waiver w-0000000000 is in force" in unknown
    assert "inbond waive list shows those that are" in unknown
    there = desk.told("waive", "revoke", configured_id, code=1)
    assert f"{configured_id} stands in the configuration" in there
    assert f"remove it there: {tmp_path / 'inbond.toml'}:1" in there
    other = desk.told("waive", "revoke", pin, code=1)
    assert f"{pin} is a pin, no waiver" in other
    assert f"inbond pins revoke {pin}" in other
    assert len(desk.json("pins", "list")["pins"]) == 1


@pytest.mark.parametrize(
    ("text", "until"),
    [
        ("7d", datetime(2026, 11, 27, 12, 0, 1, tzinfo=UTC)),
        ("2026-12-01", datetime(2026, 12, 1, tzinfo=UTC)),
        ("2026-12-01T18:00:00+01:00", datetime(2026, 12, 1, 17, tzinfo=UTC)),
        ("366d", datetime(2027, 11, 21, 12, 0, 0, tzinfo=UTC)),
    ],
)
def test_an_end_is_a_length_a_date_or_a_time(text: str, until: datetime) -> None:
    now = NOW.replace(microsecond=0) if text == "366d" else NOW
    assert until_of(text, now) == until


def test_an_end_lies_ahead_and_not_too_far() -> None:
    for text in ("2026-11-20T12:00:00Z", "367d"):
        with pytest.raises(ConfigurationError):
            until_of(text, NOW)


def test_on_a_narrow_screen_nothing_is_lost(tmp_path: Path) -> None:
    desk = configured(tmp_path)
    desk.told(*LIFT)

    narrow = desk.told("waive", "list", columns="72")
    assert max(map(len, narrow.splitlines())) <= 72
    assert "mends" in narrow


def test_nothing_that_somebody_else_wrote_reaches_a_terminal() -> None:
    shown = decisions_shown.table(("a", "b"), [("\x1b[31m", "[red]x[/]")])
    assert "\x1b" not in shown
    assert "[red]x[/]" in shown

"""`inbond review`: what people asked for and did not get, and what becomes of it."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cli.desk import Desk, configured, young
from inbond.cli.main import cli
from inbond.model.history import Asked, AskedRow
from inbond.model.names import Filename, ProjectName
from inbond.model.verdict import Decision, Finding, Outcome
from inbond.reporting.fates import Fate, Untold
from inbond.reporting.review_queue import ID_MARK, queue_of
from sim.attested import attested_files
from sim.index import SimIndex
from sim.sigstore import GitHub
from stack import inbond, sigstore

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DENY = '[policies.default]\ndeny = ["evil"]\n'
TWO_INDEXES = DENY + (
    '[policies.other]\nmin_age = "0"\naudit = ["sdists"]\nsdists = "deny"\n'
    '[indexes.root]\npolicy = "default"\n[indexes.team]\npolicy = "other"\n'
)
ACME = GitHub(owner="acme", repo="widgets", workflow="release.yml")
EVIL = GitHub(owner="evil", repo="widgets", workflow="release.yml")


async def asked_for(place: Path, index: SimIndex, *paths: str, config: str = DENY) -> Desk:
    """An inbond that was asked for these files, and has ended."""
    async with inbond(place, index, more=config) as proxy:
        for path in paths:
            await proxy.page(path.rpartition("/")[2].partition("-")[0])
            await proxy.get(path)
    return Desk(place)


async def entries(desk: Desk, *options: str) -> list[dict[str, Any]]:
    """The queue; the exit code says whether anything is in it."""
    result = await asyncio.to_thread(desk.run, "review", *options, "--format", "json")
    assert result.exit_code in {0, 1}, result.output
    queue: list[dict[str, Any]] = json.loads(result.stdout)["queue"]
    assert result.exit_code == bool(queue)
    return queue


async def test_what_somebody_asked_for_waits_with_how_often_and_until_when(tmp_path: Path) -> None:
    async with SimIndex() as index:
        evil = index.add_wheel("evil", "1.0")
        held = index.add_wheel("demo", "2.0", upload_time=young())
        index.add_wheel("demo", "3.0", upload_time=young())  # nobody asks for it
        desk = await asked_for(tmp_path, index, evil.path, held.path, held.path)
        demo, evil_entry = await entries(desk)

        assert (demo["target"], demo["rule"], demo["outcome"], demo["index"]) == (
            "demo==2.0",
            "cooldown",
            "hold",
            "root",
        )
        assert (demo["people"], demo["times"], demo["files"]) == (1, 2, [held.filename])
        assert datetime.fromisoformat(demo["until"]) > datetime.now(UTC)
        assert (evil_entry["target"], evil_entry["rule"], evil_entry["until"]) == ("evil==1.0", "deny", None)
        assert [one["id"] for one in await entries(desk)] == [demo["id"], evil_entry["id"]]

        wide = (await desk.beside("review", code=1)).splitlines()
        assert wide[0].split() == ["id", "release", "rule", "ends", "asked", "for", "last", "found"]
        assert f"{demo['id']}  demo==2.0  cooldown  20" in wide[1]
        assert "2 times by 1 address  " in wide[1]
        assert " ago  " in wide[1]
        assert wide[2].startswith(f"{evil_entry['id']}  evil==1.0  deny      never")
        assert wide[-1] == "2 entries; inbond review accept|reject ID --reason ... decides"
        narrow = await asyncio.to_thread(desk.told, "review", "list", code=1, columns="72")
        assert max(map(len, narrow.splitlines())) <= 72
        assert "the deny list names evil" in narrow


async def test_what_is_accepted_is_let_through_there_and_nothing_else_is(tmp_path: Path) -> None:
    async with SimIndex() as index:
        held = index.add_wheel("demo", "2.0", upload_time=young())
        desk = await asked_for(tmp_path, index, held.path)
        (entry,) = await entries(desk)
        told = await desk.beside("review", "accept", entry["id"], "--reason", "read the diff", "--until", "2d")
        assert told.splitlines()[1] == f"  covers every file of {entry['target']}, also one that is added later"

        assert "ada waived cooldown for demo==2.0 on index root until" in told
        assert await entries(desk) == []
        ledger = tmp_path / "data" / "ledger" / "ledger.sqlite3"
        assert await desk.beside("review") == f"nothing waits, by {ledger}\n"
        async with inbond(tmp_path, index, more=DENY) as proxy:
            assert (await proxy.get(held.path))[0] == 200
        assert [kind for kind, _ in await desk.happened()] == ["decision-made"]


async def test_what_is_rejected_stays_away_also_once_its_hold_has_ended(tmp_path: Path) -> None:
    async with SimIndex() as index:
        held = index.add_wheel("demo", "2.0", upload_time=young())
        index.add_wheel("demo", "1.0")
        desk = await asked_for(tmp_path, index, held.path)
        (entry,) = await entries(desk)
        told = await desk.beside("review", "reject", entry["id"], "--reason", "steals tokens")
        rejection_id = told.partition(":")[0]

        assert told.endswith(": ada rejected demo==2.0 on index root: steals tokens\n")
        assert await entries(desk) == []
        async with inbond(tmp_path, index, more=DENY) as proxy:
            proxy.clock.advance(timedelta(days=30))
            yanked = (await proxy.listed("demo", held.filename))["yanked"]
            assert "denied by rule review: ada rejected demo==2.0: steals tokens" in yanked
            assert (await proxy.get(held.path))[0] == 403
        assert "demo==2.0" in await desk.beside("review", "rejected")
        assert 'reason = "steals tokens"' in await desk.beside("review", "rejected", "--format", "toml")
        (listed,) = (await asyncio.to_thread(desk.json, "review", "rejected"))["rejections"]
        assert (listed["id"], listed["index"], listed["place"]) == (rejection_id, "root", "the ledger")
        assert (await desk.beside("review", "revoke", rejection_id)).startswith(f"revoked {rejection_id}")
        assert await desk.beside("review", "rejected") == "no rejections\n"
        assert len(await entries(desk)) == 1


async def test_a_target_may_be_rejected_that_nobody_asked_for(tmp_path: Path) -> None:
    desk = configured(tmp_path)
    told = await desk.beside("review", "reject", "left-pad<2", "--reason", "rewritten by strangers")

    assert told.endswith(": ada rejected left-pad<2 on all indexes: rewritten by strangers\n")
    assert " was in force already: " in await desk.beside(
        "review", "reject", "left-pad<2", "--reason", "rewritten by strangers"
    )


async def test_a_target_names_all_that_waits_of_it(tmp_path: Path) -> None:
    async with SimIndex() as index:
        held = index.add_sdist("demo", "2.0", upload_time=young())
        desk = await asked_for(tmp_path, index, held.path, f"/team{held.path}", config=TWO_INDEXES)
        waiting = await entries(desk)
        assert [(one["index"], one["rule"], one["only_recorded"]) for one in waiting] == [
            ("root", "cooldown", False),
            ("team", "sdists", True),
        ]
        assert [one["index"] for one in await entries(desk, "--index", "team")] == ["team"]
        assert "(only recorded)" in await desk.beside("review", code=1)

        told = await desk.beside("review", "accept", "demo>=2", "--reason", "ours", "--by", "bob")
        assert sorted(line.partition(": ")[2][:40] for line in told.splitlines()[::2]) == [
            "bob waived cooldown for demo==2.0 on ind",
            "bob waived sdists for demo==2.0 on index",
        ]
        assert await entries(desk) == []


@pytest.mark.parametrize("waive", [False, True])
async def test_another_publisher_is_accepted_for_good_or_only_this_release(tmp_path: Path, waive: bool) -> None:
    async with SimIndex() as index:
        now = datetime.now(UTC)
        past = [now - timedelta(days=days) for days in (300, 200, 100)]
        for version, at in zip(("1.0", "1.1", "1.2"), past, strict=True):
            attested_files(index, sigstore(), "demo", [version], ACME, uploaded=at, signed=at)
        (strange,) = attested_files(index, sigstore(), "demo", ["1.3"], EVIL, uploaded=now, signed=now)
        desk = await asked_for(tmp_path, index, strange.path, config='[policies.default]\nmin_age = "0"\n')
        (entry,) = await entries(desk)
        assert (entry["rule"], entry["code"]) == ("continuity", "changed")
        option = ["--waive", "--until", "2d"] if waive else []
        both = await desk.beside("review", "accept", entry["id"], "--reason", "x", "--until", "2d", code=2)
        assert f"--until: {entry['id']} becomes a pin, which has no end" in both
        assert "add --waive to let this release through alone" in both
        assert await desk.happened() == []
        told = await desk.beside("review", "accept", entry["id"], "--reason", "the project has moved", *option)

        lifted = "waived continuity for demo==1.3" if waive else "accepted github:evil/widgets@release.yml for demo"
        assert f"ada {lifted}" in told
        assert await entries(desk) == []
        async with inbond(tmp_path, index, more='[policies.default]\nmin_age = "0"\n') as proxy:
            assert (await proxy.get(strange.path))[0] == 200


async def test_what_cannot_be_judged_is_told_as_it_was(tmp_path: Path) -> None:
    async with SimIndex() as index:
        held = index.add_wheel("demo", "2.0", upload_time=young())
        desk = await asked_for(tmp_path, index, held.path, f"/team{held.path}", config=TWO_INDEXES)
        cache = tmp_path / "data" / "cache"
        cache.rename(tmp_path / "gone")
        configured(tmp_path, DENY + f'[upstreams.pypi]\nurl = "{index.url}"\n')
        (entry,) = await entries(desk)

        assert (entry["untold"], entry["outcome"], entry["rule"]) == ("its page is not kept any more", None, "cooldown")
        shown = " ".join((await desk.beside("review", code=1)).split())
        assert "not known" in shown
        assert "page is not kept any more" in shown
        assert "now: its" in shown
        assert "ada waived cooldown" in await desk.beside("review", "accept", entry["id"], "--reason", "urgent")


async def test_what_is_gone_from_its_page_or_with_its_index_does_not_wait(tmp_path: Path) -> None:
    async with SimIndex() as index:
        held = index.add_wheel("demo", "2.0", upload_time=young())
        index.add_wheel("demo", "1.0")
        desk = await asked_for(
            tmp_path, index, held.path, f"/team{held.path}", config=TWO_INDEXES.replace('"0"', '"2d"')
        )
        assert [entry["index"] for entry in await entries(desk)] == ["root", "team"]
        index.remove(held)
        async with inbond(tmp_path, index, more=DENY) as proxy:
            proxy.clock.advance(HOUR)
            await proxy.page("demo")
        assert await entries(desk) == []


async def test_what_no_waiver_lifts_cannot_be_accepted(tmp_path: Path) -> None:
    async with SimIndex() as index:
        bare = index.add_wheel("demo", "2.0", hashes={})
        desk = await asked_for(tmp_path, index, bare.path)
        (entry,) = await entries(desk)
        said = await desk.beside("review", "accept", entry["id"], "--reason", "urgent", code=2)
        assert f"{entry['id']}: rule 'hashes' cannot be waived: a file without a digest" in said
        assert "reject it, or see that what the rule found is mended" in said
        assert await desk.happened() == []


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("accept", "q-000000", "--reason", "x"), 1, "nothing of q-000000 waits"),
        (("reject", "q-000000", "--reason", "x"), 1, "nothing of q-000000 waits"),
        (("reject", "q-2ac93g", "--reason", "x"), 1, "'q-2ac93g' is no entry of the queue"),
        (("reject", "q-2ac9", "--reason", "x"), 1, "'q-2ac9' is no entry of the queue"),
        (("reject", "Q-2AC93F", "--reason", "x"), 1, "'Q-2AC93F' is no entry of the queue"),
        (("accept", "q-2ac93", "--reason", "x"), 1, "'q-2ac93' is no entry of the queue"),
        (("reject", "r-0123456789", "--reason", "x"), 1, "'r-0123456789' is no entry of the queue"),
        (("accept", "demo==1", "--reason", "x"), 1, "nothing of demo==1 waits"),
        (("accept", "no name", "--reason", "x"), 2, "TARGET: 'no name' is not a project"),
        (("reject", "no name", "--reason", "x"), 2, "TARGET: 'no name' is not a project"),
        (("accept", "q-000000", "--reason", "?"), 2, "--reason: '?' is no reason"),
        (("accept", "q-000000", "--reason", "x", "--until", "2y"), 2, "--until: '2y' is no"),
        (("accept", "q-000000", "--reason", "x", "--index", "x"), 2, "--index: there is no index 'x'"),
        (("--since", "x"), 2, "--since: 'x' is not a length of time"),
        (("--index", "x"), 2, "--index: there is no index 'x'"),
        (("revoke", "r-0000000000"), 1, "no rejection r-0000000000 is in force"),
    ],
)
def test_what_does_not_wait_cannot_be_decided(tmp_path: Path, words: tuple[str, ...], code: int, told: str) -> None:
    desk = configured(tmp_path, '[upstreams.pypi]\nurl = "http://127.0.0.1:9/simple/"\n')
    assert told in desk.told("review", *words, code=code)


def test_a_project_that_is_called_like_an_entry_is_named_with_its_versions(tmp_path: Path) -> None:
    desk = configured(tmp_path)
    assert "ada rejected q-lib>=0" in desk.told("review", "reject", "q-lib>=0", "--reason", "typed by mistake")


def test_where_nobody_has_asked_yet_it_says_where_it_looked_and_makes_nothing(tmp_path: Path) -> None:
    desk = configured(tmp_path)
    ledger = tmp_path / "data" / "ledger" / "ledger.sqlite3"

    assert desk.told("review") == f"nothing waits: no request is recorded in {ledger}\n"
    assert desk.json("review") == {"queue": [], "ledger": str(ledger), "recorded_since": None}
    assert desk.told("review", "rejected") == "no rejections\n"
    assert "no rejection r-0000000000 is in force" in desk.told("review", "revoke", "r-0000000000", code=1)
    assert not (tmp_path / "data").exists()


async def test_what_was_rejected_is_said_to_be_when_somebody_accepts_it(tmp_path: Path) -> None:
    async with SimIndex() as index:
        held = index.add_wheel("demo", "2.0", upload_time=young())
        desk = await asked_for(tmp_path, index, held.path)
        (entry,) = await entries(desk)
        rejection = (await desk.beside("review", "reject", "demo<3", "--reason", "steals tokens")).partition(":")[0]
        for what in (entry["id"], "demo==2.0", "demo<3"):
            said = await desk.beside("review", "accept", what, "--reason", "x", code=1)
            assert f"{what} is rejected, by ada: steals tokens\n  inbond review revoke {rejection}\n" in said
        assert "nothing of demo==4.0 waits" in await desk.beside(
            "review", "accept", "demo==4.0", "--reason", "x", code=1
        )


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_is_that_of_the_group(option: str) -> None:
    assert "accept" in CliRunner().invoke(cli, ["review", option]).stdout


# --- the queue itself


def row(filename: str = "demo-2.0-py3-none-any.whl", **changes: Any) -> AskedRow:
    times = {"count": changes.pop("count", 1), "last_at": changes.pop("last_at", NOW)}
    asked: dict[str, Any] = {
        "at": NOW, "index": "root", "upstream": "pypi", "project": ProjectName("demo"), "filename": Filename(filename),
        "version": "2.0", "sha256": "0" * 64, "client": "192.0.2.1", "decision": Decision.HOLD, "would": Decision.HOLD,
        "rule": "cooldown", "code": "young", "message": "young", **changes,
    }  # fmt: skip
    return AskedRow(first=Asked(**asked), **times)


def stopped_by(*rules: str, until: datetime | None = None) -> Fate:
    outcome = Outcome.HOLD if until else Outcome.DENY
    findings = tuple(Finding(rule=rule, outcome=outcome, message=rule, until=until) for rule in rules)
    return Fate(decision=Decision.DENY, would=Decision.DENY, stopping=findings)


def test_an_entry_is_a_release_a_rule_and_an_index() -> None:
    rows = [
        row(),
        row("demo-2.0.tar.gz", client="192.0.2.2", count=3, last_at=NOW + HOUR),
        row(index="team"),
        row(version="2.1"),
    ]
    found = queue_of(rows, lambda _: stopped_by("cooldown", "sdists"))

    assert [(one.index, str(one.target), one.rule) for one in found] == [
        ("root", "demo==2.0", "cooldown"),
        ("root", "demo==2.0", "sdists"),
        ("team", "demo==2.0", "cooldown"),
        ("team", "demo==2.0", "sdists"),
        ("root", "demo==2.1", "cooldown"),
        ("root", "demo==2.1", "sdists"),
    ]
    most = found[0]
    assert (most.people, most.times, most.last_at, len(most.files)) == (2, 4, NOW + HOUR, 2)
    assert len({one.id for one in found}) == 6
    assert all(one.id.startswith(ID_MARK) and len(one.id) == 8 for one in found)


def test_what_nobody_stops_or_lists_any_more_does_not_wait() -> None:
    allowed = Fate(decision=Decision.ALLOW, would=Decision.ALLOW)

    assert queue_of([row()], lambda _: allowed) == ()
    assert queue_of([row()], lambda _: None) == ()
    assert queue_of([row()], lambda _: stopped_by("cooldown", "review")) == ()


def test_a_release_ends_with_the_last_of_its_files() -> None:
    rows = [row(), row("demo-2.0.tar.gz")]
    ends = {rows[0].first.filename: NOW + HOUR, rows[1].first.filename: NOW + 2 * HOUR}
    (entry,) = queue_of(rows, lambda one: stopped_by("cooldown", until=ends[one.first.filename]))

    assert entry.until == NOW + 2 * HOUR


def test_a_file_without_a_version_is_named_by_its_digest_and_by_nobody_known() -> None:
    (entry,) = queue_of([row("demo-latest.tar.gz", version=None, client="")], lambda _: stopped_by("sdists"))

    assert str(entry.target) == f"demo@sha256:{'0' * 64}"
    assert entry.people == 0


def test_what_cannot_be_told_is_told_as_it_was() -> None:
    (entry,) = queue_of([row()], lambda _: Untold(reason="nobody knows"))

    assert (entry.rule, entry.message, entry.untold, entry.until) == ("cooldown", "young", "nobody knows", None)
    assert not entry.only_recorded

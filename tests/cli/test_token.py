"""`inbond token`: made once, shown once, and in force at the next request of a server that runs beside it."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest

from cli.desk import Desk
from inbond.access.secret import digest_of, id_of, is_well_formed
from sim.index import SimIndex
from stack import ONE_INDEX, inbond
from web.members import LONG_AGO, basic

GRANTED = '[access]\nreaders = "granted"\n'


def desk(tmp_path: Path, more: str = "") -> Desk:
    """Where an operator works while no server runs."""
    (tmp_path / "inbond.toml").write_text(
        ONE_INDEX.format(data=tmp_path / "data", upstream="http://127.0.0.1:9/simple/") + more
    )
    return Desk(tmp_path)


async def test_a_token_counts_at_the_next_request_until_it_is_revoked(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index, more=GRANTED) as proxy:
        index.add_wheel("demo", "1.0", upload_time=LONG_AGO)
        beside = Desk(tmp_path)
        assert (await proxy.get("/simple/demo/"))[0] == 401
        secret = (await beside.beside("token", "create", "laptops", "--index", "root")).strip()
        assert is_well_formed(secret)
        assert (await proxy.get("/simple/demo/", Authorization=basic(secret)))[0] == 200
        await proxy.up.signing_in.access.uses.write()
        token_id = id_of(digest_of(secret))
        (row,) = json.loads(await beside.beside("token", "list", "--format", "json"))["tokens"]
        assert (row["id"], row["last_used_from"], row["made_by"]) == (token_id, "127.0.0.1", "ada")
        told = await beside.beside("token", "revoke", token_id)
        assert told == f"revoked token {token_id} (laptops): reader on root\n"
        assert (await proxy.get("/simple/demo/", Authorization=basic(secret)))[0] == 401
        assert "no tokens" in await beside.beside("token", "list")
        (row,) = json.loads(await beside.beside("token", "list", "--all", "--format", "json"))["tokens"]
        assert (row["state"], row["revoked_by"]) == ("revoked", "ada")
        assert "is in force" in await beside.beside("token", "revoke", token_id, code=1)


def test_the_token_stands_alone_on_standard_output(tmp_path: Path) -> None:
    result = desk(tmp_path).run("token", "create", "ci", "--all-indexes", "--role", "operator", "--expires", "never")
    assert result.exit_code == 0
    assert re.fullmatch(r"inbond_[0-9A-Za-z]{49}\n", result.stdout)
    secret = result.stdout.strip()
    assert result.stderr == (
        f"token {id_of(digest_of(secret))} (ci): operator on all indexes; never expires\n"
        "this is the token, shown only now; its user name is __token__:\n"
    )
    kept = b"".join(file.read_bytes() for file in (tmp_path / "data" / "ledger").iterdir() if file.is_file())
    assert secret.encode() not in kept


def test_programs_are_given_all_of_it_as_json(tmp_path: Path) -> None:
    body = desk(tmp_path).json("token", "create", "ci", "--index", "root", "--expires", "2030-01-31")
    assert body["sha256"] == digest_of(body["token"]).hex()
    assert body["in_force"] is True
    assert (body["role"], body["indexes"], body["expires_at"]) == ("reader", ["root"], "2030-01-31T00:00:00+00:00")


async def test_an_entry_for_the_configuration_makes_replicas_agree(tmp_path: Path) -> None:
    here = desk(tmp_path)
    wanted = ("token", "create", "ci", "--index", "root", "--expires", "2030-01-31", "--print-config")
    result = await asyncio.to_thread(here.run, *wanted)
    assert result.exit_code == 0
    secret = result.stderr.splitlines()[-1]
    assert is_well_formed(secret)
    assert not (tmp_path / "data").exists()
    place = tmp_path / "replica"
    place.mkdir()
    async with SimIndex() as index, inbond(place, index, more=GRANTED + result.stdout) as proxy:
        index.add_wheel("demo", "1.0", upload_time=LONG_AGO)
        assert (await proxy.get("/simple/demo/", Authorization=basic(secret)))[0] == 200
        beside = Desk(place)
        assert "configuration" in await beside.beside("token", "list")
        told = await beside.beside("token", "revoke", id_of(digest_of(secret)), code=1)
        assert "stands in the configuration" in told


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("ci",), "a token is for some indexes"),
        (("ci", "--index", "rot"), "--index: there is no index 'rot'; did you mean 'root'?"),
        (("ci", "--index", "root", "--all-indexes"), "--index and --all-indexes exclude each other"),
        (("ci", "--index", "root", "--expires", "soon"), "--expires: 'soon' is no time"),
        (("ci", "--index", "root", "--expires", "2020-01-01"), "--expires: '2020-01-01' is past"),
        ((" ci", "--index", "root"), "NAME: ' ci' is no name"),
    ],
)
def test_what_cannot_be_meant_makes_no_token(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    here = desk(tmp_path)
    assert said in here.told("token", "create", *arguments, code=2)
    assert here.told("token", "list") == "no tokens\n"
    assert here.told("token", "revoke", "t-0123456789ab", code=1).startswith("inbond: there is no ledger")

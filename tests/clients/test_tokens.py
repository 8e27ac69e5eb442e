"""The page of tokens: what it shows is what the runs set, and one way is run with the uv of this environment."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from clients.client import Client
from clients.environments import TOP
from clients.families import CLIENTS, Uv
from clients.token_ways import WAYS, Way
from clients.tokens import BEGIN, END, VERSION, WITHOUT, WRONG, Done, run_ways
from tools import tool


class UvHere(Uv):
    """The uv of this environment instead of one made for the matrix."""

    __slots__ = ()

    @property
    def env(self) -> Path:
        return Path(sys.executable).parent.parent


class WayHere(Way):
    """A way of that uv."""

    __slots__ = ()

    @property
    def of(self) -> Client:
        return UvHere(name="uv-newest", label="uv")


def test_the_page_shows_every_way_and_what_each_client_says() -> None:
    part = (TOP / "docs" / "access.md").read_text().partition(BEGIN)[2].partition(END)[0]
    for way in WAYS:
        assert f"| {way.of.distribution} {way.of.version} | {way.name} | {way.shown()} |" in part
    for way in {way.client: way for way in WAYS}.values():
        for name in (WITHOUT, WRONG):
            assert f"# {way.of.distribution} {way.of.version}, {name}\n" in part


def test_ways_name_clients_that_there_are_and_show_no_token() -> None:
    assert {way.client for way in WAYS} <= {client.name for client in CLIENTS}
    for way in WAYS:
        assert "{" not in way.shown().replace("[[tool", "")
        assert "TOKEN" in way.shown() or way.name == "keyring"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["WARNING: 401 Error, wrong", "ERROR: No matching"], "WARNING: 401 Error, wrong"),
        (["ERROR: Could not find a version", "ERROR: No matching distribution"], "ERROR: No matching distribution"),
        (["x", "  hint: An index URL could not be queried", "   due to (401 Unauthorized)."],
         "hint: An index URL could not be queried due to (401 Unauthorized)."),
        (["Authorization error accessing http://127.0.0.1:8642/"], "Authorization error accessing http://inbond.example/"),
        (["nothing that is known"], "nothing that is known"),
    ],
)  # fmt: skip
def test_what_a_client_says_of_not_being_let_in_is_found(lines: list[str], said: str) -> None:
    assert Done(way=WAYS[0], version=None, code=1, lines=lines).said == said


async def test_a_way_installs_with_the_token_alone(tmp_path: Path) -> None:
    tool("uv")
    way = WayHere(
        client="uv-newest", name="environment", install=("uv", "pip", "install", "demo"),
        variables={"UV_DEFAULT_INDEX": "{signed}"},
    )  # fmt: skip
    right, without, wrong = await run_ways([way], tmp_path)
    assert (right.installed, right.version) == (True, VERSION)
    assert not without.installed
    assert not wrong.installed
    assert "401" in without.said
    assert "401" in wrong.said

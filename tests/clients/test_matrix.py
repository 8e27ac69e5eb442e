"""The pure parts of the client matrix, and one cell of it with the uv of this environment."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from clients.cases import CASES, OTHERWISE, Stopped, Took, expected
from clients.client import Wish
from clients.families import CLIENTS, Uv
from clients.matrix import Cell, Ground, cells, flat, locked, run_cell
from clients.page import key_line, sections
from clients.shop import CONFIG, POLICIES, stock
from clients.terminal import tidy
from clients.upload import SENTENCE
from ports import free_port
from sim.index import SimIndex
from stack import inbond
from tools import tool

TOP = Path(__file__).parent.parent.parent
ORIGIN = "http://127.0.0.1:43210"


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        (f"from {ORIGIN}/simple/demo/", "from http://127.0.0.1:8642/simple/demo/"),
        (f"{ORIGIN}/packages/aa/bb/cc/demo-2.0.tar.gz:", "http://127.0.0.1:8642/packages/…/demo-2.0.tar.gz:"),
        ("http://127.0.0.1:5/simple/", "http://index.example/simple/"),
        ("Resolved 1 package in 12ms  ", "Resolved 1 package in …"),
        ("held until 2031-01-02 03:04 UTC", "held until 2026-11-21 09:00 UTC"),
        ("-r /place/home/tmp/x-1234/reqs.txt (line 1)", "-r ~/tmp/… (line 1)"),
        ("/place/home/app/.venv", "~/app/.venv"),
        ("\x1b[31mERROR\x1b[0m HTTPError", "ERROR HTTPError"),
    ],
)
def test_what_differs_from_run_to_run_is_made_uniform(printed: str, shown: str) -> None:
    places = {Path("/place/home/app"): "~/app", Path("/place/home"): "~"}
    assert tidy(printed, origin=ORIGIN, places=places) == shown


def test_the_line_that_says_why_is_kept_and_else_the_last() -> None:
    assert key_line(["Collecting demo", "  403 Blocked by policy: denied", "done"]) == "403 Blocked by policy: denied"
    assert key_line(["Collecting demo", "ERROR: no"]) == "ERROR: no"
    assert key_line([]) == "(nothing)"


def test_frames_and_line_breaks_do_not_hide_a_reason() -> None:
    assert "blocked by policy: demo" in flat("│ Blocked by │\n│ policy: demo │")


@pytest.mark.parametrize(
    ("client", "lock"),
    [
        ("uv-newest", '[[package]]\nname = "demo"\nversion = "2.0"\n'),
        ("pip-tools", "demo==2.0 \\\n    --hash=sha256:00\n"),
        ("pipenv", '{"default": {"demo": {"hashes": ["sha256:00"], "version": "==2.0"}}}'),
        ("pdm", '[[package]]\nname = "demo"\nversion = "2.0"\nfiles = []\n'),
    ],
)
def test_the_locked_version_is_read_from_every_kind_of_lock(client: str, lock: str, tmp_path: Path) -> None:
    chosen = next(one for one in CLIENTS if one.name == client)
    (tmp_path / chosen.lock_files[0]).write_text(lock)
    assert locked(Cell(client=chosen, case=CASES[0], policy="allowed"), tmp_path) == "2.0"


def test_exceptions_name_cells_that_are_run_and_differ_from_the_rule() -> None:
    run = {(cell.client.name, cell.case.name, cell.policy): cell for name in POLICIES for cell in cells(CLIENTS, name)}
    for key, outcome in OTHERWISE.items():
        assert run[key].case.expected[key[2]] != outcome


def test_the_page_has_a_column_and_a_set_up_for_every_client() -> None:
    parts = sections((TOP / "docs" / "clients.md").read_text())
    assert all(f"| {client.label} |" in parts["Outcomes"] for client in CLIENTS)
    assert all(f"| {client.distribution} | {client.version} |" in parts["Set-up"] for client in CLIENTS)
    assert SENTENCE in parts["Uploads"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UvHere(Uv):
    """The uv of this environment instead of one made for the matrix."""

    @property
    def env(self) -> Path:
        return Path(sys.executable).parent.parent


@pytest.mark.parametrize("policy", ["allowed", "denied"])
async def test_a_cell_comes_out_as_the_table_says(policy: str, tmp_path: Path) -> None:
    tool("uv")
    case = next(case for case in CASES if case.name == "install, pinned")
    assert case.wish == Wish(requirement="demo==2.0")
    client = UvHere(name="uv-newest", label="uv")
    async with SimIndex() as index:
        shop = stock(index)
        config = CONFIG.format(port=free_port())
        async with inbond(tmp_path, index, config=config, more=POLICIES[policy]) as proxy:
            ground = Ground(scratch=tmp_path, locks=tmp_path / "locks", origin=proxy.origin, shop=shop)
            result = await asyncio.to_thread(run_cell, Cell(client=client, case=case, policy=policy), ground)
    assert result.outcome == expected("uv-newest", case, policy)
    assert isinstance(result.outcome, Took if policy == "allowed" else Stopped)

"""The socket by which a command reaches the server: whose it is, and what becomes of it."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from pathlib import Path

import pytest
from platformdirs import user_data_path
from structlog.testing import capture_logs

from inbond.cli import control
from inbond.cli.control import NAME, ask_to_reload, controlled
from inbond.cli.options import GivenOptions
from inbond.cli.reload_changes import Changes
from inbond.cli.reload_command import _ledger_dir
from inbond.cli.reload_outcome import Outcome
from inbond.model.errors import OperatorFault


async def unchanged(by: str) -> Outcome:
    return Outcome.of(by, Changes())


async def test_a_command_is_answered_with_what_came_of_it_and_who_asked(tmp_path: Path) -> None:
    async with controlled(tmp_path, unchanged):
        assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o600
        outcome = await ask_to_reload(tmp_path)
    assert outcome is not None
    assert (outcome.outcome, outcome.by) == ("unchanged", Path("~").expanduser().owner())
    assert not (tmp_path / NAME).exists()


async def test_where_there_is_no_server_nothing_is_asked(tmp_path: Path) -> None:
    assert await ask_to_reload(tmp_path) is None
    assert await ask_to_reload(tmp_path / "gone") is None


async def test_the_socket_of_a_server_that_died_is_taken_over(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / NAME))
    assert await ask_to_reload(tmp_path) is None
    async with controlled(tmp_path, unchanged):
        assert await ask_to_reload(tmp_path) is not None


async def test_a_second_server_leaves_the_first_one_its_socket(tmp_path: Path) -> None:
    async with controlled(tmp_path, unchanged):
        with capture_logs() as logged:
            async with controlled(tmp_path, unchanged):
                pass
        assert "another inbond serves this ledger" in logged[0]["event"]
        assert await ask_to_reload(tmp_path) is not None


async def test_a_long_path_is_reached_as_well(tmp_path: Path) -> None:
    place = tmp_path / ("x" * 100)
    place.mkdir()
    async with controlled(place, unchanged):
        assert await ask_to_reload(place) is not None


async def test_where_no_socket_can_be_made_it_is_said_and_serving_goes_on(tmp_path: Path) -> None:
    with capture_logs() as logged:
        async with controlled(tmp_path / "gone", unchanged):
            pass
    assert "a signal can" in logged[0]["event"]


async def test_another_user_is_not_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with controlled(tmp_path, unchanged):
        monkeypatch.setattr(control, "_permitted", lambda _uid: False)
        with pytest.raises(OperatorFault, match="did not say what came of it"):
            await ask_to_reload(tmp_path)


@pytest.mark.parametrize("line", [b"", b"{\n", b'{"want": "more"}\n'])
async def test_what_is_no_question_is_not_answered(tmp_path: Path, line: bytes) -> None:
    async with controlled(tmp_path, unchanged):
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / NAME))
        writer.write(line)
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()


async def test_the_umask_of_all_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = os.umask(0)
    changed: list[int] = []
    try:
        monkeypatch.setattr(os, "umask", changed.append)
        async with controlled(tmp_path, unchanged):
            assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o600
    finally:
        monkeypatch.undo()
        os.umask(before)
    assert changed == []


@pytest.mark.parametrize("where", ["flag", "short", "long", "file", "nowhere"])
def test_a_server_is_found_also_by_a_broken_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    file = tmp_path / "inbond.toml"
    file.write_text(f'nonsense = 1\n[storage]\npath = "{tmp_path}/filed"\n' if where == "file" else "nonsense = 1\n")
    monkeypatch.setenv("INBOND_CONFIG", str(file))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    expected = tmp_path / "filed" / "ledger" if where == "file" else tmp_path / "named" / "ledger"
    match where:
        case "short":
            monkeypatch.setenv("INBOND_DATA", str(tmp_path / "named"))
        case "long":
            monkeypatch.setenv("INBOND_STORAGE__PATH", str(tmp_path / "named"))
        case "nowhere":
            expected = user_data_path("inbond")
        case _:
            pass
    overrides = {"data": str(tmp_path / "named")} if where == "flag" else {}
    assert _ledger_dir(GivenOptions(file=None, overrides=overrides)) == expected

"""A ledger on a network file system: told by `config check`, refused at start, and taken where the operator says so."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from inbond.cli.main import cli
from inbond.model.errors import OperatorFault
from inbond.store import mounts
from sim.index import SimIndex
from stack import inbond


@pytest.fixture
def on_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory that is NFS."""
    mounted = f"1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:9 / {tmp_path}/data rw shared:1 - nfs4 files.example:/a rw\n"
    (tmp_path / "mountinfo").write_text(mounted)
    monkeypatch.setattr(mounts, "MOUNTS", tmp_path / "mountinfo")
    return tmp_path


def checked(place: Path, **environ: str) -> list[str]:
    result = CliRunner().invoke(cli, ["config", "check", "--data", str(place / "data")], env=environ)
    assert result.exit_code == 0
    return result.stderr.splitlines()


def test_config_check_names_what_lies_there(on_network: Path) -> None:
    warned = checked(on_network)
    mount = f"is on a network file system (nfs4 of files.example:/a at {on_network}/data)"
    slow = "it is slow there, and no other machine's inbond may use the same"
    assert warned == [
        f"warning: {on_network}/data/ledger {mount}, and holds the ledger: inbond does not start",
        f"warning: {on_network}/data/cache {mount}, and holds the cache: {slow}",
        f"warning: {on_network}/data/mirror {mount}, and holds imported files: {slow}",
    ]
    (told, *_) = checked(on_network, INBOND_STORAGE__NETWORK_FILE_SYSTEM="warn")
    assert told.endswith("the ledger: SQLite may lose what it confirmed")
    assert checked(on_network / "elsewhere") == []


async def test_a_ledger_there_is_refused_at_start_unless_the_operator_takes_it(on_network: Path) -> None:
    async with SimIndex() as index:
        with pytest.raises(OperatorFault, match="lies on a network file system"):
            async with inbond(on_network, index):
                pass
        assert not (on_network / "data").exists()
        async with inbond(on_network, index, environ={"INBOND_STORAGE__NETWORK_FILE_SYSTEM": "warn"}) as proxy:
            assert (await proxy.get("/-/ready"))[0] == 200


WAIVE = ("waive", "add", "flask==3.1.0", "--rule", "cooldown", "--until", "9d", "--reason", "known")
WARN = {"INBOND_STORAGE__NETWORK_FILE_SYSTEM": "warn"}


@pytest.mark.parametrize("command", [WAIVE, ("waive", "list"), ("bundle", "list")])
def test_a_command_refuses_it_as_the_server_does(on_network: Path, command: tuple[str, ...]) -> None:
    data = ("--data", str(on_network / "data"))
    for taken in (WAIVE, command):
        assert CliRunner().invoke(cli, [*taken, *data], env=WARN).exit_code == 0
    refused = CliRunner().invoke(cli, [*command, *data])
    assert isinstance(refused.exception, OperatorFault) or refused.exit_code == 2
    assert "lies on a network file system" in f"{refused.exception}{refused.stderr}"

"""Several workers: started, started again, given up and stopped; each here a script that only says it serves."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from structlog.testing import capture_logs

from e2e.service import plain_environment
from inbond.cli import worker_process, workers
from inbond.cli.config import Config, load_config, settings_of
from inbond.cli.hang_ups import HangUps
from inbond.cli.leader import candidate
from inbond.cli.listening import bound
from inbond.cli.main import cli
from inbond.cli.options import GivenOptions
from inbond.cli.reload_changes import digest_of
from inbond.cli.reload_source import Source
from inbond.cli.worker import serve_as_worker
from inbond.cli.worker_place import OPTION, Serving, WorkerPlace, release, require_same
from inbond.cli.workers import Pauses, serve_by_workers
from inbond.cli.workers_directory import workers_directory
from inbond.gateway.verifier_spare import Spare
from inbond.model.errors import OperatorFault, StoreUnavailable
from inbond.web.settings import ListenAddress

# What a worker does besides is written in the file `does`, by its number; each start is noted in `starts`.
SCRIPT = """
import json, os, signal, socket, sys, time
home, option, place = sys.argv[1:]
place = json.loads(place)
number = place["number"]
with open(home + "/starts", "a") as file:
    file.write(f"{number} {os.getpid()}\\n")
does = open(f"{home}/does").read() if os.path.exists(f"{home}/does") else ""
if does == "fail" or does == f"fail {number}":
    sys.exit(3)
if does in ("explain", "hang up"):
    socket.socket(fileno=place["line"]).close()
    if does == "hang up":
        signal.pause()
    time.sleep(0.2)
    open(home + "/explained", "w").close()
    sys.exit(3)
if does == "stay":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
line = socket.socket(fileno=place["line"])
said = json.dumps({"announcement": f"serving {place['count']}"})
line.sendall(("{" if does == "mumble" else said).encode() + b"\\n")
line.recv(1)
"""
QUICK = Pauses(first=0.01, longest=0.02, settled=0.0)


class Home:
    """Where the script's workers note what they do."""

    def __init__(self, place: Path) -> None:
        self.place = place
        (place / "script.py").write_text(SCRIPT)

    @property
    def command(self) -> tuple[str, ...]:
        return (sys.executable, "-I", "-S", str(self.place / "script.py"))

    def config(self, count: int = 2) -> Config:
        found = load_config(file=None, overrides={"data": str(self.place / "data")}, environ={})
        return replace(
            found, server=replace(found.server, listen=ListenAddress(host="127.0.0.1", port=0), workers=count)
        )

    @property
    def read(self) -> dict[str, Any]:
        """What was read of the configuration: there is no file."""
        source = Source(file=None, overrides={"data": str(self.place / "data")}, environ={})
        return {"source": source, "raw": None, "loaded": source.load(None), "hang_ups": HangUps()}

    def does(self, what: str) -> None:
        (self.place / "does").write_text(what)

    @property
    def starts(self) -> list[tuple[int, int]]:
        """The number and the process of each start."""
        with suppress(FileNotFoundError):
            lines = (self.place / "starts").read_text().splitlines()
            return [(int(number), int(process)) for number, process in (line.split() for line in lines)]
        return []

    async def serve(self, count: int = 2) -> None:
        read, arguments = self.read, [str(self.place)]
        await serve_by_workers(self.config(count), arguments, **read, command=self.command, pauses=QUICK)

    @asynccontextmanager
    async def serving(self, capsys: pytest.CaptureFixture[str], count: int = 2) -> AsyncIterator[asyncio.Task[None]]:
        """In the background, once it has said so; stopped as a terminal does it."""
        task = asyncio.create_task(self.serve(count))
        said = ""
        while f"serving {count}\n" not in said:
            if task.done():
                task.result()
            await asyncio.sleep(0.01)
            said += capsys.readouterr().out
        yield task
        if not task.done():
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.wait_for(task, 30)


async def until(done: object) -> None:
    assert callable(done)
    async with asyncio.timeout(30):
        while not done():
            await asyncio.sleep(0.01)


async def test_the_first_starts_alone_and_all_are_stopped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = Home(tmp_path)
    async with home.serving(capsys, 3):
        assert next(number for number, _ in home.starts) == 1
        assert sorted(number for number, _ in home.starts) == [1, 2, 3]
    for _, process in home.starts:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)
    assert list((tmp_path / "data" / "ledger" / "workers").iterdir()) == []


async def test_one_that_ends_is_started_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = Home(tmp_path)
    async with home.serving(capsys):
        with capture_logs() as logged:
            os.kill(dict(home.starts)[2], signal.SIGKILL)
            await until(lambda: [number for number, _ in home.starts].count(2) == 2)
        assert any("is started again" in line["event"] for line in logged)
        assert [number for number, _ in home.starts].count(1) == 1


async def test_one_that_cannot_start_at_all_stops_the_others(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.does("fail 2")
    with pytest.raises(OperatorFault, match=r"worker 2 of 2 cannot start \(exit code 3\)"):
        await home.serve()


async def test_one_that_says_nothing_of_use_is_ended(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.does("mumble")
    with pytest.raises(OperatorFault, match=r"worker 1 of 2 cannot start \(SIGKILL\)"):
        await home.serve()


async def test_one_that_hangs_up_may_say_first_why_it_cannot_start(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.does("explain")
    with pytest.raises(OperatorFault, match=r"worker 1 of 2 cannot start \(exit code 3\)"):
        await home.serve()
    assert (tmp_path / "explained").exists()


async def test_one_that_hangs_up_and_stays_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_process, "LAST_WORDS", 0.05)
    home = Home(tmp_path)
    home.does("hang up")
    with pytest.raises(OperatorFault, match=r"worker 1 of 2 cannot start \(SIGKILL\)"):
        await home.serve()


async def test_where_nobody_serves_any_more_it_gives_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = Home(tmp_path)
    async with home.serving(capsys) as task:
        home.does("fail")
        os.kill(dict(home.starts)[1], signal.SIGKILL)
        os.kill(dict(home.starts)[2], signal.SIGKILL)
        with pytest.raises(OperatorFault, match="no worker serves any more"):
            await asyncio.wait_for(task, 30)


async def test_as_long_as_one_serves_the_others_are_tried_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = Home(tmp_path)
    async with home.serving(capsys):
        home.does("fail 2")
        os.kill(dict(home.starts)[2], signal.SIGKILL)
        await until(lambda: len(home.starts) > 2 + workers.FAILED_STARTS)
        home.does("")
        tried = len(home.starts)
        await until(lambda: len(home.starts) > tried)


@pytest.mark.parametrize("refused", ["socketpair", "open_connection"])
async def test_one_is_started_again_once_the_system_allows_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    home = Home(tmp_path)
    async with home.serving(capsys):

        def refuse(*_arguments: object, **_named: object) -> None:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

        with monkeypatch.context() as full, capture_logs() as logged:
            full.setattr(socket if refused == "socketpair" else asyncio, refused, refuse)
            os.kill(dict(home.starts)[2], signal.SIGKILL)
            await until(lambda: any("worker 2 cannot be started: [Errno 24]" in line["event"] for line in logged))
        tried = len(home.starts)
        await until(lambda: len(home.starts) > tried)


async def test_what_nobody_foresaw_ends_all_instead_of_the_keeping_of_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_arguments: object) -> None:
        raise LookupError("unforeseen")

    home = Home(tmp_path)
    async with home.serving(capsys) as task:
        monkeypatch.setattr(worker_process.WorkerProcess, "start", refuse)
        os.kill(dict(home.starts)[2], signal.SIGKILL)
        with pytest.raises(LookupError, match="unforeseen"):
            await asyncio.wait_for(task, 30)


async def test_the_cache_may_be_deleted_under_workers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = Home(tmp_path)
    async with home.serving(capsys):
        place = next((tmp_path / "data" / "ledger" / "workers").iterdir())
        assert not (tmp_path / "data" / "cache").exists()
        assert place.stat().st_mode & 0o777 == 0o700


async def test_those_that_do_not_stop_are_ended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "STOP_SECONDS", 0.1)
    monkeypatch.setattr(workers, "SPARE_SECONDS", 0.0)
    home = Home(tmp_path)
    home.does("stay")
    with capture_logs() as logged:
        async with home.serving(capsys):
            pass
    assert any(line["event"] == "workers that do not stop are ended" for line in logged)


async def test_a_command_that_is_not_there_is_told(tmp_path: Path) -> None:
    config = Home(tmp_path).config()
    with pytest.raises(OperatorFault, match="worker 1 cannot be started"):
        await serve_by_workers(config, [], **Home(tmp_path).read, command=[str(tmp_path / "gone")])


def test_pauses_grow_to_a_bound() -> None:
    pauses = Pauses()
    assert [pauses.after(failures) for failures in (0, 1, 2, 100)] == [0.1, 0.2, 0.4, 30.0]


# --- what they share


def test_a_dead_servers_directory_is_swept_and_a_living_ones_is_not(tmp_path: Path) -> None:
    (tmp_path / "workers" / "dead").mkdir(parents=True)
    (tmp_path / "workers" / "stray").write_text("")
    with workers_directory(tmp_path) as first:
        (first / "1").write_text("")
        with workers_directory(tmp_path) as second:
            assert {entry.name for entry in (tmp_path / "workers").iterdir()} == {first.name, second.name, "stray"}
    assert [entry.name for entry in (tmp_path / "workers").iterdir()] == ["stray"]


def test_where_no_directory_can_be_made_it_is_told(tmp_path: Path) -> None:
    (tmp_path / "workers").write_text("")
    with pytest.raises(StoreUnavailable, match="a directory for the workers"), workers_directory(tmp_path):
        pass


def test_an_address_that_is_taken_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OperatorFault, match="the port is in use"):
            bound(ListenAddress(host="127.0.0.1", port=taken.getsockname()[1]))
    with pytest.raises(OperatorFault, match="no such address"):
        bound(ListenAddress(host="192.0.2.1", port=0))


def test_all_addresses_of_a_name_are_listened_on() -> None:
    sockets = bound(ListenAddress(host="::1", port=0)) if socket.has_ipv6 else []
    for one in sockets:
        assert one.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1
        one.close()


async def test_another_leads_when_the_one_that_did_has_ended(tmp_path: Path) -> None:
    async with candidate(tmp_path, look_every=0.01) as second_first:
        assert second_first()
        async with candidate(tmp_path, look_every=0.01) as waiting:
            assert not waiting()
    async with candidate(tmp_path) as first, candidate(tmp_path, look_every=0.01) as second:
        assert (first(), second()) == (True, False)


async def test_who_waits_takes_over(tmp_path: Path) -> None:
    leaving = candidate(tmp_path)
    await leaving.__aenter__()
    async with candidate(tmp_path, look_every=0.01) as second:
        await leaving.__aexit__(None, None, None)
        await asyncio.wait_for(second.begun(), 60)
        assert second()


# --- one worker


def place_of(tmp_path: Path, sockets: list[int], line: int) -> WorkerPlace:
    return WorkerPlace(
        number=1, count=1, directory=str(tmp_path), sockets=sockets, line=line, fingerprint="", release=release()
    )


async def test_a_worker_serves_on_the_socket_that_it_is_given_and_ends_with_its_supervisor(tmp_path: Path) -> None:
    environ = {name: value for name, value in plain_environment(tmp_path).items() if name.startswith("INBOND_")}
    overrides = {"data": str(tmp_path / "data"), "upstream": "http://127.0.0.1:9/simple/", "policy": "default"}
    source = Source(file=None, overrides=overrides, environ=environ)
    loaded = source.load(None)
    (listening,) = bound(ListenAddress(host="127.0.0.1", port=0))
    port = listening.getsockname()[1]
    own, other = socket.socketpair()
    place = place_of(tmp_path, [listening.detach()], other.detach())
    task = asyncio.create_task(serve_as_worker(settings_of(loaded), place, Spare(), source, loaded))
    reader, writer = await asyncio.open_connection(sock=own)
    said = json.loads(await asyncio.wait_for(reader.readline(), 60))["announcement"]
    assert f"http://127.0.0.1:{port}/simple/" in said
    asked, asking = await asyncio.open_connection("127.0.0.1", port)
    asking.write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert b"inbond_workers 1.0" in await asked.read()
    asking.close()
    writer.close()
    await asyncio.wait_for(task, 60)


def test_a_worker_does_not_start_by_another_configuration_than_the_others(tmp_path: Path) -> None:
    file = tmp_path / "inbond.toml"
    file.write_text("")
    source = Source(file=file, overrides={}, environ={})
    before = digest_of(source.load(None))
    assert digest_of(source.load(b"")) == before
    file.write_text("[server]\nworkers = 2\n")
    assert digest_of(source.load(None)) == digest_of(source.load(source.raw())) != before
    with pytest.raises(OperatorFault, match="the configuration was changed since the others did"):
        require_same(place_of(tmp_path, [], 0), before)


def test_a_worker_of_another_release_does_not_start_beside_the_others(tmp_path: Path) -> None:
    place = place_of(tmp_path, [], 0)
    require_same(place, "")
    for other in ("", "0.0.1, schema 1"):
        with pytest.raises(OperatorFault, match="another release was installed since the others did"):
            require_same(msgspec.structs.replace(place, release=other), "")


def test_the_hidden_option_is_for_inbond_alone() -> None:
    answer = CliRunner().invoke(cli, ["serve", OPTION, "{}"])
    assert answer.exit_code == 2
    assert "it is inbond's own" in answer.output
    assert OPTION not in CliRunner().invoke(cli, ["serve", "--help"]).output


def test_the_command_starts_workers_where_they_are_configured(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        env = {"INBOND_SERVER__WORKERS": "2"}
        answer = CliRunner().invoke(cli, ["serve", "--listen", listen, "--data", str(tmp_path), "--verbose"], env=env)
    assert isinstance(answer.exception, OperatorFault)
    assert answer.exception.message == f"cannot listen on {listen}: the port is in use"


def test_the_command_refuses_to_be_a_worker_of_another_configuration(tmp_path: Path) -> None:
    place = WorkerPlace(
        number=1, count=2, directory=str(tmp_path), sockets=[], line=0, fingerprint="another", release=release()
    )
    answer = CliRunner().invoke(cli, ["serve", "--data", str(tmp_path), OPTION, place.written()])
    assert isinstance(answer.exception, OperatorFault)
    assert "worker 1 does not start" in answer.exception.message


def test_flags_are_given_on_to_the_workers() -> None:
    given = GivenOptions(file=Path("x.toml"), overrides={"listen": "127.0.0.1:0", "audit": True})
    assert given.arguments() == ["--config", "x.toml", "--listen", "127.0.0.1:0", "--audit"]
    assert GivenOptions(file=None, overrides={}).arguments() == []


async def test_a_worker_that_is_started_while_all_are_stopped_is_stopped_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = Home(tmp_path)
    async with home.serving(capsys):
        os.kill(dict(home.starts)[2], signal.SIGKILL)
    for _, process in home.starts:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


async def test_starts_that_a_reload_ends_are_not_counted_as_failed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home, ready = Home(tmp_path), worker_process.WorkerProcess.ready
    ended: list[int] = []

    async def superseded(worker: worker_process.WorkerProcess, within: float = 60.0) -> Serving | None:
        if len(ended) < 2 * workers.FAILED_STARTS:
            ended.append(1)
            worker.supersede()
        return await ready(worker, within)

    async with home.serving(capsys, 1) as task:
        monkeypatch.setattr(worker_process.WorkerProcess, "ready", superseded)
        os.kill(home.starts[0][1], signal.SIGKILL)
        await until(lambda: task.done() or len(ended) >= 2 * workers.FAILED_STARTS)
        assert not task.done()

"""All workers or none: what they say to a configuration, and what is made of it."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import signal
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.request import urlopen

import pytest
from structlog.testing import capture_logs

from e2e.service import plain_environment
from inbond.cli.config import Loaded
from inbond.cli.hang_ups import HangUps
from inbond.cli.reload_changes import Changes
from inbond.cli.reload_signal import reloading_by_signal
from inbond.cli.reload_source import Source
from inbond.cli.worker_place import WorkerPlace
from inbond.cli.worker_process import WorkerProcess
from inbond.cli.worker_steps import Answer, CannotSwitch, CanSwitch, Done
from inbond.cli.workers_reload import WorkersConfiguration, WorkersReload, _agreed
from inbond.model.errors import OperatorFault

READY = CanSwitch("one", Changes())


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({1: READY, 2: CannotSwitch("its lock is gone", None)}, "worker 2: its lock is gone"),
        ({1: READY, 2: CanSwitch("other", Changes())}, "have not read the same"),
        ({1: READY, 2: None}, "worker 2 has not answered"),
        ({1: READY, 2: Done()}, "worker 2 has not answered"),
        ({}, "no worker serves just now"),
    ],
)
def test_where_one_cannot_none_does(answers: Mapping[int, Answer | None], said: str) -> None:
    with pytest.raises(OperatorFault, match=said):
        _agreed(answers)


def test_all_that_have_read_the_same_may_switch() -> None:
    assert _agreed({1: READY, 2: READY}) is READY


class Nobody:
    """No workers at all."""

    serving_now: Mapping[int, WorkerProcess] = {}
    starting_now: Mapping[int, WorkerProcess] = {}


async def test_what_was_refused_is_not_what_workers_are_started_by(tmp_path: Path) -> None:
    file = tmp_path / "inbond.toml"
    file.write_text("[server]\nworkers = 2\n")
    source = Source(file=file, overrides={}, environ={})
    raw = source.raw()
    configuration = WorkersConfiguration(tmp_path, source, raw, source.load(raw))
    before = configuration.fingerprint, configuration.path
    for text in ("[server", "[server]\nworkers = 2\nlisten = '127.0.0.1:1'\n", '[policies.default]\ndeny = ["a"]\n'):
        file.write_text(text)
        assert (await WorkersReload(configuration, Nobody()).reload("ada")).is_refused
        assert (configuration.fingerprint, configuration.path) == before
    assert Path(configuration.path).read_bytes() == raw
    assert Path(configuration.path).stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith("configuration-")] == [
        Path(configuration.path).name
    ]


@pytest.mark.parametrize("before", [(), ("nohup",)])
def test_the_end_of_the_terminal_stops_and_does_not_reload_but_under_nohup(
    tmp_path: Path, before: tuple[str, ...]
) -> None:
    ours, theirs = pty.openpty()

    def take_terminal() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    log = tmp_path / "serve.log"
    command = ["serve", "--listen", "127.0.0.1:0", "--upstream", "http://127.0.0.1:9/simple/"]
    with log.open("w") as errors:
        process = subprocess.Popen(
            [*before, sys.executable, "-m", "inbond", *command, "--data", str(tmp_path / "data")],
            stdin=theirs, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True,
            preexec_fn=take_terminal,  # noqa: PLW1509 (this process has no other threads that matter here)
            env=plain_environment(tmp_path),
        )  # fmt: skip
    os.close(theirs)
    assert process.stdout is not None
    with process.stdout as said:
        assert any("uv pip install" in line for line in said), log.read_text()
        os.close(ours)
        if before:
            said_in(log, "the configuration was reloaded: nothing differs")  # it came, and serving goes on
            assert "stopping" not in log.read_text()
            process.terminate()
        assert process.wait(60) == 0
    assert "stopping" in log.read_text()
    assert ("reloaded" in log.read_text()) == bool(before)


def said_in(log: Path, text: str) -> None:
    """Waits until it stands in a log."""
    until = time.monotonic() + 60
    while text not in log.read_text():
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.02)


def heeds_hang_ups(process: int) -> bool:
    """Whether it has said what a SIGHUP is to do."""
    (caught,) = (line for line in Path(f"/proc/{process}/status").read_text().splitlines() if "SigCgt" in line)
    return bool(int(caught.split()[1], 16) & 1 << signal.SIGHUP - 1)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_signal_that_comes_while_inbond_starts_reloads_then_and_one_while_it_stops_ends_nothing(
    tmp_path: Path, workers: int
) -> None:
    file, log = tmp_path / "inbond.toml", tmp_path / "serve.log"
    file.write_text(f'[server]\nworkers = {workers}\n[upstreams.pypi]\nurl = "http://127.0.0.1:9/simple/"\n')
    command = ["serve", "--config", str(file), "--listen", "127.0.0.1:0", "--data", str(tmp_path / "data")]
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "inbond", *command],
            stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True, env=plain_environment(tmp_path),
        )  # fmt: skip
    while not heeds_hang_ups(process.pid):
        assert process.poll() is None
    process.send_signal(signal.SIGHUP)
    assert process.stdout is not None
    with process.stdout as said:
        (address,) = {line.split()[0] for line in said_until(said, "uv pip install") if "/simple/  <-" in line}
        said_in(log, "the configuration was reloaded")
        with socket.create_connection(("127.0.0.1", int(address.split(":")[2].split("/")[0]))) as client:
            client.sendall(b"POST /-/osv/v1/query HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{")
            urlopen(address.replace("/simple/", "/-/live")).close()  # what came before it is being answered now
            process.terminate()
            said_in(log, "stopping")
            process.send_signal(signal.SIGHUP)
        assert process.wait(60) == 0
    assert log.read_text().count("the configuration was reloaded") == 1


def said_until(said: Iterable[str], last: str) -> Iterator[str]:
    """What it says up to a line that holds this."""
    for line in said:
        yield line
        if last in line:
            return
    pytest.fail("it has not said that it serves")


async def test_where_nobody_serves_nobody_who_starts_is_ended(tmp_path: Path) -> None:
    def place(line: int) -> WorkerPlace:
        return WorkerPlace(number=1, count=1, directory="", sockets=[], line=line, fingerprint="")

    worker = await WorkerProcess.start([], place, (sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)"))

    class Starting:
        serving_now: Mapping[int, WorkerProcess] = {}
        starting_now: Mapping[int, WorkerProcess] = {1: worker}

    file = tmp_path / "inbond.toml"
    file.write_text("[server]\nworkers = 2\n")
    source = Source(file=file, overrides={}, environ={})
    raw = source.raw()
    configuration = WorkersConfiguration(tmp_path, source, raw, source.load(raw))
    file.write_text('[server]\nworkers = 2\n[policies.default]\ndeny = ["a"]\n')
    outcome = await WorkersReload(configuration, Starting()).reload("ada")
    assert "no worker serves just now" in (outcome.reason or "")
    assert not worker.is_superseded
    worker.stop()
    assert await worker.ended() == "SIGTERM"  # by us, and by nobody before


async def test_what_nobody_foresaw_is_refused_and_the_next_signal_is_heard(tmp_path: Path) -> None:
    class Failing(Source):
        def load(self, raw: bytes | None) -> Loaded:
            raise ZeroDivisionError

    good = Source(file=None, overrides={}, environ={})
    configuration = WorkersConfiguration(tmp_path, Failing(file=None, overrides={}, environ={}), None, good.load(None))
    outcome = await WorkersReload(configuration, Nobody()).reload("ada")
    assert "inbond failed over the new configuration: ZeroDivisionError()" in (outcome.reason or "")

    asked: list[str] = []

    async def reload(by: str) -> None:
        asked.append(by)
        raise ZeroDivisionError

    hang_ups = HangUps()
    with capture_logs() as logged:
        async with reloading_by_signal(hang_ups, reload, asyncio.Event()):
            for count in (1, 2):
                os.kill(os.getpid(), signal.SIGHUP)
                async with asyncio.timeout(30):
                    while len(asked) < count:
                        await asyncio.sleep(0.01)
        os.kill(os.getpid(), signal.SIGHUP)  # means nothing any more, and ends nothing
        await asyncio.sleep(0)
    assert asked == ["signal", "signal"]
    assert "a reload by signal failed" in [one["event"] for one in logged]

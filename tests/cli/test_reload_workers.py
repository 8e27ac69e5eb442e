"""All workers or none: what they say to a configuration, and what is made of it."""

from __future__ import annotations

import fcntl
import os
import pty
import subprocess
import sys
import termios
from collections.abc import Mapping
from pathlib import Path

import pytest

from e2e.service import plain_environment
from inbond.cli.reload_changes import Changes
from inbond.cli.reload_source import Source
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


def test_the_end_of_the_terminal_stops_and_does_not_reload(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()

    def take_terminal() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    log = tmp_path / "serve.log"
    command = ["serve", "--listen", "127.0.0.1:0", "--upstream", "http://127.0.0.1:9/simple/"]
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "inbond", *command, "--data", str(tmp_path / "data")],
            stdin=theirs, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True,
            preexec_fn=take_terminal,  # noqa: PLW1509 (this process has no other threads that matter here)
            env=plain_environment(tmp_path),
        )  # fmt: skip
    os.close(theirs)
    assert process.stdout is not None
    with process.stdout as said:
        assert any("uv pip install" in line for line in said), log.read_text()
        os.close(ours)
        assert process.wait(60) == 0
    assert "stopping" in log.read_text()
    assert "reloaded" not in log.read_text()

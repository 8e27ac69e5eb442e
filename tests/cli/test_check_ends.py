"""How `inbond check` and `inbond relock` end, whatever becomes of the process and of what reads it."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from check.support import OLD
from cli.test_check import Here
from e2e.service import plain_environment
from inbond.cli.telling import ending
from inbond.model.errors import ConfigurationError
from sim.index import SimIndex, Stall

COMMAND = [sys.executable, "-m", "inbond"]


def options(index: SimIndex) -> list[str]:
    return ["--config", "inbond.toml", "--data", "data", "--upstream", index.url]


@pytest.mark.parametrize("form", ["table", "json", "sarif"])
@pytest.mark.parametrize(("spec", "code"), [("gone==1.0", 1), ("demo==1.0", 0)])
async def test_a_reader_that_leaves_early_gets_the_verdicts_exit_code(
    tmp_path: Path, form: str, spec: str, code: int
) -> None:
    async with SimIndex() as index:
        Here(tmp_path, index)
        index.add_wheel("demo", "1.0", upload_time=OLD)
        command = shlex.join([*COMMAND, "check", spec, "--format", form, *options(index)])
        result = await asyncio.to_thread(
            subprocess.run,
            ["bash", "-c", f"{command} | true; exit ${{PIPESTATUS[0]}}"],
            cwd=tmp_path, env=plain_environment(tmp_path), capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert (result.returncode, result.stderr) == (code, "")


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ConfigurationError("x\x1b[0m", remedy="y\x9b"), 2, "inbond: x\\x1b[0m\n  y\\x9b\n"),
        (KeyboardInterrupt(), 130, "inbond: interrupted\n"),
        (ZeroDivisionError("\x1b"), 2, "inbond: a defect of inbond, and nothing can be told: ZeroDivisionError: \\x1b"),
    ],
)
def test_no_exception_ends_as_a_pass_or_a_denial(
    error: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended, ending():
        raise error
    assert ended.value.code == code
    assert capsys.readouterr().err.startswith(said)


def test_the_hook_reads_no_option_from_a_files_name() -> None:
    hook = (Path(__file__).parents[2] / ".pre-commit-hooks.yaml").read_text()
    assert "  args: [--]\n" in hook


async def test_an_interrupt_is_no_verdict(tmp_path: Path) -> None:
    async with SimIndex() as index:
        Here(tmp_path, index)
        index.add_wheel("demo", "1.0", upload_time=OLD)
        index.fault(index.page_path("demo"), Stall())
        process = await asyncio.create_subprocess_exec(
            *COMMAND, "check", "demo==1.0", *options(index),
            cwd=tmp_path, env=plain_environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        async with asyncio.timeout(30):
            while not index.requests:
                await asyncio.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, stderr = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 130
    assert stderr.decode() == "inbond: interrupted\n"


@pytest.mark.parametrize("form", ["table", "json"])
@pytest.mark.parametrize("target", ["no/such/place.txt", "/dev/full"])
async def test_what_cannot_be_written_is_told(tmp_path: Path, form: str, target: str) -> None:
    async with SimIndex() as index:
        here = Here(tmp_path, index)
        index.add_wheel("demo", "1.0", upload_time=OLD)
        result = await here.check("demo==1.0", "--format", form, "--output", target)
    assert result.returncode == 2
    assert result.stderr.startswith(f"inbond: {target} cannot be written: No s")


async def test_a_full_disk_is_no_verdict(tmp_path: Path) -> None:
    async with SimIndex() as index:
        Here(tmp_path, index)
        index.add_wheel("demo", "1.0", upload_time=OLD)
        with Path("/dev/full").open("wb") as full:
            result = await asyncio.to_thread(
                subprocess.run,
                [*COMMAND, "check", "demo==1.0", *options(index)],
                cwd=tmp_path, env=plain_environment(tmp_path), stdout=full, stderr=subprocess.PIPE, timeout=60,
                check=False,
            )  # fmt: skip
    assert result.returncode == 2
    assert result.stderr.startswith(b"inbond: standard output cannot be written: No space left")


async def test_output_is_utf_8_whatever_the_locale_and_nothing_is_padded(tmp_path: Path) -> None:
    async with SimIndex() as index:
        here = Here(tmp_path, index)
        index.add_wheel("demo", "1.0", upload_time=OLD)
        here.requirements(["demo==1.0"], "büro.txt")
        here.requirements(["other==1.0"], "old.txt")
        here.requirements([], "語.txt")
        arguments = ["büro.txt", "--against", "old.txt"]
        kept = await here.check(*arguments, "--output", "out.txt", PYTHONIOENCODING="ascii")
        piped = await here.check(*arguments)
        narrow = await here.check("語.txt", PYTHONIOENCODING="latin-1")
        coloured = await here.check(*arguments, FORCE_COLOR="1")
        nowhere = await here.check(*arguments, "-o", os.devnull)
    assert kept.returncode == piped.returncode == narrow.returncode == nowhere.returncode == 0, kept.stderr
    assert "büro.txt: 1 dependency" in (tmp_path / "out.txt").read_text(encoding="utf-8")
    assert "büro.txt: 1 dependency" in piped.stdout
    assert "\\u8a9e.txt: 0 dependencies" in narrow.stdout
    assert [line for line in piped.stdout.splitlines() if line != line.rstrip()] == []
    assert "  new-project" in piped.stdout
    assert "\x1b[32mclear" in coloured.stdout
    assert "\x1b" not in piped.stdout

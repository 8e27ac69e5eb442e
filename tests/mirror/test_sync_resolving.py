"""What uv is told, and what becomes of a uv that fails, hangs or writes something else."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from inbond.locks.arguments import read_requirement
from inbond.locks.lock import Lock
from inbond.mirror import resolving
from inbond.mirror.outcomes import Unresolved
from inbond.mirror.resolving import MAX_SAID_CHARS, Place, Resolver, as_requirement, joined
from inbond.model.errors import OperatorFault

NOWHERE = "http://127.0.0.1:9/simple/"
HERE = Place()


def resolver(place: Path, script: str, **more: object) -> Resolver:
    """One whose uv is a script of a shell."""
    program = place / "uv-of-the-test"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    work = place / "work"
    work.mkdir()
    fields: dict[str, object] = {
        "uv": program, "index_url": NOWHERE, "directory": work, "interpreter": sys.executable, **more,
    }  # fmt: skip
    return Resolver(**fields)  # type: ignore[arg-type]


async def resolved(with_: Resolver, *wanted: str, place: Place = HERE) -> Lock | Unresolved:
    entries = [entry for text in wanted for entry in read_requirement(text).dependencies]
    return await with_.resolve(entries, [], place)


async def test_what_uv_is_told(tmp_path: Path) -> None:
    uv = resolver(tmp_path, 'cat "$3" >&2; echo "$@" >&2; env >&2; exit 1')
    place = Place(python="3.12", platform="musllinux-aarch64")
    found = await resolved(uv, "Flask[b,a]>=3,<4; python_version>='3.9'", "plain", place=place)
    assert isinstance(found, Unresolved)
    assert found.place == "Python 3.12 on musllinux-aarch64"
    said = found.said.splitlines()
    assert said[:2] == ['flask[a,b]<4,>=3 ; python_version >= "3.9"', "plain"]
    for option in (
        f"--default-index {NOWHERE}", "--no-config", "--no-build", "--python-version 3.12",
        "--python-platform aarch64-unknown-linux-musl", "--keyring-provider disabled",
    ):  # fmt: skip
        assert option in said[2]
    names = {line.partition("=")[0] for line in said[3:]}
    assert {"HOME", "UV_CACHE_DIR"} <= names
    assert names <= {"HOME", "PATH", "LANG", "LC_ALL", "TMPDIR", "UV_CACHE_DIR", "UV_PYTHON_DOWNLOADS", "NO_PROXY",
                     "PWD", "SHLVL", "_", "OLDPWD"}  # fmt: skip


async def test_what_uv_says_is_fit_for_a_terminal_and_no_longer_than_that(tmp_path: Path) -> None:
    found = await resolved(resolver(tmp_path, "printf '\\033[31mno\\n' >&2; head -c 100000 /dev/zero >&2; exit 2"), "x")
    assert isinstance(found, Unresolved)
    assert found.said.startswith("\\x1b[31mno\n")
    assert len(found.said) <= MAX_SAID_CHARS
    silent = await resolved(resolver(_new(tmp_path), "exit 3"), "x")
    assert silent == Unresolved(place="this Python on this platform", said="uv ended without a word")


async def test_what_uv_writes_is_read_as_any_lock_is(tmp_path: Path) -> None:
    found = await resolved(resolver(tmp_path, "echo 'demo==1.0'"), "demo")
    assert isinstance(found, Lock)
    assert [as_requirement(entry) for entry in joined([found, found])] == ["demo==1.0"]
    for written in ("-r /etc/passwd", "== no lock"):
        with pytest.raises(OperatorFault, match="wrote what cannot be read") as caught:
            await resolved(resolver(_new(tmp_path), f"echo '{written}'"), "x")
        assert "--uv" in str(caught.value.remedy)


async def test_a_uv_that_does_not_run_or_does_not_end_is_told(tmp_path: Path) -> None:
    broken = resolver(tmp_path, "")
    broken.uv.chmod(0o644)
    with pytest.raises(OperatorFault, match="cannot be run"):
        await resolved(broken, "x")
    slow = resolver(_new(tmp_path), f"echo $$ > {tmp_path}/pid; sleep 60; true", within=0.3)
    with pytest.raises(OperatorFault, match=r"within 0\.3 s"):
        await resolved(slow, "x")
    assert not _runs(int((tmp_path / "pid").read_text()))


async def test_who_interrupts_leaves_no_uv_behind_even_one_that_does_not_listen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolving, "ENDED_WITHIN", 0.2)
    uv = resolver(
        tmp_path, f"trap '' TERM; echo $$ > {tmp_path}/pid.new; mv {tmp_path}/pid.new {tmp_path}/pid; sleep 60"
    )
    work = asyncio.create_task(resolved(uv, "x"))
    while not (tmp_path / "pid").exists():
        await asyncio.sleep(0.01)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert not _runs(int((tmp_path / "pid").read_text()))


def _new(place: Path) -> Path:
    directory = place / f"d{len(list(place.iterdir()))}"
    directory.mkdir()
    return directory


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_uv_that_names_nothing_for_what_is_needed_has_resolved_nothing(tmp_path: Path) -> None:
    wanted = ["x>=1", "y", "z; sys_platform == 'nowhere'"]
    found = await resolved(resolver(tmp_path, "echo 'y==1.0'"), *wanted)
    assert found == Unresolved(place="this Python on this platform", said="it chose nothing for x>=1")
    found = await resolved(resolver(_new(tmp_path), "printf 'x==1\\ny==2\\n'"), *wanted)
    assert isinstance(found, Lock)

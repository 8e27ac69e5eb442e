"""The progress of bytes: drawn while a person watches, silent otherwise."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from inbond.cli import transfer_progress
from inbond.cli.transfer_progress import transferring


def test_nothing_is_written_where_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    with transferring("fetching", files=2, size=10) as told:
        told.bytes(5)
        told.file("a.whl")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("size", [2_000_000, None])
def test_a_person_sees_bytes_files_and_names_that_a_terminal_does_not_obey(
    monkeypatch: pytest.MonkeyPatch, size: int | None
) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(
        transfer_progress, "Console", lambda *, stderr: Console(file=screen, force_terminal=stderr, width=160)
    )
    with transferring("fetching [b]", files=1200, size=size) as told:
        told.bytes(1_500_000)
        told.bytes(-500_000)
        told.file("evil\x1b]0;x\x07" + "-long" * 20 + ".whl")
    drawn = screen.getvalue()
    assert "fetching [b]" in drawn
    assert "1 of 1,200 files evil\\x1b]0;x\\x07" in drawn
    assert "\x1b]0;" not in drawn
    assert "-long" * 10 not in drawn
    assert ("1.0/1.9 MiB" if size else "976.6/? KiB") in drawn

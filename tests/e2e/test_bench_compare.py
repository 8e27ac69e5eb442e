"""The comparison runs, what it writes is what it saw, and its client charges a server for standing still."""

from __future__ import annotations

import asyncio
import importlib
import json
import re
import statistics
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

BENCH = Path(__file__).parents[2] / "bench"
STALL = 0.4  # seconds


def test_a_short_run_writes_its_page_its_figures_and_its_plot(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCH / "compare.py"), "--short", "--results", str(tmp_path)]
    command += ["--only", "2,000 attested", "--only", "cold file, 100 kB", "--servers", "direct"]
    command += ["--servers", "bare aiohttp"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    stored = json.loads((tmp_path / "cold.json").read_text())
    work, files = stored["works"]
    assert set(work["values"]) == {"inbond", "direct", "bare aiohttp"}
    # Each file's provenance is asked for once, ahead of it: what that costs lies within what is measured.
    ((inbond,), (direct,), (bare,)) = (files["extra"][server] for server in ("inbond", "direct", "bare aiohttp"))
    assert inbond["provenance requests each"] == bare["provenance requests each"] == 1.0
    assert direct["provenance requests each"] == 0.0
    assert min(inbond["page, ms"], direct["page, ms"]) >= 30
    ratio = statistics.median(
        ours / theirs for ours, theirs in zip(work["values"]["inbond"], work["values"]["direct"], strict=True)
    )
    row = re.search(r"^\| inbond \| [\d.,]+ \| ([\d.]+) \|", (tmp_path / "cold.md").read_text(), re.MULTILINE)
    assert row is not None
    assert float(row[1]) == pytest.approx(ratio, abs=0.001)
    assert ET.fromstring((tmp_path / "cold.svg").read_text()).tag.endswith("svg")  # noqa: S314 (just written)
    targets = (tmp_path / "targets.md").read_text()
    assert "not measured" in targets
    for text in (targets, (tmp_path / "cold.md").read_text()):
        assert "rounds 1 (not 5)" in text


def test_a_work_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCH / "compare.py"), "--only", "tepid", "--results", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "cold: cold page\n" in done.stdout
    assert list(tmp_path.iterdir()) == []


class Stalls(asyncio.Protocol):
    """Answers at once, but for a while during which it answers nobody."""

    over = 0.0
    asked = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        Stalls.asked += 1
        if Stalls.asked == 20:
            Stalls.over = loop.time() + STALL
        loop.call_at(max(loop.time(), Stalls.over), self.answer)

    def answer(self) -> None:
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


async def test_a_server_that_stands_still_is_charged_for_all_that_was_due_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(BENCH))
    paced: Any = importlib.import_module("harness.paced")
    server = await asyncio.get_running_loop().create_server(Stalls, "127.0.0.1", 0)
    origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    head = b"GET / HTTP/1.1\r\n\r\n"
    async with server:
        seen = await paced.at_rate(origin, [head], rate=100.0, seconds=1.0, connections=1)
    assert (seen.asked, seen.wrong, len(seen.times)) == (100, 0, 100)
    # One connection asks once while the server stands still; forty were due.
    assert sum(1 for each in seen.times if each > STALL / 2) >= 20
    assert seen.percentile(100) >= STALL * 1000 * 0.99

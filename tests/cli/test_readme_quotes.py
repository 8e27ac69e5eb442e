"""What the README shows is what the commands print."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from check.support import ACME, OLD, signed_by, young
from e2e.service import UV, plain_environment
from sim.index import SimIndex
from stack import sigstore

TOP = Path(__file__).parent.parent.parent
README = (TOP / "README.md").read_text(encoding="utf-8")
TEXTS = re.findall(r"^```text\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC")


def test_the_first_screen_quotes_real_runs() -> None:
    page = _flat((TOP / "docs" / "tampered.md").read_text(encoding="utf-8"))
    directly, through = TEXTS[:2]
    for text in (directly, through):
        command, _, printed = text.partition("\n")
        assert command.startswith("$ ")
        assert _flat(printed) in page
    assert "| uv 0.7.22 | **installs it** | refused |" in page


async def test_the_check_that_is_shown_prints_that(tmp_path: Path) -> None:
    shown = next(text for text in TEXTS if text.startswith("dependency"))
    old = datetime.now(UTC) - timedelta(days=1055)
    async with SimIndex() as index:
        index.add_wheel("gears", "3.2.1", provenance=signed_by(ACME), upload_time=OLD)
        index.add_wheel("plain", "0.4", upload_time=old)
        index.add_wheel("fresh", "1.9", upload_time=old)
        index.add_wheel("fresh", "2.0", upload_time=young(2))
        printed = await asyncio.to_thread(_checked, tmp_path, index.url)
    table, *stories = shown.split("\n\n")
    rows = {line.split()[0]: line.split() for line in printed.split("\n\n")[0].splitlines()}
    for line in table.splitlines():
        want = line.split()
        came = rows[want[0]]
        # the age of gears is that of its signature, which the tests make anew
        assert [*want[:5], want[-1]] == [*came[:5], came[-1]]
    for line in (line for story in stories for line in story.splitlines()):
        if line.strip():
            assert MOMENT.sub("T", line).strip() in MOMENT.sub(
                "T", re.sub(r"\(uv\.lock:\d+\)", "(uv.lock:21)", printed)
            )


def _checked(place: Path, upstream: str) -> str:
    (place / "root.json").write_bytes(sigstore().trusted_root())
    (place / "inbond.toml").write_text(
        f'[trust.public]\nroot = "{place}/root.json"\n'
        '[[policies.default.rules]]\nprojects = ["gears"]\nmin_age = "0"\n'  # signed just now
    )
    (place / "pyproject.toml").write_text(
        '[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.11"\n'
        'dependencies = ["gears", "plain", "fresh"]\n'
    )
    environment = {**plain_environment(place), "UV_DEFAULT_INDEX": upstream}
    subprocess.run([UV, "lock", "--quiet"], cwd=place, env=environment, check=True, timeout=60)
    options = ["--config", "inbond.toml", "--data", "data", "--upstream", upstream]
    done = subprocess.run(
        [sys.executable, "-m", "inbond", "check", "uv.lock", *options],
        cwd=place, env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    return done.stdout


def _flat(text: str) -> str:
    return " ".join(text.split())

"""docs/api.md: every command in it is typed, against an inbond with all that it names, and succeeds."""

from __future__ import annotations

import asyncio
import json
import os
import re
from pathlib import Path
from typing import Final

from tools import tool
from web.populated import populated

DOCUMENT: Final = Path(__file__).parent.parent.parent / "docs" / "api.md"
ORIGIN: Final = "http://127.0.0.1:8642"
LONGEST: Final = 30.0  # seconds for a command
LINES: Final = "/-/audit/export"  # answers in lines of JSON


def commands() -> list[str]:
    """The commands of all blocks, each with the lines that it goes on with."""
    blocks = re.findall(r"^```console\n(.*?)^```$", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    return [one.strip() for block in blocks for one in re.split(r"^\$ ", block, flags=re.MULTILINE) if one.strip()]


async def test_every_command_does_what_the_document_says(tmp_path: Path) -> None:
    tool("curl")
    async with populated(tmp_path) as org:
        typed = commands()
        assert len(typed) > 6
        for command in typed:
            assert ORIGIN in command
            process = await asyncio.create_subprocess_exec(
                "bash", "-c", command.replace(ORIGIN, org.origin),
                env={"PATH": os.environ["PATH"], "TOKEN": org.admin}, stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            async with asyncio.timeout(LONGEST):
                said, _ = await process.communicate()
            assert process.returncode == 0, command
            for line in said.splitlines() if LINES in command else [said]:
                assert isinstance(json.loads(line), dict), command
        decided = {one.by for one in await org.up.parts.base.ledger.decisions()}
        assert any("platform team" in by for by in decided)

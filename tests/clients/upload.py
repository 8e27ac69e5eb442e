"""What twine prints when somebody uploads to inbond."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clients.environments import PLACE, pinned
from clients.shop import CONFIG, POLICIES, source
from clients.terminal import SHOWN_ORIGIN, bare, run, tidy
from ports import free_port
from sim.index import SimIndex
from stack import inbond

SENTENCE: Final = "inbond does not take uploads"


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A refused upload."""

    version: str
    command: str
    code: int
    printed: str  # from the error on

    @property
    def explained(self) -> bool:
        """Whether it failed with 405 and the sentence."""
        return self.code != 0 and "405" in self.printed and SENTENCE in self.printed


async def upload(scratch: Path) -> Upload:
    """Uploads an sdist with twine to inbond's index."""
    scratch.mkdir()
    file = scratch / "crate-1.0.tar.gz"
    file.write_bytes(source())
    async with (
        SimIndex() as index,
        inbond(scratch, index, config=CONFIG.format(port=free_port()), more=POLICIES["allowed"]) as proxy,
    ):
        target = f"{proxy.origin}/simple/"
        command = [str(PLACE / "twine" / "bin" / "twine"), "upload", "--non-interactive", "--disable-progress-bar"]
        environ = {**bare(scratch), "TWINE_USERNAME": "user", "TWINE_PASSWORD": "password"}
        command += ["--repository-url", target, file.name]
        done = await asyncio.to_thread(run, command, cwd=scratch, environ=environ)
    lines = [tidy(line, origin=proxy.origin, places={scratch: "~"}) for line in done.text.splitlines() if line.strip()]
    first = next((place for place, line in enumerate(lines) if "Error" in line), 0)
    shown = f"twine upload --repository-url {SHOWN_ORIGIN}/simple/ {file.name}"
    return Upload(
        version=pinned("twine", "twine"), command=shown, code=done.code,
        printed="\n".join(line.strip() for line in lines[first:]),
    )  # fmt: skip

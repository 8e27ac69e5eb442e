"""Syncs from simulated indexes, in this process and as a command."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from e2e.service import plain_environment
from inbond.cli.config import Config, load_config
from inbond.cli.main import cli
from inbond.cli.sync_run import Done, sync
from inbond.cli.sync_wanted import How, Wanted
from inbond.mirror.outcomes import SyncOutcome
from inbond.mirror.synced import Synced, SyncedBook
from sim.index import SimFile, SimIndex
from stack import ONE_INDEX, LocalVerifier, SetClock, sigstore
from tools import tool

NO_COOLDOWN = '[policies.default]\nmin_age = "0"\n'


@dataclass
class Connected:
    """The connected side: a directory with a configuration and data, before one index."""

    place: Path
    index: SimIndex
    more: str = ""
    clock: SetClock = field(default_factory=SetClock)
    verifier: LocalVerifier = field(default_factory=LocalVerifier)

    def __post_init__(self) -> None:
        (self.place / "root.json").write_bytes(sigstore().trusted_root())
        self.configure(self.more)

    def configure(self, more: str) -> None:
        text = (ONE_INDEX + more).format(data=self.place / "data", upstream=self.index.url)
        (self.place / "inbond.toml").write_text(text)

    @property
    def config(self) -> Config:
        return load_config(file=self.place / "inbond.toml", overrides={}, environ={})

    @property
    def book(self) -> SyncedBook:
        return SyncedBook(self.config.storage.mirror_dir / "synced")

    def record(self, name: str = "default") -> Synced:
        return self.book.read(name)

    def filenames(self, name: str = "default") -> list[str]:
        return [file.filename for file in self.record(name).files]

    def lock(self, lines: Iterable[str], name: str = "requirements.txt") -> str:
        path = self.place / name
        path.write_text("".join(f"{line}\n" for line in lines))
        return str(path)

    async def done(self, *targets: str, how: How | None = None, **wanted: Any) -> Done:
        """What comes of one sync in this process."""
        (done,) = await sync(
            self.config,
            self.config.upstreams_at(""),
            self.verifier,
            [Wanted(targets=targets, **wanted)],
            how or How(uv=tool("uv")),
            clock=self.clock,
        )
        return done

    async def sync(self, *targets: str, **wanted: Any) -> SyncOutcome:
        return (await self.done(*targets, **wanted)).outcome

    async def run(self, *arguments: str) -> Result:
        """The command, in this process."""
        foreign = [name for name in os.environ if name.startswith("INBOND_") or name.lower().endswith("_proxy")]
        environ: dict[str, str | None] = dict.fromkeys(foreign)
        environ |= {"COLUMNS": "220", "INBOND_TRUST__PUBLIC__ROOT": str(self.place / "root.json")}
        command = ["sync", *arguments, "--config", str(self.place / "inbond.toml")]
        return await asyncio.to_thread(CliRunner().invoke, cli, command, env=environ)

    def command(self, *arguments: str) -> subprocess.Popen[str]:
        """The command in a process of its own."""
        command = [sys.executable, "-m", "inbond", "sync", *arguments, "--config", "inbond.toml"]
        environ, pipe = plain_environment(self.place), subprocess.PIPE
        return subprocess.Popen(command, cwd=self.place, env=environ, stdout=pipe, stderr=pipe, text=True)

    async def json(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        """The one sync of a command that ends with that code."""
        result = await self.run(*arguments, "--format", "json")
        assert result.exit_code == code, result.output
        (found,) = json.loads(result.stdout)["syncs"]
        return dict(found)


def hashed(project: str, version: str, *files: SimFile) -> str:
    return " ".join([f"{project}=={version}", *(f"--hash=sha256:{file.sha256}" for file in files)])

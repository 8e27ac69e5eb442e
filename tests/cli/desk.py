"""Commands that decide, run beside an inbond in this process, on its configuration and ledger."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from click.testing import CliRunner, Result

from inbond.cli.main import cli
from inbond.model.events import unobserved
from inbond.store.ledger import Ledger, open_ledger
from stack import sigstore

WIDE = "220"
LONG_AGO = datetime.min.replace(tzinfo=UTC)

T = TypeVar("T")


def young(hours: float = 1) -> datetime:
    return datetime.now(UTC) - timedelta(hours=hours)


@dataclass(frozen=True)
class Desk:
    """Where an operator decides: a directory with inbond.toml and data/, as `stack.inbond` has it."""

    place: Path

    def run(self, *arguments: str, columns: str = WIDE, environ: dict[str, str | None] | None = None) -> Result:
        root = self.place / "root.json"
        root.write_bytes(sigstore().trusted_root())
        foreign = [name for name in os.environ if name.startswith("INBOND_") or name.lower().endswith("_proxy")]
        env: dict[str, str | None] = dict.fromkeys(foreign)
        env |= {"COLUMNS": columns, "LOGNAME": "ada", "INBOND_TRUST__PUBLIC__ROOT": str(root)}
        options = ["--config", str(self.place / "inbond.toml"), "--data", str(self.place / "data")]
        return CliRunner().invoke(cli, [*arguments, *options], env={**env, **(environ or {})})

    def told(self, *arguments: str, code: int = 0, columns: str = WIDE) -> str:
        """What a command prints that ends with that code."""
        result = self.run(*arguments, columns=columns)
        assert result.exit_code == code, result.output
        return result.stdout if code in {0, 1} and result.stdout else result.stderr

    def json(self, *arguments: str, code: int = 0) -> Any:
        return json.loads(self.told(*arguments, "--format", "json", code=code))

    async def beside(self, *arguments: str, code: int = 0) -> str:
        """The same while this process serves."""
        return await asyncio.to_thread(self.told, *arguments, code=code)

    async def in_ledger(self, ask: Callable[[Ledger], Awaitable[T]]) -> T:
        """What the ledger says."""
        ledger = await asyncio.to_thread(
            open_ledger, self.place / "data" / "ledger" / "ledger.sqlite3", observer=unobserved
        )
        try:
            return await ask(ledger)
        finally:
            await ledger.aclose()

    async def happened(self) -> list[tuple[str, str]]:
        """Occurrences of decisions, the earliest first: kind and message."""
        found = await self.in_ledger(lambda ledger: ledger.occurrences(since=LONG_AGO.replace(year=2000)))
        return [(str(one.kind), one.message) for one in reversed(found) if str(one.kind).startswith("decision")]

    async def did(self) -> list[tuple[str, str, str]]:
        """Acts, the earliest first: kind, by whom, and to what."""
        found = await self.in_ledger(lambda ledger: ledger.acts(newest_first=False))
        return [(str(kept.act.kind), kept.act.by, kept.act.target) for kept in found]


def configured(place: Path, toml: str = "") -> Desk:
    """One without a server."""
    (place / "inbond.toml").write_text(toml, encoding="utf-8")
    return Desk(place)

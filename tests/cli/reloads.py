"""An inbond of `stack` whose configuration is read anew, as `inbond serve` does it."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from inbond.cli.config import settings_of
from inbond.cli.reload import Reloading
from inbond.cli.reload_alone import Alone
from inbond.cli.reload_outcome import Outcome
from inbond.cli.reload_source import Source
from stack import Inbond


class Reloads:
    """Writes its file, and has it read."""

    def __init__(self, file: Path, alone: Alone) -> None:
        self._file = file
        self._alone = alone

    @classmethod
    def of(cls, proxy: Inbond, place: Path) -> Self:
        """Of one that runs with its data at `place`."""
        source = Source(file=place / "inbond.toml", overrides={}, environ={})
        loaded = source.load(source.raw())
        reloading = Reloading(source, loaded, settings_of(loaded), proxy.up, proxy.app)
        return cls(place / "inbond.toml", Alone(source, reloading, proxy.up))

    @property
    def text(self) -> str:
        """What the file says."""
        return self._file.read_text()

    async def __call__(self, text: str, by: str = "ada") -> Outcome:
        """The file says that from now on, and is read."""
        self._file.write_text(text)
        return await self._alone.reload(by)

    async def changed(self, before: str, after: str) -> Outcome:
        """The same with one thing else in it."""
        assert before in self.text
        return await self(self.text.replace(before, after))

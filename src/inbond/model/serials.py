"""An index that was replaced: its pages carry lower serials than were seen, and somebody says that this is right."""

from __future__ import annotations

from dataclasses import dataclass

from inbond.model.names import ProjectName


@dataclass(frozen=True, slots=True, kw_only=True)
class SerialReset:
    """A project whose page at an upstream has `serial` now, where `highest` was seen before."""

    upstream: str
    project: ProjectName
    highest: int
    serial: int

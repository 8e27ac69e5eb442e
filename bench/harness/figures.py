"""What was measured: one figure for each server and round, and the ratios of figures of the same round."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One run of one work against one server. `extra`: what else was seen, by a name with its unit."""

    value: float
    extra: dict[str, float] = field(default_factory=dict)


@dataclass(kw_only=True)
class Figures:
    """All samples of a work, by server, in the order of rounds; None where a server does not offer it."""

    work: str
    group: str
    unit: str
    reference: str
    less_is_better: bool
    told: str = ""
    samples: dict[str, list[Sample | None]] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)  # by server: why it is not there

    @property
    def rounds(self) -> int:
        """How many there were, of the server that took part in most."""
        return max(map(len, self.samples.values()), default=0)

    def add(self, server: str, sample: Sample | None) -> None:
        self.samples.setdefault(server, []).append(sample)

    def even(self, servers: Iterable[str]) -> None:
        """Fills up what these have missed, so that the next round of each is the same one's."""
        rounds = self.rounds
        for server in servers:
            missed = rounds - len(self.samples.get(server, ()))
            for _ in range(missed):
                self.add(server, None)

    def failed(self, server: str) -> bool:
        """Whether it failed in some round; figures of those before it say nothing then."""
        return self.notes.get(server, "").startswith("failed")

    def values(self, server: str) -> list[float]:
        """Those that were measured."""
        return [sample.value for sample in self.samples.get(server, ()) if sample is not None]

    def median(self, server: str) -> float | None:
        values = self.values(server)
        return statistics.median(values) if values else None

    def ratios(self, server: str, reference: str | None = None) -> list[float]:
        """The server's share of the reference, round by round: both were measured one after the other."""
        theirs = self.samples.get(reference or self.reference, [])
        pairs = zip(self.samples.get(server, []), theirs, strict=False)
        return [one.value / other.value for one, other in pairs if one and other and other.value]

    def ratio(self, server: str, reference: str | None = None) -> float | None:
        """The median of the rounds' ratios."""
        ratios = self.ratios(server, reference)
        return statistics.median(ratios) if ratios else None

    def extra(self, server: str, name: str) -> float | None:
        """The median of what else was seen."""
        seen = [sample.extra[name] for sample in self.samples.get(server, ()) if sample and name in sample.extra]
        return statistics.median(seen) if seen else None

    def extras(self) -> list[str]:
        """What else was seen of any server."""
        found = [sample.extra for samples in self.samples.values() for sample in samples if sample is not None]
        return sorted({name for extra in found for name in extra})

    def as_json(self) -> dict[str, Any]:
        """Every figure of every round."""
        return {
            "work": self.work, "group": self.group, "unit": self.unit, "reference": self.reference,
            "less_is_better": self.less_is_better, "told": self.told,
            "values": {server: [one and one.value for one in samples] for server, samples in self.samples.items()},
            "extra": {server: [one and one.extra for one in samples] for server, samples in self.samples.items()},
            "notes": self.notes,
        }  # fmt: skip

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Figures:
        """What `as_json` gave."""
        fields = ("work", "group", "unit", "reference", "less_is_better", "told", "notes")
        figures = cls(**{name: stored[name] for name in fields})
        for server, values in stored["values"].items():
            for value, extra in zip(values, stored["extra"][server], strict=True):
                figures.add(server, None if value is None else Sample(value=value, extra=extra))
        return figures

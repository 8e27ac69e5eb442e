"""What readiness asks, and what comes of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

import msgspec


@dataclass(frozen=True, slots=True)
class Check:
    """One condition of readiness. `problem` is None where it holds; advice does not make unready."""

    problem: str | None = None
    advice: str | None = None


Checks = Mapping[str, Callable[[], Awaitable[Check]]]


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """As `GET /-/ready` tells it; `problems` and `advice` by the check's name."""

    ready: bool
    checks: list[str]
    problems: dict[str, str]
    advice: dict[str, str]


async def readiness(checks: Checks) -> Readiness:
    """Asks all checks of this process."""
    results = {name: await check() for name, check in checks.items()}
    problems = {name: result.problem for name, result in results.items() if result.problem is not None}
    advice = {name: result.advice for name, result in results.items() if result.advice is not None}
    return Readiness(ready=not problems, checks=sorted(results), problems=problems, advice=advice)


def worst(several: Iterable[Readiness]) -> Readiness:
    """Ready where all are; what several say alike is said once."""
    all_of = list(several)
    problems, advice = _joined(one.problems for one in all_of), _joined(one.advice for one in all_of)
    checks = sorted({name for one in all_of for name in one.checks})
    return Readiness(ready=not problems, checks=checks, problems=problems, advice=advice)


def _joined(several: Iterable[dict[str, str]]) -> dict[str, str]:
    found: dict[str, dict[str, None]] = {}
    for one in several:
        for name, said in one.items():
            found.setdefault(name, {})[said] = None
    return {name: "; ".join(said) for name, said in sorted(found.items())}

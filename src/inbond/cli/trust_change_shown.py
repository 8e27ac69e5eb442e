"""What `inbond trust update` says, to people and to programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, assert_never

from inbond.cli.trust_change import Installed, NotHad, Outcome, Refused
from inbond.cli.trust_show import key_lines, key_object
from inbond.gateway.trust_telling import window
from inbond.model.text import counted, printable
from inbond.model.trust import TrustedKey, WindowChange


def as_text(outcomes: Sequence[Outcome]) -> str:
    """A block for each scope."""
    return "\n\n".join("\n".join(map(printable, _lines(outcome))) for outcome in outcomes)


def as_json(outcomes: Sequence[Outcome]) -> str:
    """`{"updated": [{scope, outcome, …}]}`; `outcome`: installed, unchanged, refused or not-had."""
    return json.dumps({"updated": [_object(outcome) for outcome in outcomes]}, indent=2, ensure_ascii=False)


def _lines(outcome: Outcome) -> Iterator[str]:
    head = f"[trust.{outcome.scope}]"
    match outcome:
        case Installed(before=before, after=after) if before == after:
            yield f"{head} is the newest already: {after}"
        case Installed():
            yield f"{head} {outcome.before or 'none'} -> {outcome.after}"
            yield from _keys("gained", outcome.changed.gained, outcome.now)
            yield from _keys("lost", outcome.changed.lost, outcome.now)
            yield from _windows("changed the time of", outcome.changed.windows, outcome.now)
            if outcome.warning is not None and not outcome.changed.lost:  # lost keys are told already
                yield f"  {outcome.warning}"
            tried = f"; tried on {counted(outcome.tested, 'file')} verified before" if outcome.tested else ""
            yield f"  in place{tried}; a server that is running takes it up within 10 s"
        case Refused():
            yield f"{head} {outcome.after} was refused: {outcome.problem}"
            yield from _keys("would lose", outcome.changed.lost, outcome.now)
            yield from _windows("would change the time of", outcome.changed.windows, outcome.now)
            yield f"  {outcome.before or 'what was there before'} stays"
            yield from _remedy(outcome.remedy)
        case NotHad():
            yield f"{head} there is no new root to be had: {outcome.problem}"
            yield from _remedy(outcome.remedy)
        case _:
            assert_never(outcome)


def _keys(what: str, keys: Sequence[TrustedKey], now: datetime) -> Iterator[str]:
    if keys:
        yield f"  {what} {counted(len(keys), 'key')}"
        yield from (f"    {line}" for line in key_lines(keys, now))


def _windows(what: str, changes: Sequence[WindowChange], now: datetime) -> Iterator[str]:
    if changes:
        yield f"  {what} {counted(len(changes), 'key')}"
        lines = key_lines([one.after for one in changes], now)
        yield from (f"    {line}, was {window(one.before)}" for line, one in zip(lines, changes, strict=True))


def _window_object(change: WindowChange, now: datetime) -> dict[str, Any]:
    before = key_object(change.before, now)
    return key_object(change.after, now) | {"start_before": before["start"], "end_before": before["end"]}


def _remedy(remedy: str | None) -> Iterator[str]:
    if remedy is not None:
        yield f"  {remedy}"


def _object(outcome: Outcome) -> dict[str, Any]:
    head = {"scope": outcome.scope, "where": outcome.where}
    match outcome:
        case Installed():
            return head | {
                "outcome": "unchanged" if outcome.before == outcome.after else "installed",
                "sha256_before": outcome.before,
                "sha256_after": outcome.after,
                "gained": [key_object(key, outcome.now) for key in outcome.changed.gained],
                "lost": [key_object(key, outcome.now) for key in outcome.changed.lost],
                "times_changed": [_window_object(one, outcome.now) for one in outcome.changed.windows],
                "warning": outcome.warning,
                "files_tested": outcome.tested,
            }
        case Refused():
            return head | {
                "outcome": "refused",
                "sha256_before": outcome.before,
                "sha256_refused": outcome.after,
                "problem": outcome.problem,
                "remedy": outcome.remedy,
                "would_lose": [key_object(key, outcome.now) for key in outcome.changed.lost],
                "would_change_times": [_window_object(one, outcome.now) for one in outcome.changed.windows],
            }
        case NotHad():
            return head | {"outcome": "not-had", "problem": outcome.problem, "remedy": outcome.remedy}
        case _:
            assert_never(outcome)

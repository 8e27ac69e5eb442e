"""`inbond trust show`, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from inbond.cli.trust_state import ScopeState
from inbond.gateway.trust_files import KeptRoot
from inbond.gateway.trust_telling import window
from inbond.model.aging import Aged
from inbond.model.text import printable
from inbond.model.trust import TrustedKey
from inbond.model.units import about

KEY_ID_CHARS: Final = 16  # of the key's id that people are shown: enough to tell keys apart
MAX_NAME_CHARS: Final = 60
_INDENT: Final = "  "


def as_text(states: Sequence[ScopeState]) -> str:
    """A block for each scope."""
    return "\n\n".join("\n".join(map(printable, _lines(state))) for state in states)


def as_json(states: Sequence[ScopeState]) -> str:
    """`{"scopes": [{name, root, where, sha256, problem, …, keys: […]}]}`; times in RFC 3339, key ids whole."""
    return json.dumps({"scopes": [_object(state) for state in states]}, indent=2, ensure_ascii=False)


def key_lines(keys: Iterable[TrustedKey], now: datetime) -> list[str]:
    """A line for each key, in columns."""
    rows = [(str(key.kind), _short(key.name), key.key_id[:KEY_ID_CHARS], window(key), _now(key, now)) for key in keys]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def key_object(key: TrustedKey, now: datetime) -> dict[str, Any]:
    """A key for programs."""
    return {
        "kind": str(key.kind),
        "name": key.name,
        "key_id": key.key_id,
        "start": _time(key.start),
        "end": _time(key.end),
        "state": _now(key, now),
    }


def _lines(state: ScopeState) -> Iterator[str]:
    yield f"[trust.{state.name}]"
    rows = [("from", state.where), *_about_root(state)]
    rows.append(("vouches for", ", ".join(state.issuers) or "publishers that the public index knows"))
    rows.append(("trusted by", ", ".join(state.trusted_by) or "no upstream, so it is not used"))
    yield from (f"{_INDENT}{name.ljust(12)} {text}" for name, text in rows)
    if state.facts is not None:
        yield f"{_INDENT}keys"
        yield from (_INDENT * 2 + line for line in key_lines(state.facts.keys, state.now))


def _about_root(state: ScopeState) -> Iterator[tuple[str, str]]:
    if state.sha256 is not None:
        yield "sha256", state.sha256
    if state.problem is not None:
        yield "problem", state.problem
    if state.written_at is not None:
        yield "written", f"{about(state.now - state.written_at)} ago"
    if state.root == "auto" and not state.imported:
        yield "refreshed", _refreshed(state)
    if state.aged is not None:
        yield "age", _age(state.aged)
    if state.in_force is None:
        return
    since = f"since {about(state.now - state.in_force.since)} ago"
    if _digest(state.in_force) == state.sha256:
        yield "in force", since
    elif state.problem is None:
        yield (
            "in force",
            f"{_digest(state.in_force)}, {since}; the new one, whose keys are shown, is checked by a server first",
        )
    else:
        yield "in force", f"{_digest(state.in_force)}, {since}: its keys are shown"


def _age(aged: Aged) -> str:
    if aged.said is not None:
        return f"the root {aged.said}"
    assert aged.as_of is not None  # else something was said
    return f"{about(aged.now - aged.as_of)}; it is too old from {about(aged.max_age)} on"


def _refreshed(state: ScopeState) -> str:
    fetched, attempt = state.fetched, state.attempt
    if fetched is None:
        worked = "not yet; it is the one that comes with sigstore" if state.sha256 is not None else "not yet"
    elif fetched.by == "file":
        worked = f"from the file {fetched.where}, {about(state.now - fetched.installed_at)} ago"
    else:
        worked = f"{about(state.now - fetched.confirmed_at)} ago"
    if attempt is None or attempt.problem is None:
        return worked
    return f"{worked}; the last try, {about(state.now - attempt.at)} ago, failed: {attempt.problem}"


def _object(state: ScopeState) -> dict[str, Any]:
    fetched, attempt, in_force = state.fetched, state.attempt, state.in_force
    return {
        "name": state.name,
        "root": state.root,
        "where": state.where,
        "sha256": state.sha256,
        "problem": state.problem,
        "issuers": list(state.issuers),
        "trusted_by": list(state.trusted_by),
        "written_at": _time(state.written_at),
        "imported": state.imported,
        "as_of": _time(state.as_of),
        "age": None if state.aged is None else {"state": str(state.aged.freshness), "said": state.aged.said},
        "fetched": None
        if fetched is None
        else {
            "by": fetched.by,
            "from": fetched.where,
            "installed_at": _time(fetched.installed_at),
            "confirmed_at": _time(fetched.confirmed_at),
        },
        "last_refresh": None if attempt is None else {"at": _time(attempt.at), "problem": attempt.problem},
        "in_force": None if in_force is None else {"sha256": _digest(in_force), "since": _time(in_force.since)},
        "keys": [key_object(key, state.now) for key in (state.facts.keys if state.facts is not None else ())],
    }


def _now(key: TrustedKey, now: datetime) -> str:
    if key.in_force(now):
        return "in force"
    return "not begun" if key.start is not None and now < key.start else "ended"


def _time(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


def _digest(kept: KeptRoot) -> str:
    return sha256(kept.raw).hexdigest()


def _short(name: str) -> str:
    return name if len(name) <= MAX_NAME_CHARS else name[: MAX_NAME_CHARS - 1] + "…"

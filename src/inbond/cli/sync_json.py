"""A sync's outcome as JSON. Programs rely on its shape: keys are added, never changed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from inbond.cli import static_run
from inbond.cli.sync_run import Done
from inbond.mirror.outcomes import EntryOutcome, FileOutcome, State, SyncOutcome, Trouble
from inbond.web.verdict_json import timestamp

VERSION: Final = 1


def dumps(done: Sequence[Done]) -> str:
    """Everything, indented; in ASCII, since a lock may hold what a terminal would obey."""
    return json.dumps({"version": VERSION, "syncs": [_sync(one) for one in done]}, indent=2)


def _sync(done: Done) -> dict[str, Any]:
    outcome = done.outcome
    synced = outcome.synced
    return {
        "name": synced.name,
        "index": synced.index,
        "policy": outcome.policy,
        "at": timestamp(synced.at),
        "state": str(outcome.state),
        "recorded": outcome.recorded,
        "totals": _totals(outcome),
        "warnings": list(outcome.warnings),
        "unresolved": [{"place": one.place, "said": one.said} for one in outcome.unresolved],
        "entries": [_entry(entry) for entry in outcome.entries],
        "static": json.loads(static_run.as_json(done.tree)) if done.tree is not None else None,
    }


def _totals(outcome: SyncOutcome) -> dict[str, Any]:
    counts = outcome.counts
    return {
        "entries": len(outcome.entries),
        "files": {str(state): counts[state] for state in State if state is not State.UNFIT},
        "size": sum(file.size for file in outcome.synced.files),
        "fetched": outcome.fetched,
        "seconds": round(outcome.seconds, 3),
    }


def _entry(entry: EntryOutcome) -> dict[str, Any]:
    return {
        "project": str(entry.project),
        "version": entry.version,
        "upstream": entry.upstream,
        "state": str(entry.state),
        **_trouble(entry.trouble),
        "notes": list(entry.notes),
        "files": [_file(file) for file in entry.files],
    }


def _file(file: FileOutcome) -> dict[str, Any]:
    return {
        "filename": file.filename,
        "sha256": file.sha256,
        "size": file.size,
        "state": str(file.state),
        **_trouble(file.trouble),
    }


def _trouble(trouble: Trouble | None) -> dict[str, Any]:
    if trouble is None:
        return {"reason": None, "remedy": None, "until": None}
    return {"reason": trouble.reason, "remedy": trouble.remedy, "until": timestamp(trouble.until)}

"""Examining a static tree, and what is printed of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from inbond.bundles.keys import PublicKey
from inbond.bundles.limits import MAX_KEY_FILE_BYTES
from inbond.cli.whole_files import read_regular
from inbond.gateway.clock import utc_now
from inbond.mirror.static_verify import TreeExamined, verify_tree
from inbond.model.errors import ConfigurationError, OperatorFault
from inbond.model.text import counted, printable
from inbond.model.units import parse_duration

MAX_SHOWN: Final = 50  # problems; JSON has them all


def examined(directory: Path, key_files: Sequence[Path], max_age: str | None) -> TreeExamined:
    """Examines the tree. Raises `OperatorFault`."""
    try:
        oldest = parse_duration(max_age) if max_age is not None else None
    except ValueError as error:
        raise ConfigurationError(f"--max-age: {error}") from error
    return verify_tree(directory, [_public_key(path) for path in key_files], now=utc_now(), max_age=oldest)


def _public_key(path: Path) -> PublicKey:
    try:
        return PublicKey.parse(read_regular(path, MAX_KEY_FILE_BYTES))
    except OSError as error:
        raise OperatorFault(f"{path} cannot be read: {error.strerror or error}") from error


def as_text(found: TreeExamined) -> str:
    """For people."""
    root = printable(str(found.root))
    lines = [f"{root}: {'nothing is wrong' if found.is_whole else counted(len(found.problems), 'problem')}"]
    if found.manifest is not None:
        manifest = found.manifest
        what = f"{counted(len(manifest.files), 'file')}, synced as {manifest.name!a} from index {manifest.index!a}"
        lines.append(f"  {what} at {manifest.at.isoformat()}")
        lines.append(f"  {_vouched(found)}")
    shown = found.problems[:MAX_SHOWN]
    lines += [f"  {printable(one.path) or 'the tree'}: {printable(one.message)}" for one in shown]
    if len(shown) < len(found.problems):
        lines.append(f"  and {len(found.problems) - len(shown):,} more (--format json)")
    return "\n".join(lines)


def _vouched(found: TreeExamined) -> str:
    if found.signed_by is not None:
        return f"signed with {found.signed_by}"
    return "no key that was named vouches for it: whoever changed a file may have changed the manifest too"


def as_json(found: TreeExamined) -> str:
    """For programs."""
    manifest = found.manifest
    said = {
        "directory": str(found.root),
        "whole": found.is_whole,
        "signed_by": found.signed_by,
        "name": manifest.name if manifest is not None else None,
        "index": manifest.index if manifest is not None else None,
        "at": manifest.at.isoformat() if manifest is not None else None,
        "files": len(manifest.files) if manifest is not None else 0,
        "problems": [{"path": one.path, "message": one.message} for one in found.problems],
    }
    return json.dumps(said, indent=2)

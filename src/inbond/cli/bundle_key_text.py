"""What `inbond bundle keygen` prints."""

from __future__ import annotations

import json
from pathlib import Path

from inbond.model.text import printable


def made(private: Path, public: Path, key_id: str, *, as_json: bool) -> str:
    """Which key was made, and where each half belongs."""
    if as_json:
        return json.dumps({"id": key_id, "private": str(private), "public": str(public)}, indent=2)
    lines = [
        f"made the key {key_id}",
        f"  {private}: sign with it, inbond bundle export --key {private}; nobody else may read it",
        f"  {public}: carry it to the receiving side, and name it in its configuration:",
        "",
        "[imports]",
        f'keys = ["{public.name}"]',
    ]
    return "\n".join(map(printable, lines))

"""JSON that says one thing to every reader (RFC 8259, 4 and 6): no member twice, and no numbers that JSON has not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NoReturn


class RepeatedMember(ValueError):
    """An object names a member twice: readers differ in which they take."""


def strict_json(raw: bytes) -> Any:
    """The value that is written there, in UTF-8. Raises RepeatedMember, or ValueError for all else that is not JSON."""
    try:
        return json.loads(raw.decode("utf-8"), object_pairs_hook=_members, parse_constant=_no_number)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def _members(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise RepeatedMember("a member stands there twice")
    return members


def _no_number(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")

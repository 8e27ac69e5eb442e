"""What a command has decided, on a screen and for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence

from inbond.cli.deciding import Made, told
from inbond.cli.decisions_shown import object_of
from inbond.gateway.clock import utc_now
from inbond.model.text import printable


def as_text(made: Sequence[Made]) -> str:
    """A line for each decision."""
    return "\n".join(
        printable(f"{one.decided.id}{'' if one.new else ' was in force already'}: {told(one.decided)}") for one in made
    )


def as_json(name: str, made: Sequence[Made]) -> str:
    """`{name: [{id, …, new}]}`."""
    now = utc_now()
    return json.dumps({name: [object_of(one.decided, now) | {"new": one.new} for one in made]}, indent=2)

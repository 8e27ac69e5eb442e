"""What a command has decided, on a screen and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from inbond.gateway.clock import utc_now
from inbond.gateway.deciding import Made, told
from inbond.model.decisions import Waiver
from inbond.model.text import printable
from inbond.web.decision_json import decision_json


def as_text(made: Sequence[Made]) -> str:
    """A line for each decision, and one for what it means beyond what is there now."""
    return "\n".join(printable(line) for one in made for line in _lines(one))


def _lines(made: Made) -> Iterator[str]:
    decided = made.decided
    yield f"{decided.id}{'' if made.new else ' was in force already'}: {told(decided)}"
    if isinstance(decided, Waiver) and decided.target.sha256 is None:
        yield f"  covers every file of {decided.target}, also one that is added later"


def warnings_of(made: Sequence[Made]) -> str:
    """What looks odd about them, a line each with a newline at its end; empty where nothing does."""
    lines = dict.fromkeys(line for one in made for line in one.warnings)
    return "".join(f"warning: {printable(line)}\n" for line in lines)


def as_json(name: str, made: Sequence[Made]) -> str:
    """`{name: [{id, …, new}]}`."""
    now = utc_now()
    return json.dumps({name: [decision_json(one.decided, now) | {"new": one.new} for one in made]}, indent=2)

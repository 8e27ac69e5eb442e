"""What a supervisor and a worker say to each other once the worker serves: the steps of a reload.

All prepare, then all switch; where one cannot prepare, all drop what they have prepared. One of them tells what came of
it: the supervisor has no ledger. Each step is a line of JSON, and so is its answer.
"""

from __future__ import annotations

from typing import Final

import msgspec

from inbond.cli.reload_changes import Changes
from inbond.cli.reload_outcome import Outcome


class Prepare(msgspec.Struct, frozen=True, tag=True):
    """Read this configuration. `path`: what its file held, kept by the supervisor; empty where there is no file."""

    path: str


class Switch(msgspec.Struct, frozen=True, tag=True):
    """Put what you have prepared in force. `digest`: of that."""

    digest: str


class Drop(msgspec.Struct, frozen=True, tag=True):
    """Forget what you have prepared."""


class Tell(msgspec.Struct, frozen=True, tag=True):
    """Write into the audit trail what came of it."""

    outcome: Outcome


class CanSwitch(msgspec.Struct, frozen=True, tag=True):
    """It may come into force here."""

    digest: str
    changes: Changes
    warnings: tuple[str, ...] = ()


class CannotSwitch(msgspec.Struct, frozen=True, tag=True):
    """It may not."""

    message: str
    remedy: str | None


class Done(msgspec.Struct, frozen=True, tag=True):
    """The step is taken."""


Step = Prepare | Switch | Drop | Tell
Answer = CanSwitch | CannotSwitch | Done
STEP: Final[msgspec.json.Decoder[Step]] = msgspec.json.Decoder(Step)
ANSWER: Final[msgspec.json.Decoder[Answer]] = msgspec.json.Decoder(Answer)
MAX_LINE_BYTES: Final = 16 * 2**20

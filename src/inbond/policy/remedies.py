"""Commands that an explanation can offer ready-made: they lift what it is about, and nothing more.

What stands in them came from an index or a certificate. It is quoted for a shell; whoever shows it cleans it for a
terminal, as everything else.
"""

from __future__ import annotations

import re
import shlex
from datetime import datetime, timedelta
from typing import Final

from inbond.policy.waiving import MAX_WAIVED, USUALLY_WAIVED, may_waive

# Stands where only a person can say why; `inbond waive add` takes it for no reason.
WHY: Final = "..."
WAIVES: Final = "inbond waive add "  # how the commands begin that lift something for a time only

_DAY: Final = timedelta(days=1)
_COMMAND: Final = re.compile(r"(?:: |: see )(inbond [a-z].*)")
_REVOKED: Final = re.compile(r"\bhave rejection (r-[0-9a-f]+) revoked$")


def waive_command(
    project: str,
    *,
    rule: str,
    version: str | None,
    sha256: str | None,
    now: datetime,
    until: datetime | None = None,
    index: str | None = None,
) -> str | None:
    """`inbond waive add flask==3.1.0 --rule cooldown --until 4d --reason '...'`.

    It names the release, or the file by its digest where the version cannot be read. `until`: the end of the hold
    that it is about. `index`: None for all. None where no waiver lifts what the rule finds, or nothing narrower than
    the project could be named.
    """
    if not may_waive(rule):
        return None
    if version is not None:
        target = f"{project}=={version}"
    elif sha256 is not None:
        target = f"{project}@sha256:{sha256}"
    else:
        return None
    where = ["--index", index] if index is not None else []
    words = ["waive", "add", target, "--rule", rule, "--until", _length(until, now), *where, "--reason", WHY]
    return _command(words)


def pin_command(project: str, publisher: str, *, repository_id: str | None = None) -> str:
    """`inbond pins accept flask github:pallets/flask@publish.yaml --repository-id 596892`."""
    which = ["--repository-id", repository_id] if repository_id is not None else []
    return _command(["pins", "accept", project, publisher, *which])


def revoke_command(remedy: str) -> str | None:
    """`inbond review revoke r-…`, for a remedy that says so of a rejection in the ledger."""
    found = _REVOKED.search(remedy)
    return _command(["review", "revoke", found[1]]) if found is not None else None


def command_in(remedy: str) -> str | None:
    """The command that a remedy ends with: `if its maintainers confirm it: inbond pins accept …`."""
    found = _COMMAND.search(remedy)
    return found[1] if found is not None else None


def ended(text: str) -> str:
    """A sentence with its full stop, but for one that ends with a command: that is copied as it stands there."""
    return text if text.endswith(".") or command_in(text) is not None else f"{text}."


def _length(until: datetime | None, now: datetime) -> str:
    """Whole days, so that whoever comes a little later still has them; the usual length where none is told."""
    length = until - now if until is not None else USUALLY_WAIVED
    if length > MAX_WAIVED:
        length = USUALLY_WAIVED
    return f"{max(1, -(-length // _DAY))}d"


def _command(words: list[str]) -> str:
    return "inbond " + " ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    return f"'{WHY}'" if word == WHY else shlex.quote(word)

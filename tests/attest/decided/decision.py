"""What a row of the decided table is: something that is left open to whoever verifies, tried out.

A row says what inbond finds and what the policy makes of it by default; what a key would make of it is tried too, with
the key read as the configuration reads it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from attest.tampering.row import ACME, NAME, NOW, OURS, SHA256, VERIFIED, Attempt, Expected, inbond, libraries, outcome
from attest.tampering.table import ROWS
from inbond.attest.verify import Finding
from inbond.cli.config_model import PolicyTable
from inbond.cli.config_policy import policy_settings
from inbond.model.errors import InvalidFilename
from inbond.model.evidence import Evidence
from inbond.model.verdict import Outcome
from policy.cases import file_of, verdict_on
from sim.sigstore import Identity

_TAMPERED: Final = {row.id: row for row in ROWS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Otherwise:
    """A key of a policy, as one line of its table, and what it makes of the row."""

    key: str
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One thing that was to be decided. `expected` None: such a question is not asked at all."""

    id: str
    what: str
    attempt: Callable[[], Attempt]
    expected: Expected | None
    why: str
    by_default: Outcome
    otherwise: Otherwise | None = None


def signed(
    id_: str,
    what: str,
    why: str,
    *,
    by: Identity = ACME,
    publisher: Identity | None = None,
    by_default: Outcome = Outcome.ALLOW,
    otherwise: Otherwise | None = None,
    expected: Expected = VERIFIED,
    **faults: Any,
) -> Decision:
    """A decision about one attestation, under its signer's publisher or another."""

    def attempt() -> Attempt:
        attestation = OURS.attest(NAME, SHA256, by, **faults)
        return Attempt(provenance=OURS.provenance([((publisher or by).publisher(), [attestation])]))

    return Decision(
        id=id_, what=what, attempt=attempt, expected=expected, why=why, by_default=by_default, otherwise=otherwise
    )


def tampered(id_: str, what: str, why: str, *, otherwise: Otherwise | None = None) -> Decision:
    """A decision about a row of the tampering table that the libraries accept."""
    row = _TAMPERED[id_]
    by_default = Outcome.WARN if row.expected[1] == "format" else Outcome.DENY
    return Decision(
        id=id_, what=what, attempt=row.attempt, expected=row.expected, why=why, by_default=by_default,
        otherwise=otherwise,
    )  # fmt: skip


def found(decision: Decision) -> Finding | None:
    """What inbond finds; None where the question is refused."""
    attempt = decision.attempt()
    try:
        return inbond(attempt)
    except (InvalidFilename, ValueError):
        return None


def alone(decision: Decision) -> str:
    """What the libraries do."""
    return libraries(decision.attempt())


def state(finding: Finding | None) -> Expected | None:
    """The state of a finding, if there is one."""
    return None if finding is None else outcome(finding)


def judged(finding: Evidence, key: str = "") -> Outcome:
    """The strictest that is said of the file, old enough, under the default policy; with a key set for its project."""
    written = tomllib.loads(key)
    table = PolicyTable.model_validate({"rules": [{"projects": ["*"], **written}]} if written else {})
    file = file_of(NAME, hashes={"sha256": SHA256}, upload_time=NOW)  # when it was signed
    settings = policy_settings("default", table)
    verdict = verdict_on(file, finding, settings=settings, now=NOW + timedelta(days=400))
    return max((said.outcome for said in verdict.findings), default=Outcome.ALLOW)

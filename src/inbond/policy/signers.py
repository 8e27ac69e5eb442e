"""Demands on who signed: what the rules that make them have in common.

A demand is about what the certificates of a file's *publish* attestations prove, so it asks for a verified one whatever
`attestations` says. *Every* one of these signers must meet it. Were one enough for each demand alone, a file with two
attestations could meet one demand by the first and another by the second; as it is, whoever a pin names has met all
that is asked, and the rules stay independent: each can be tried out alone (`audit`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from inbond.model.evidence import Absent, Pending, Rejected, Unavailable, Unsupported, Verified
from inbond.model.publisher import SigningIdentity
from inbond.model.verdict import Finding
from inbond.policy.case import Case
from inbond.policy.rule import deny, hold, next_retry, stamp

ATTESTED: Final = "use an attested version, or lift {key}"
UNPROVEN: Final = "unproven"
REFUSED: Final = "refused"


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a signer: proven to be what is refused, or not proven to be what is asked for."""

    message: str
    code: str = REFUSED


def demanded(
    case: Case, *, rule: str, subject: str, key: str, remedy: str, fault: Callable[[SigningIdentity], Fault | None]
) -> Finding | None:
    """Denies a file of which a signer is at fault, or that proves none; holds what cannot be looked up.

    `subject` is what would be proven, in a word ("runner"), and `key` the policy's, as a remedy names it. `fault` says
    what is wrong with a signer, None for nothing.
    """
    if isinstance(case.evidence, Verified):
        signers = case.evidence.identities
        if not signers:  # nobody makes such evidence; a demand must not be met by nobody either
            return _denied(rule, f"{subject} unproven: no publish attestation", ATTESTED.format(key=key), UNPROVEN)
        found = next((one for one in map(fault, signers) if one is not None), None)
        return None if found is None else _denied(rule, found.message, remedy, found.code)
    return unproven(case, rule=rule, subject=subject, remedy=ATTESTED.format(key=key))


def unproven(case: Case, *, rule: str, subject: str, remedy: str) -> Finding | None:
    """What a rule that needs a verified publish attestation says where there is none; None where nobody looked yet."""
    match case.evidence:
        case Verified() | Pending():
            return None
        case Unavailable(since=since, remedy=offered):
            return hold(
                rule,
                f"{subject} unproven: provenance unavailable since {stamp(since)}",
                remedy=offered or "wait: it is asked for again within 60 s",
                until=next_retry(since, case.now),
                code="unavailable",
            )
        case Absent():
            return _denied(rule, f"{subject} unproven: no attestation", remedy, UNPROVEN)
        case Rejected():
            return _denied(rule, f"{subject} unproven: attestation rejected", remedy, UNPROVEN)
        case Unsupported():  # pragma: no branch (the match is exhaustive)
            return _denied(rule, f"{subject} unproven: attestation not supported", remedy, UNPROVEN)


@lru_cache(maxsize=1024)
def _denied(rule: str, message: str, remedy: str, code: str) -> Finding:
    # One object for all files of which the same is said: the engine shares verdicts by it.
    return deny(rule, message, remedy=remedy, code=code)

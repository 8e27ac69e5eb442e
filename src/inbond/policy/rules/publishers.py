"""Pins: only files whose certificate proves one of the named publishers pass (`publishers` in `rules`).

A pin asks for a verified *publish* attestation whatever `attestations` says.
"""

from __future__ import annotations

from typing import Final

from inbond.model.evidence import Absent, Pending, Rejected, Unavailable, Unsupported, Verified
from inbond.model.publisher import SigningIdentity
from inbond.model.verdict import Finding
from inbond.policy.case import Case, PageCase
from inbond.policy.rule import deny, hold, next_retry, stamp

name: Final = "publishers"

_REMEDY: Final = "use a pinned publisher's version, or add a pin"
_UNPROVEN: Final = "use an attested version, or lift the pin"


def applies(shared: PageCase) -> bool:
    """Where the project has pins."""
    return bool(shared.project_policy.publishers)


def judge(case: Case) -> Finding | None:
    """Denies what no pinned publisher is proven to have published; holds what cannot be looked up."""
    pins = case.project_policy.publishers
    if not pins:
        return None
    match case.evidence:
        case Pending():
            return None
        case Verified(identities=identities):
            if any(pin.matches(identity) for identity in identities for pin in pins):
                return None
            return deny(name, f"published by {_named(identities)}, which no pin names", remedy=_REMEDY)
        case Unavailable(since=since, remedy=remedy):
            return hold(
                name,
                f"publisher unproven: provenance unavailable since {stamp(since)}",
                remedy=remedy or "wait: it is asked for again within 60 s",
                until=next_retry(since, case.now),
            )
        case Absent():
            return deny(name, "publisher unproven: no attestation", remedy=_UNPROVEN)
        case Rejected():
            return deny(name, "publisher unproven: attestation rejected", remedy=_UNPROVEN)
        case Unsupported():  # pragma: no branch (the match is exhaustive)
            return deny(name, "publisher unproven: attestation not supported", remedy=_UNPROVEN)


def _named(identities: tuple[SigningIdentity, ...]) -> str:
    return " and ".join(sorted({str(identity) for identity in identities})) or "nobody"

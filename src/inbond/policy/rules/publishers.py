"""Pins: only files whose certificate proves one of the named publishers pass (`publishers` in `rules`).

A pin asks for a verified *publish* attestation whatever `attestations` says. Of several, one by a pinned publisher is
enough; what else a policy asks for is asked of all of them (`inbond.policy.signers`).
"""

from __future__ import annotations

from typing import Final

from inbond.model.evidence import Verified
from inbond.model.publisher import SigningIdentity
from inbond.model.verdict import Finding
from inbond.policy.case import Case, PageCase
from inbond.policy.rule import deny
from inbond.policy.signers import ATTESTED, unproven

name: Final = "publishers"

_REMEDY: Final = "use a pinned publisher's version, or add a pin"
_UNPROVEN: Final = ATTESTED.format(key="the pin")


def applies(shared: PageCase) -> bool:
    """Where the project has pins."""
    return bool(shared.project_policy.publishers)


def judge(case: Case) -> Finding | None:
    """Denies what no pinned publisher is proven to have published; holds what cannot be looked up."""
    pins = case.project_policy.publishers
    if not pins:
        return None
    if not isinstance(case.evidence, Verified):
        return unproven(case, rule=name, subject="publisher", remedy=_UNPROVEN)
    identities = case.evidence.identities
    if any(pin.matches(identity) for identity in identities for pin in pins):
        return None
    return deny(name, f"published by {_named(identities)}, which no pin names", remedy=_REMEDY, code="not-pinned")


def _named(identities: tuple[SigningIdentity, ...]) -> str:
    return " and ".join(sorted({str(identity) for identity in identities})) or "nobody"

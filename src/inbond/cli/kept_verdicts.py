"""Verdicts from what is kept in cache and ledger: no index is asked, and a server may run beside.

Nothing comes of them: a policy that is only tried must not make memory, nor tell anybody of what it finds.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from inbond.cli.foundation import Looking
from inbond.gateway.indexes import Index
from inbond.gateway.off_loop import off_loop
from inbond.gateway.page_state import PageState
from inbond.model.evidence import EvidenceOrPending
from inbond.model.names import Filename
from inbond.reporting.fates import Told, told

EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)  # before anything that history can hold


async def kept_fates(look: Looking, index: Index, state: PageState) -> Mapping[Filename, Told]:
    """What becomes of each file of a page on an index, from what is known."""
    judged = await look.judge.tried(index, state)
    asks = index.policy.for_project(state.page.name).asks_for_evidence

    def all_told() -> dict[Filename, Told]:
        return {
            name: told(verdict, judged.evidence[name], asks_for_evidence=asks)
            for name, verdict in judged.verdicts.items()
        }

    return await off_loop(len(state.page.files), all_told)


async def kept_evidence(look: Looking, index: Index, state: PageState) -> Mapping[Filename, EvidenceOrPending]:
    """What is known of the attestations of each file of a page."""
    return (await look.judge.tried(index, state)).evidence

"""What a decision bears on, by the pages and the evidence that are kept: no index is asked, and nothing verified."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from inbond.gateway.indexes import Index
from inbond.gateway.judging import Judge, Judged
from inbond.gateway.page_state import PageState
from inbond.gateway.pages import PageKeeper
from inbond.model.decisions import Pin, Waiver
from inbond.model.names import ProjectName
from inbond.model.verdict import Verdict
from inbond.policy.signing import Signer, signers_of

MAX_PUBLISHERS = 3  # named in a warning


class Looks(Protocol):
    """What judges from cache and ledger: of a command that serves nobody, or of a server."""

    @property
    def indexes(self) -> Mapping[str, Index]:
        """The indexes, by name."""
        ...

    @property
    def pages(self) -> PageKeeper:
        """The pages that are kept."""
        ...

    @property
    def judge(self) -> Judge:
        """What judges them."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a server judges with."""

    indexes: Mapping[str, Index]
    pages: PageKeeper
    judge: Judge


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPage:
    """A project's page on an index as it is kept, and the verdicts on its files."""

    index: Index
    state: PageState
    judged: Judged


@dataclass(frozen=True, slots=True, kw_only=True)
class LiftedOn:
    """What a waiver lifts on one index: files, and the rules that stop some of them all the same."""

    index: str
    files: tuple[str, ...]
    still: tuple[str, ...]


async def kept_page(look: Looks, index: Index, project: ProjectName) -> PageState | None:
    """The page that the index would show, if it is kept: of the first of its upstreams that has one here."""
    for upstream in index.sought_at(project, look.pages.fed):
        state = await look.pages.kept(upstream, project)
        if state is not None:
            return state
    return None


async def kept(look: Looks, index: Index, project: ProjectName) -> KeptPage | None:
    """The page as the index last showed it, judged; None where none is kept. Nothing is told or remembered of it."""
    state = await kept_page(look, index, project)
    return None if state is None else KeptPage(index=index, state=state, judged=await look.judge.tried(index, state))


async def lifted(look: Looks, waiver: Waiver) -> tuple[LiftedOn, ...]:
    """What a waiver in force lifts on the pages that are kept, where it lifts anything."""
    found: list[LiftedOn] = []
    for index in look.indexes.values():
        if waiver.index in (None, index.name):
            page = await kept(look, index, waiver.target.project)
            found += _lifted(page, waiver) if page is not None else []
    return tuple(found)


def _lifted(page: KeptPage, waiver: Waiver) -> list[LiftedOn]:
    lifted = {
        str(filename): verdict
        for filename, verdict in page.judged.verdicts.items()
        if any(finding.waiver is not None and finding.waiver.id == waiver.id for finding in verdict.findings)
    }
    still = _stopping(lifted.values())
    return [LiftedOn(index=page.index.name, files=tuple(lifted), still=still)] if lifted else []


def _stopping(verdicts: Iterable[Verdict]) -> tuple[str, ...]:
    return tuple(sorted({verdict.deciding.rule for verdict in verdicts if verdict.deciding is not None}))


async def unknown_publisher(look: Looks, pin: Pin) -> tuple[str, ...]:
    """A warning where publishers of the project are known by kept evidence, and the pin matches none of them."""
    signers: dict[str, Signer] = {}
    for index in look.indexes.values():
        page = await kept(look, index, pin.project)
        evidence = page.judged.evidence.values() if page is not None else ()
        signers |= {signer.publisher: signer for one in evidence for signer in signers_of(one)}
    if not signers or any(pin.publisher.matches(signer.identity) for signer in signers.values()):
        return ()
    named = ", ".join(sorted(signers)[:MAX_PUBLISHERS])
    more = f" and {len(signers) - MAX_PUBLISHERS} more" if len(signers) > MAX_PUBLISHERS else ""
    return (f"{pin.publisher} is no publisher of {pin.project} that is known here; those are {named}{more}",)

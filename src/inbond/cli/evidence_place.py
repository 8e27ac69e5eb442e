"""Which upstreams list a file, so that what is attached to it is verified by their trust."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from inbond.cli.foundation import Looking
from inbond.gateway.page_state import PageState
from inbond.model.errors import InbondError, NotFound
from inbond.model.names import Filename
from inbond.model.page import Claim, File


class NotAttached(InbondError):
    """Nothing was stored, or nothing was there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """An upstream that has the file. `warning`: why what is attached will not count there."""

    upstream: str
    warning: str | None = None


async def places_of(look: Looking, filename: Filename, sha256: str) -> tuple[Beside, ...]:
    """The upstreams on whose pages this very file stands.

    Raises `NotAttached` where other bytes stand there under its name, `NotFound` where it stands nowhere, and
    `UpstreamFault` where one does not answer.
    """
    listed = [(state, file) async for state, file in _listed(look, filename)]
    here = [(state, file) for state, file in listed if file.sha256 in {sha256, None}]
    if here:
        return tuple(Beside(upstream=state.upstream, warning=_warning(state, file)) for state, file in here)
    if listed:
        state, file = listed[0]
        raise NotAttached(
            f"upstream {state.upstream} lists other bytes of {filename}: {file.sha256}, FILE has {sha256}",
            remedy="attach the bundle that was written beside the file that is published",
        )
    raise NotFound(
        f"no upstream lists {filename}",
        remedy="publish it first, or say with --upstream NAME by whose trust the bundle is verified",
    )


async def _listed(look: Looking, filename: Filename) -> AsyncIterator[tuple[PageState, File]]:
    """The file as every upstream has it, asked as the indexes would ask: owned names do not leak."""
    asked = set()
    for index in look.indexes.values():
        for project in index.projects_for(filename):
            for upstream in index.sought_at(project, look.pages.fed):
                if (upstream, project) in asked:
                    continue
                asked.add((upstream, project))
                state = await look.pages.current(upstream, project)
                file = state.page.file(filename) if state is not None else None
                if state is not None and file is not None:
                    yield state, file


def _warning(state: PageState, file: File) -> str | None:
    if isinstance(file.provenance, Claim):
        return None
    own = f"upstream {state.upstream} names provenance of its own for {file.filename}"
    return f"{own}; that counts, and not what is attached"

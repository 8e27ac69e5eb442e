"""Finding one file on an index and judging it, as a request for it would be."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from inbond.check.files import JudgedFile, Result
from inbond.cli.check_locks import PATIENT, base_url, index_named
from inbond.cli.config import Config
from inbond.cli.foundation import Looking, looking
from inbond.cli.verifying import verifying
from inbond.gateway.indexes import Index, require_page
from inbond.gateway.page_state import PageState
from inbond.model.errors import ConfigurationError, NotFound
from inbond.model.names import ProjectName
from inbond.model.text import counted
from inbond.model.verdict import Judgement

MAX_NEAR: Final = 3  # filenames that a wrong one may have been meant to be
JUDGED_WITHIN: Final = 60.0  # seconds: nobody's installer waits


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A file's verdict, and what stands around it. `origin`: inbond's address, as links to explanations name it."""

    judgement: Judgement
    policy: str
    first_seen: datetime | None
    origin: str

    @property
    def result(self) -> Result:
        """What it comes to, as `inbond check` counts."""
        return JudgedFile(judgement=self.judgement).result


async def run(config: Config, *, project: str, file: str, index: str) -> Story:
    """Judges the file with the real verifier. Raises `NotFound`, `UpstreamFault` and `OperatorFault`."""
    async with verifying(config) as (upstreams, verifier), looking(config, upstreams, verifier, limits=PATIENT) as look:
        asked = index_named(look, index)
        state = await require_page(look.pages, asked, _project(project))
        return await _story(look, asked, state, file, origin=base_url(config))


async def _story(look: Looking, index: Index, state: PageState, name: str, *, origin: str) -> Story:
    file = state.page.file(name)
    if file is None:
        raise NotFound(
            f"the page of {state.page.name} on index {index.name} lists no file {name!a}", remedy=_near(state, name)
        )
    (judgement,) = await look.judge.files(index, state, [file], within=JUDGED_WITHIN)
    if file.sha256 is not None:  # the link that is shown leads somewhere, also where nothing stops the file
        await look.why.keep([file.sha256])
    return Story(
        judgement=judgement,
        policy=index.policy.name,
        first_seen=state.memory.first_seen.get(file.filename),
        origin=origin,
    )


def _project(text: str) -> ProjectName:
    try:
        return ProjectName(text)
    except ValueError as error:
        raise ConfigurationError(str(error), remedy="name a project, and then one of its files") from error


def _near(state: PageState, name: str) -> str:
    near = difflib.get_close_matches(name, [str(file.filename) for file in state.page.files], n=MAX_NEAR, cutoff=0.6)
    listed = ", ".join(near) if near else f"{counted(len(state.page.files), 'file')} under other names"
    return f"it lists {listed}"

"""What a person wants to know beside a verdict: when the file came, and what became of its project so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from packaging.version import Version

from inbond.gateway.indexes import Index
from inbond.gateway.judging import Judge, Judged
from inbond.gateway.off_loop import off_loop
from inbond.gateway.page_state import PageState
from inbond.model.names import Filename
from inbond.model.page import File
from inbond.model.standing import Standing
from inbond.model.verdict import Judgement
from inbond.policy.case import Case, PageCase, evidence_of
from inbond.policy.timeline import Timeline, timeline


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectBackground:
    """A project as it stands on one index, from what is known: nothing is fetched for it."""

    judged: Judged
    timeline: Timeline
    standing: Standing  # without what was decided for other indexes alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """A file's, and its project's. `trusted_time` is None where the index gives no time that could be trusted."""

    first_seen: datetime | None
    trusted_time: datetime | None
    project: ProjectBackground


async def background_of(judge: Judge, index: Index, state: PageState, judgement: Judgement) -> Background:
    """The background of a file that was judged."""
    file = judgement.file
    project = await project_background(judge, index, state, about=state.page.version_of(file))
    shared = _shared(index, state, project.standing, project.judged.at)
    time = Case(shared=shared, file=file, evidence=judgement.evidence).trusted_time
    return Background(
        first_seen=state.memory.first_seen.get(file.filename),
        trusted_time=time if isinstance(time, datetime) else None,
        project=project,
    )


async def project_background(
    judge: Judge, index: Index, state: PageState, *, about: Version | None = None
) -> ProjectBackground:
    """The background of a project. `about`: a version that its timeline shows in any case."""
    judged, standing = await judge.page(index, state), judge.standing(state).on(index.name)
    told = await off_loop(
        len(state.page.files),
        timeline,
        _shared(index, state, standing, judged.at),
        evidence=judged.evidence,
        verdicts=judged.verdicts,
        about=about,
    )
    return ProjectBackground(judged=judged, timeline=told, standing=standing)


def trusted_times(
    index: Index, state: PageState, told: ProjectBackground, files: Sequence[File]
) -> Mapping[Filename, datetime | None]:
    """The trusted time of some of a project's files; None where the index gives none that could be trusted."""
    shared = _shared(index, state, told.standing, told.judged.at)
    evidence = told.judged.evidence
    times = {
        file.filename: Case(shared=shared, file=file, evidence=evidence_of(file, evidence)).trusted_time
        for file in files
    }
    return {name: time if isinstance(time, datetime) else None for name, time in times.items()}


def _shared(index: Index, state: PageState, standing: Standing, now: datetime) -> PageCase:
    return PageCase.of(
        index=index.name, page=state.page, memory=state.memory, settings=index.policy, now=now, standing=standing
    )

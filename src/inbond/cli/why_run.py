"""Finding a file or a release on an index and judging it, as a request for it would be."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from packaging.version import Version

from inbond.check.files import JudgedFile, Result, worst
from inbond.check.selection import release_files
from inbond.cli.check_locks import PATIENT, base_url, index_named
from inbond.cli.config import Config
from inbond.cli.foundation import Looking, looking
from inbond.cli.verifying import verifying
from inbond.gateway.background import Background, ProjectBackground, background_of, project_background
from inbond.gateway.indexes import Index, require_page
from inbond.gateway.page_state import PageState
from inbond.model.errors import ConfigurationError, NotFound
from inbond.model.imports import ImportedProject
from inbond.model.names import Kind, ProjectName
from inbond.model.page import File, Page, Status
from inbond.model.text import counted
from inbond.model.verdict import Judgement

MAX_NEAR: Final = 3  # names that a wrong one may have been meant to be
JUDGED_WITHIN: Final = 60.0  # seconds: nobody's installer waits
LOOKED_AT: Final = 5  # releases, the newest: their provenance is asked for, so that a project's story tells something
MAX_LOOKED_AT_FILES: Final = 200  # of them together; the release in question is looked at whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A file's verdict, and what stands around it. `origin`: inbond's address, as links to explanations name it.

    `imported`: what the project's page comes from, where it comes from an import.
    """

    judgement: Judgement
    policy: str
    background: Background
    origin: str
    imported: ImportedProject | None = None

    @property
    def result(self) -> Result:
        """What it comes to, as `inbond check` counts."""
        return JudgedFile(judgement=self.judgement).result


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectStory:
    """A release's verdicts, and its project. `version` is the one that was asked for, or else the newest."""

    project: ProjectName
    version: Version
    index: str
    policy: str
    at: datetime
    judgements: tuple[Judgement, ...]
    background: ProjectBackground
    origin: str
    imported: ImportedProject | None = None

    @property
    def result(self) -> Result:
        """The worst of its files."""
        return worst(JudgedFile(judgement=one).result for one in self.judgements)

    @property
    def instead(self) -> str | None:
        """Another version that can be had now, where a file of this one cannot."""
        return next((one.newest_allowed for one in self.judgements if one.newest_allowed is not None), None)


async def run(config: Config, *, project: str, file: str | None, index: str) -> Story | ProjectStory:
    """Judges the file or the release with the real verifier. Raises `NotFound`, `UpstreamFault`, `OperatorFault`."""
    name, version = _wanted(project, file)
    async with verifying(config) as (upstreams, verifier), looking(config, upstreams, verifier, limits=PATIENT) as look:
        asked = index_named(look, index)
        state = await require_page(look.pages, asked, name)
        if file is not None:
            return await _story(look, asked, state, file, origin=base_url(config))
        return await _project_story(look, asked, state, version, origin=base_url(config))


async def _story(look: Looking, index: Index, state: PageState, name: str, *, origin: str) -> Story:
    file = state.page.file(name)
    if file is None:
        page = f"the page of {state.page.name} on index {index.name}"
        raise NotFound(f"{page} lists no file {name!a}{_marked(state.page)}", remedy=_near(state, name))
    (judgement,) = await look.judge.files(index, state, [file], within=JUDGED_WITHIN)
    if file.sha256 is not None:  # the link that is shown leads somewhere, also where nothing stops the file
        await look.why.keep([file.sha256])
    return Story(
        judgement=judgement,
        policy=index.policy.name,
        background=await background_of(look.judge, index, state, judgement),
        origin=origin,
        imported=await look.imports.project(state.upstream, state.page.name),
    )


async def _project_story(
    look: Looking, index: Index, state: PageState, wanted: Version | None, *, origin: str
) -> ProjectStory:
    version = _release(state, index, wanted)
    files = release_files(state.page, version)
    beside = [file for file in _newest_files(state.page) if file not in files][:MAX_LOOKED_AT_FILES]
    judged = await look.judge.files(index, state, [*files, *beside], within=JUDGED_WITHIN)
    return ProjectStory(
        project=state.page.name,
        version=version,
        index=index.name,
        policy=index.policy.name,
        at=look.clock(),
        judgements=judged[: len(files)],
        background=await project_background(look.judge, index, state, about=version),
        origin=origin,
        imported=await look.imports.project(state.upstream, state.page.name),
    )


def _release(state: PageState, index: Index, wanted: Version | None) -> Version:
    versions = _versions(state.page)
    if wanted is None and versions:
        return versions[0]
    if wanted is None or wanted not in versions:
        which = f"release {wanted}" if wanted is not None else "release whose version can be read"
        near = difflib.get_close_matches(str(wanted), map(str, versions), n=MAX_NEAR) or list(map(str, versions[:1]))
        remedy = f"it lists {', '.join(near)}" if near else "ask about one of its files" if state.page.files else None
        page = f"the page of {state.page.name} on index {index.name}"
        raise NotFound(f"{page} lists no {which}{_marked(state.page)}", remedy=remedy)
    return wanted


def _marked(page: Page) -> str:
    """The project's status (PEP 792), where it may be why something is missing."""
    if page.status == Status.ACTIVE:
        return ""
    reason = f": {page.status_reason}" if page.status_reason else ""
    return f"; the index has marked the project {page.status}{reason}"


def _versions(page: Page) -> list[Version]:
    """The best first, as installers would take them: final releases before others."""
    found = {page.version_of(file) for file in page.files if file.kind is not Kind.LEGACY} - {None}
    known = [version for version in found if version is not None]
    return sorted(known, key=lambda version: (not version.is_prerelease, version), reverse=True)


def _newest_files(page: Page) -> Sequence[File]:
    return [file for version in _versions(page)[:LOOKED_AT] for file in release_files(page, version)]


def _wanted(text: str, file: str | None) -> tuple[ProjectName, Version | None]:
    """A project, or one of its releases as in `flask==3.1.0`. Raises `ConfigurationError`."""
    name, equals, version = text.partition("==")
    try:
        if not equals:
            return ProjectName(text), None
        if file is None:
            return ProjectName(name.strip()), Version(version.strip())
    except ValueError as error:
        raise ConfigurationError(
            str(error), remedy="name a project, or a release as in 'flask==3.1.0', or a project and then its file"
        ) from error
    raise ConfigurationError(
        f"{text!a} names a release already", remedy="name a project and a file, or a release alone"
    )


def _near(state: PageState, name: str) -> str:
    near = difflib.get_close_matches(name, [str(file.filename) for file in state.page.files], n=MAX_NEAR, cutoff=0.6)
    listed = ", ".join(near) if near else f"{counted(len(state.page.files), 'file')} under other names"
    return f"it lists {listed}"

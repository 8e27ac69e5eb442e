"""The whole story of one file on one index, for the pages that tell it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiohttp import web

from inbond.gateway.background import Background
from inbond.gateway.located import Located
from inbond.gateway.why import Subject
from inbond.model.errors import InbondError, NotFound
from inbond.model.evidence import Absent, Pending, Unavailable, VerifiedAttestation
from inbond.model.imports import ImportedProject
from inbond.model.verdict import Decision, Judgement
from inbond.policy.explain import commands
from inbond.web.operations import IMPORTS
from inbond.web.origin import origin_of
from inbond.web.places import file_href, project_href, why_href
from inbond.web.project_json import standing_json, timeline_json
from inbond.web.simple_routes import GATEWAY
from inbond.web.verdict_json import evidence_json, judgement_json, timestamp


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A story that can be told."""

    subject: Subject
    located: Located
    judgement: Judgement
    background: Background
    imported: ImportedProject | None  # what brought its project, where that was imported

    @property
    def error(self) -> None:
        """None: see `Untold`."""
        return

    @property
    def evidence(self) -> dict[str, Any]:
        """As JSON has it."""
        return evidence_json(self.judgement.evidence)

    @property
    def logged(self) -> datetime | None:
        """When a transparency log took the latest of the file's verified signatures."""
        return logged_at(self.judgement)

    @property
    def commands(self) -> tuple[str, ...]:
        """Those that let it through."""
        return tuple(commands(self.judgement))

    @property
    def instead(self) -> str | None:
        """A requirement that can be had now."""
        if self.judgement.verdict.allowed or self.judgement.newest_allowed is None:
            return None
        return f"{self.judgement.project}=={self.judgement.newest_allowed}"

    @property
    def verdict_url(self) -> str:
        """Where the verdict is as JSON."""
        return f"/-/verdict/{self.subject.index}/{self.subject.project}/{self.subject.filename}"

    @property
    def file_url(self) -> str:
        """The page of the file."""
        return file_href(self.subject.index, self.subject.project, self.subject.filename)

    @property
    def project_url(self) -> str:
        """The page of its project."""
        return project_href(self.subject.index, self.subject.project)

    @property
    def why_url(self) -> str | None:
        """The page that tells of it on every index; None for one without a digest."""
        return why_href(self.judgement.file.sha256)

    @property
    def gravity(self) -> int:
        """What is stopped comes first."""
        return {Decision.DENY: 0, Decision.HOLD: 1, Decision.ALLOW: 3}[self.judgement.verdict.decision]


@dataclass(frozen=True, slots=True, kw_only=True)
class Untold:
    """One that cannot be told now, and why."""

    subject: Subject
    error: InbondError

    @property
    def gravity(self) -> int:
        """Behind what is stopped."""
        return 2


async def story_of(request: web.Request, subject: Subject) -> Told:
    """The story of a file. Raises `NotFound`, and as a request for the file's verdict does."""
    gateway = request.app[GATEWAY]
    index, project, filename = subject.key
    located = await gateway.files.named(gateway.index(index), project, filename)
    judgement = await gateway.files.judgement(located)
    background = await gateway.files.background(located, judgement)
    imported = await request.app[IMPORTS].project(located.state.upstream, located.state.page.name)
    return Told(subject=subject, located=located, judgement=judgement, background=background, imported=imported)


async def story_or_error(request: web.Request, subject: Subject) -> Told | Untold | None:
    """The same; None where there is no such file any more."""
    try:
        return await story_of(request, subject)
    except NotFound:
        return None
    except InbondError as error:
        return Untold(subject=subject, error=error)


def story_json(request: web.Request, told: Told) -> dict[str, Any]:
    """A story, ready to encode: the verdict, the file's own facts, and its project's background."""
    file, background = told.judgement.file, told.background
    return {
        "verdict": judgement_json(told.judgement, origin_of(request)),
        "headline": told.judgement.headline,
        "version": told.judgement.version,
        "size": file.size,
        "requires_python": file.requires_python,
        "yanked": file.yanked,
        "uploaded_at": timestamp(file.upload_time),
        "logged_at": timestamp(told.logged),
        "first_seen": timestamp(background.first_seen),
        "trusted_time": timestamp(background.trusted_time),
        "instead": told.instead,
        "timeline": timeline_json(background.project.timeline),
        "standing": standing_json(background.project.standing, background.project.judged.at),
    }


def logged_at(judgement: Judgement) -> datetime | None:
    """When a transparency log took the latest of the file's verified signatures."""
    evidence = judgement.evidence
    attestations = () if isinstance(evidence, Absent | Pending | Unavailable) else evidence.attestations
    times = [one.signed_at for one in attestations if isinstance(one, VerifiedAttestation) and one.signed_at]
    return max(times, default=None)

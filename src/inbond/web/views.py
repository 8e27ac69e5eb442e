"""The pages for people, rendered on the server; they work without script and load nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined

from inbond import __version__
from inbond.gateway.why import Subject
from inbond.model.errors import InbondError, NotFound
from inbond.model.evidence import Absent, EvidenceState, Pending, Unavailable, VerifiedAttestation
from inbond.model.units import format_duration, format_size
from inbond.model.verdict import Decision, Judgement
from inbond.policy.explain import commands, ending_of, waived
from inbond.policy.meanings import MEANINGS
from inbond.policy.release_trust import ReleaseTrust
from inbond.policy.remedies import ended
from inbond.policy.rule import stamp
from inbond.policy.settings import EVERY_RULE, Attestations, PolicySettings
from inbond.web.identity_facts import identity_facts
from inbond.web.operations import IMPORTS
from inbond.web.origin import origin_of
from inbond.web.simple_routes import GATEWAY
from inbond.web.verdict_json import evidence_json

CSP: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
STATIC: Final = Path(__file__).parent / "static"
MAX_AGE: Final = "public, max-age=300"  # seconds: a new version's style is seen after five minutes
UPSTREAMS: Final = web.AppKey[Mapping[str, str]]("upstreams")  # the address of each upstream, by name


# What the policy's and the evidence's words mean, for people who have not read the manual.
ATTESTATIONS: Final[Mapping[str, str]] = {
    Attestations.OFF: "not looked at",
    Attestations.IF_PRESENT: "genuine where there are any; forged ones are refused, files without any pass",
    Attestations.REQUIRE: "required; files without genuine ones are refused",
}
STATES: Final[Mapping[str, str]] = {
    EvidenceState.ABSENT: "none (absent)",
    EvidenceState.VERIFIED: "there, and genuine (verified)",
    EvidenceState.REJECTED: "there, but wrong (rejected)",
    EvidenceState.UNSUPPORTED: "there, but cannot be judged (unsupported)",
    EvidenceState.UNAVAILABLE: "could not be had (unavailable)",
    EvidenceState.PENDING: "not looked at (pending)",
}
TRUSTS: Final[Mapping[str | None, str]] = {
    None: "not all looked at",
    ReleaseTrust.NO: "no",
    ReleaseTrust.FULL: "full",
    ReleaseTrust.PARTIAL: "partial",
    ReleaseTrust.INCONSISTENT: "inconsistent",
}
BADGES: Final[Mapping[str, str]] = {
    "allowed": "allow",
    "held": "hold",
    "in part": "hold",
    "stopped": "deny",
    "denied": "deny",
}


def _date(moment: datetime | str | None) -> str:
    if moment is None:
        return "not known"
    return stamp(datetime.fromisoformat(moment) if isinstance(moment, str) else moment)


def _enforcement(policy: PolicySettings) -> str:
    if not policy.audit:
        return "what the policy does not let through is refused"
    if EVERY_RULE in policy.audit:
        return "nothing is refused: all rules only record what they find"
    return f"these rules only record what they find: {', '.join(sorted(policy.audit))}; the others refuse"


def _shown(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


_pages: Final = Environment(
    loader=PackageLoader("inbond.web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_pages.filters.update(
    date=_date,
    end=ending_of,
    size=format_size,
    duration=format_duration,
    ended=ended,
    enforcement=_enforcement,
    facts=identity_facts,
    waived=waived,
)
_pages.globals.update(
    version=__version__, attestations=ATTESTATIONS, states=STATES, trusts=TRUSTS, badges=BADGES, meanings=MEANINGS
)


def _page(template: str, *, status: HTTPStatus = HTTPStatus.OK, **values: Any) -> web.Response:
    text = _pages.get_template(template).render(**values)
    return web.Response(
        status=status, body=text.encode(), headers={**HEADERS, "Content-Type": "text/html; charset=utf-8"}
    )


async def home(request: web.Request) -> web.Response:
    """`GET /`: what this is, how to point an installer at it, and what stands behind each index."""
    indexes = request.app[GATEWAY].indexes.values()
    urls = request.app.get(UPSTREAMS, {})
    upstreams = {name: _shown(urls.get(name, name)) for index in indexes for name in index.upstreams}
    imported = await request.app[IMPORTS].known()
    fed = {one.name: one for one in imported.upstreams}
    return _page(
        "home.html",
        origin=origin_of(request),
        indexes=list(indexes),
        upstreams=upstreams,
        fed=fed,
        offline=request.app[IMPORTS].offline,
        imports=imported.imports if fed else (),
    )


async def style(_request: web.Request) -> web.Response:
    """`GET /-/static/inbond.css`."""
    return _static("inbond.css", "text/css; charset=utf-8")


async def favicon(_request: web.Request) -> web.Response:
    """`GET /-/static/favicon.svg`."""
    return _static("favicon.svg", "image/svg+xml")


def _static(name: str, media_type: str) -> web.Response:
    headers = {**HEADERS, "Content-Type": media_type, "Cache-Control": MAX_AGE}
    return web.Response(body=(STATIC / name).read_bytes(), headers=headers)


async def why(request: web.Request) -> web.Response:
    """`GET /why/{digits}`: the whole story of a file, on every index where it is known."""
    gateway = request.app[GATEWAY]
    prefix = request.match_info["digits"]
    stories: list[dict[str, Any]] = []
    for subject in await gateway.why.find(prefix):
        story = await _story(request, subject)
        if story is not None:
            stories.append(story)
    if not stories:
        return _page("why_unknown.html", status=HTTPStatus.NOT_FOUND, prefix=prefix, origin=origin_of(request))
    return _page("why.html", stories=sorted(stories, key=_gravity), prefix=prefix)


def _gravity(story: Mapping[str, Any]) -> int:
    """What is stopped comes first, then what cannot be told."""
    if story["error"] is not None:
        return 2
    return {Decision.DENY: 0, Decision.HOLD: 1, Decision.ALLOW: 3}[story["judgement"].verdict.decision]


async def _story(request: web.Request, subject: Subject) -> dict[str, Any] | None:
    gateway = request.app[GATEWAY]
    try:
        index, project, filename = subject.key
        located = await gateway.files.named(gateway.index(index), project, filename)
        judgement = await gateway.files.judgement(located)
        background = await gateway.files.background(located, judgement)
        imported = await request.app[IMPORTS].project(located.state.upstream, located.state.page.name)
    except NotFound:
        return None
    except InbondError as error:
        return {"subject": subject, "error": error}
    return {
        "subject": subject,
        "error": None,
        "judgement": judgement,
        "evidence": evidence_json(judgement.evidence),
        "verdict_url": f"/-/verdict/{index}/{project}/{filename}",
        "background": background,
        "logged": logged_at(judgement),
        "commands": commands(judgement),
        "instead": _instead(judgement),
        "imported": imported,
    }


def logged_at(judgement: Judgement) -> datetime | None:
    """When a transparency log took the latest of the file's verified signatures."""
    evidence = judgement.evidence
    attestations = () if isinstance(evidence, Absent | Pending | Unavailable) else evidence.attestations
    times = [one.signed_at for one in attestations if isinstance(one, VerifiedAttestation) and one.signed_at]
    return max(times, default=None)


def _instead(judgement: Judgement) -> str | None:
    """A requirement that can be had now."""
    if judgement.verdict.allowed or judgement.newest_allowed is None:
        return None
    return f"{judgement.project}=={judgement.newest_allowed}"

"""What each route is for, by its name. A route that is not told here is in no application: see `openapi.describe`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from inbond.model.acts import ActKind
from inbond.model.denials import Stopped
from inbond.policy.engine import RULE_NAMES
from inbond.reporting.trail import Requests
from inbond.simple.negotiate import Format
from inbond.web import openapi_bodies as bodies
from inbond.web import openapi_shapes as shapes
from inbond.web.audit_pages import LINES, AuditPage
from inbond.web.decision_pages import DecisionPage, DecisionsPage
from inbond.web.denial_pages import DenialsPage
from inbond.web.file_pages import FileFacts
from inbond.web.file_routes import INTEGRITY_TYPE
from inbond.web.form_pages import FormPage
from inbond.web.openapi_operation import (
    BYTES,
    FORM,
    FORMAT,
    HTML,
    JSON,
    PAGE,
    SENT,
    TEXT,
    UPSTREAM,
    Operation,
    Query,
    page,
    text,
    told,
    write,
)
from inbond.web.overview_facts import Overview
from inbond.web.project_pages import ProjectFacts
from inbond.web.review_facts import EntryPage, ReviewPage
from inbond.web.search_pages import SearchFacts
from inbond.web.send import FILE_TYPE
from inbond.web.sign_in_routes import SignInFacts
from inbond.web.token_facts import MadePage, TokenPage, TokensPage
from inbond.web.trust_pages import TrustFacts
from inbond.web.upstream_pages import UpstreamsFacts
from inbond.web.views import UseFacts, WhyFacts

# Routes that are no part of the interface: they lead those on who come by another path.
NOT_DESCRIBED: Final[Mapping[str, str]] = {
    "osv-misaimed": "it tells whoever left the slash out of OSV's address",
    "long-form": "it leads from /root/… to the short form",
}
TAGS: Final[Mapping[str, str]] = {
    "index": "What installers ask for: the Simple API, files, metadata and provenance.",
    "explaining": "What was decided, and why.",
    "looking": "How things stand; each page, and its facts as JSON.",
    "deciding": "Waivers, rejections, pins and the review queue.",
    "access": "Signing in, and tokens.",
    "audit": "Who did what.",
    "advisories": "OSV's API, on the advisories that are in force here.",
    "operations": "For those who run inbond.",
}
_INDEX: Final = text("index", "Of one index alone.", "root")
_PROJECT: Final = text("project", "Of one project alone.", "sampleproject")
_SINCE: Final = text("since", "How far back: a length.", "30d")
_ANY_FORMAT: Final = Query(name="format", said="`json` or `html`, or a media type; it wins over Accept.")
_SIMPLE: Final = {Format.HTML_V1.value: TEXT, HTML: TEXT}


def _enum(name: str, said: str, *words: str) -> Query:
    return Query(name=name, said=said, schema={"enum": sorted(words)})


def _index() -> dict[str, Operation]:
    json_type = Format.JSON_V1.value
    return {
        "list": told(
            "index", "The list of projects", {json_type: shapes.SimpleList, **_SIMPLE}, _ANY_FORMAT,
            statuses=(304, 406, *UPSTREAM),
        ),
        "page": told(
            "index", "A project's page", {json_type: shapes.SimplePage, **_SIMPLE}, _ANY_FORMAT,
            statuses=(302, 304, 406, *UPSTREAM),
        ),
        "list-bare": Operation(tag="index", summary="Leads to the list", answers={}, statuses=(302, 404)),
        "page-bare": Operation(tag="index", summary="Leads to the page", answers={}, statuses=(302, 404)),
        "file": Operation(
            tag="index",
            summary="A file, or with .metadata behind its name its core metadata; a denial is 403 and says why",
            answers={200: {FILE_TYPE: BYTES}, 206: {FILE_TYPE: BYTES}},
            statuses=(304, 416, *UPSTREAM),
        ),
        "provenance": told(
            "index", "A file's provenance (Integrity API), upstream's bytes unchanged", {INTEGRITY_TYPE: {}},
            statuses=(304, *UPSTREAM),
        ),
    }  # fmt: skip


def _explaining() -> dict[str, Operation]:
    return {
        "verdict": told("explaining", "The verdict on a file", {JSON: shapes.Verdict}, statuses=UPSTREAM),
        "why": Operation(
            tag="explaining",
            summary="A file on every index, by the first 12 digits of its sha256",
            answers={200: {JSON: WhyFacts, HTML: TEXT}, 404: {JSON: WhyFacts, HTML: TEXT}},
            statuses=(406,),
            query=(FORMAT,),
            for_people=True,
        ),
        "file-page": page("explaining", "A file on an index, and who fetched it", FileFacts, statuses=UPSTREAM),
        "project": page(
            "explaining",
            "A project on an index: its files as installers see them, and its publishers",
            ProjectFacts,
            text("release", "Files of this release alone.", "4.0.0"),
            _enum("only", "Leaves out what is allowed.", "stopped"),
            PAGE,
            statuses=UPSTREAM,
        ),
    }


def _looking() -> dict[str, Operation]:
    return {
        "home": page("looking", "How things stand", Overview),
        "use": page("looking", "How to point installers here, and the indexes", UseFacts),
        "search": page("looking", "Projects that were seen here", SearchFacts, text("q", "A part of the name."), PAGE),
        "trust": page("looking", "Trusted roots", TrustFacts),
        "upstreams": page("looking", "Upstreams, and whether they answer", UpstreamsFacts),
        "denials": Operation(
            tag="looking",
            summary="What was stopped, by which rule, and how often",
            answers={200: {JSON: DenialsPage, HTML: TEXT}, 422: {JSON: DenialsPage, HTML: TEXT}},
            statuses=(406,),
            query=(
                _INDEX, _PROJECT, _enum("rule", "Of one rule alone.", *RULE_NAMES), _SINCE,
                text("asker", "An address or a principal; operators alone may ask for it."),
                _enum("stopped", "Also what is only recorded.", *Stopped), PAGE, FORMAT,
            ),
            for_people=True,
        ),
    }  # fmt: skip


def _deciding() -> dict[str, Operation]:
    since = (400, 406)
    reviewed = {201: {JSON: shapes.Reviewed}, 200: {JSON: shapes.Reviewed}}
    found = {
        "review": Operation(
            tag="deciding",
            summary="The review queue",
            answers={200: {JSON: ReviewPage, HTML: TEXT}, 422: {JSON: ReviewPage, HTML: TEXT}},
            statuses=(406,),
            query=(_SINCE, _INDEX, PAGE, FORMAT),
            for_people=True,
        ),
        "review-entry": page("deciding", "An entry of the queue", EntryPage, _SINCE, statuses=(404, *since)),
        "review-accept": write(
            "deciding", "Lets it through, by a waiver or by pins", bodies.Acceptance, reviewed, 404, 409
        ),
        "review-reject": write(
            "deciding", "Denies it until that is revoked", bodies.Reasoned, reviewed, 404, 409
        ),
    }  # fmt: skip
    for name, wanted, made, ended in (
        ("waiver", bodies.WaiverWanted, shapes.MadeWaiver, shapes.EndedWaiver),
        ("rejection", bodies.RejectionWanted, shapes.MadeRejection, shapes.EndedRejection),
        ("pin", bodies.PinWanted, shapes.MadePin, shapes.EndedPin),
    ):
        states = _enum("state", "How they stand.", "in force", "expired", "revoked", "all")
        found |= {
            f"{name}s": page("deciding", f"The {name}s", DecisionsPage, states, _PROJECT, PAGE),
            name: page("deciding", f"A {name}", DecisionPage, statuses=(404,)),
            f"{name}-new": page("deciding", f"The form that makes a {name}", FormPage),
            f"{name}-make": write("deciding", f"Makes a {name}", wanted, {201: {JSON: made}, 200: {JSON: made}}, 409),
            f"{name}-revoke": write(
                "deciding", f"Ends a {name}", bodies.Reasoned, {200: {JSON: ended}}, 404, 409
            ),
        }  # fmt: skip
    return found


def _access() -> dict[str, Operation]:
    states = _enum("state", "How they stand.", "in force", "expired", "revoked", "all")
    form = {FORM: bodies.SignInWanted}
    return {
        "signin": page("access", "The form to sign in with a browser", SignInFacts),
        "signin-send": Operation(
            tag="access",
            summary="Begins a session",
            answers={403: {JSON: SignInFacts, HTML: TEXT}, 429: {JSON: SignInFacts, HTML: TEXT}},
            statuses=(303, 406, *SENT),
            sent=form,
            for_people=True,
        ),
        "signout": Operation(
            tag="access", summary="Ends a session", answers={}, statuses=(303, 403, *SENT),
            sent={FORM: bodies.SignOutWanted},
        ),
        "tokens": page("access", "The tokens", TokensPage, states, PAGE),
        "token": page("access", "A token", TokenPage, statuses=(404,)),
        "token-new": page("access", "The form that makes a token", FormPage),
        "token-make": Operation(
            tag="access",
            summary="Makes a token, which is told in this answer alone",
            answers={201: {JSON: MadePage, HTML: TEXT}},
            statuses=(406, 409, 422, *SENT),
            sent={JSON: bodies.TokenWanted, FORM: {"type": "object", "additionalProperties": TEXT}},
            for_people=True,
        ),
        "token-revoke": write("access", "Ends a token", bodies.Nothing, {200: {JSON: shapes.EndedToken}}, 404, 409),
    }  # fmt: skip


def _rest() -> dict[str, Operation]:
    until = text("until", "Up to when: a length or a date.", "7d")
    filters = (
        _SINCE, until, _enum("kind", "Of one kind alone.", *ActKind), text("by", "Of one principal alone."), _INDEX,
        _PROJECT,
    )  # fmt: skip
    known = (400, *SENT)
    return {
        "audit": Operation(
            tag="audit",
            summary="Acts, the newest first",
            answers={200: {JSON: AuditPage, HTML: TEXT}, 422: {JSON: AuditPage, HTML: TEXT}},
            statuses=(406,),
            query=(*filters, text("before", "The place before which the list begins."), FORMAT),
            for_people=True,
        ),
        "audit-export": told(
            "audit", "All that fits, a line of JSON each: docs/audit.md", {LINES: TEXT}, *filters,
            _enum("requests", "Which requests for files stand among the acts.", *Requests), statuses=(422,),
        ),
        "osv-query": Operation(
            tag="advisories", summary="The records about a project, or one of its versions",
            answers={200: {JSON: shapes.OsvAnswer}}, statuses=known, sent={JSON: bodies.OsvQuestion},
        ),
        "osv-querybatch": Operation(
            tag="advisories", summary="Ids of records, for many questions at once",
            answers={200: {JSON: shapes.OsvAnswers}}, statuses=known, sent={JSON: bodies.OsvQuestions},
        ),
        "osv-record": told("advisories", "A record as it was published", {JSON: {"type": "object"}}, statuses=(404,)),
        "live": told("operations", "The process answers", {JSON: shapes.Live}),
        "ready": Operation(
            tag="operations", summary="Whether requests are to be sent here",
            answers={200: {JSON: shapes.Ready}, 503: {JSON: shapes.Ready}},
        ),
        "metrics": told("operations", "Metrics, as Prometheus reads them", {"text/plain": TEXT}),
        "openapi": told("operations", "This description", {JSON: {"type": "object"}}),
        "static": told("operations", "The style of the pages", {"text/css": TEXT}),
        "favicon": told("operations", "The icon of the pages", {"image/svg+xml": TEXT}),
    }  # fmt: skip


def operations() -> dict[str, Operation]:
    """All of them by the names of their routes, those of the index root standing for every index's."""
    return _index() | _explaining() | _looking() | _deciding() | _access() | _rest()

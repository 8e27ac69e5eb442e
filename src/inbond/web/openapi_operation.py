"""What an operation takes and answers, told once for each route: what the OpenAPI description is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

HTML: Final = "text/html"
JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"
TEXT: Final[Mapping[str, Any]] = {"type": "string"}
BYTES: Final[Mapping[str, Any]] = {}

Schema = type[msgspec.Struct] | Mapping[str, Any]

# What each status that is no success says, wherever it is answered.
FAILURES: Final[Mapping[int, str]] = {
    400: "It is no request that can be read, or its body is not what it is called.",
    401: "Sign-in is needed, or the credentials that came are not in force.",
    403: "It is not permitted, or did not come from a page of this inbond; of files: the policy says no.",
    404: "There is none.",
    405: "Nothing is written under this path: what stands in it is none of what is meant.",
    406: "This format is not offered.",
    408: "The body did not arrive in time.",
    409: "This cannot be done as things stand.",
    413: "The body is too large.",
    415: "The body is coded, or of another type.",
    416: "The range is not in the file.",
    421: "The host's name is none that is served here.",
    422: "Some fields cannot be used; `errors` has what is wrong with each.",
    429: "Too many credentials that are not in force came from here.",
    502: "The index behind inbond did not deliver.",
    503: "It cannot be answered now; `Retry-After` says when to come again.",
    504: "The index behind inbond did not answer in time.",
}
REDIRECTS: Final[Mapping[int, str]] = {
    302: "It stands under another path.",
    303: "A browser is led on: after a form to what came of it, and to the form to sign in where that is needed.",
    304: "It is as the client has it.",
}
UPSTREAM: Final = (404, 502, 503, 504)  # what may become of what an index behind inbond has to be asked
SENT: Final = (408, 413, 415)  # what may become of a body


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A field of the query."""

    name: str
    said: str
    schema: Mapping[str, Any] = field(default_factory=lambda: TEXT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What a route is for. `answers`: by status and media type what success looks like; `statuses`: others that it has.

    `sent`: by media type what its body is. `for_people`: whether errors are pages to those who do not ask for JSON.
    """

    tag: str
    summary: str
    answers: Mapping[int, Mapping[str, Schema]]
    statuses: tuple[int, ...] = ()
    query: tuple[Query, ...] = ()
    sent: Mapping[str, Schema] = field(default_factory=dict)
    for_people: bool = False


FORMAT: Final = Query(name="format", said="`json` or `html`; it wins over Accept.", schema={"enum": ["json", "html"]})
PAGE: Final = Query(
    name="page", said="Which part of a long list.", schema={"type": "integer", "minimum": 1, "maximum": 10_000}
)


def text(name: str, said: str, *examples: str) -> Query:
    """A field of the query that is a text."""
    return Query(name=name, said=said, schema={**TEXT, **({"examples": list(examples)} if examples else {})})


def page(
    tag: str, summary: str, facts: type[msgspec.Struct], *query: Query, statuses: tuple[int, ...] = (406,)
) -> Operation:
    """A page for people, and its facts as JSON."""
    return Operation(
        tag=tag,
        summary=summary,
        answers={200: {JSON: facts, HTML: TEXT}},
        statuses=(406, *statuses),
        query=(*query, FORMAT),
        for_people=True,
    )


def write(
    tag: str,
    summary: str,
    wanted: type[msgspec.Struct],
    answers: Mapping[int, Mapping[str, Schema]],
    *statuses: int,
) -> Operation:
    """What a form of a page sends, or a program as JSON."""
    return Operation(
        tag=tag,
        summary=summary,
        answers=answers,
        statuses=(303, 406, 422, *SENT, *statuses),
        sent={JSON: wanted, FORM: {"type": "object", "additionalProperties": TEXT}},
        for_people=True,
    )


def told(
    tag: str, summary: str, media: Mapping[str, Schema], *query: Query, statuses: tuple[int, ...] = ()
) -> Operation:
    """What is for programs."""
    return Operation(tag=tag, summary=summary, answers={200: media}, statuses=statuses, query=query)

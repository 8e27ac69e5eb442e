"""The HTTP interface as an OpenAPI 3.1 description, made from the routes and the structs behind them.

A route that nobody has described builds no application, so what is served is what is described.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from inbond import __version__
from inbond.access.needs import Open
from inbond.access.roles import Role
from inbond.web.openapi_components import components, schema, types_of
from inbond.web.openapi_operation import FAILURES, HTML, REDIRECTS, Operation, Query, Schema
from inbond.web.openapi_operations import NOT_DESCRIBED, TAGS, operations
from inbond.web.openapi_shapes import Problem
from inbond.web.problems import CONTENT_TYPE as PROBLEM_TYPE
from inbond.web.routing import Route

VERSION: Final = "3.1.1"  # of OpenAPI
OF_INDEX: Final = "-of-index"  # behind the names of routes that name their index; the others are of root
FIRST_FAILURE: Final = 400
NOT_MODIFIED: Final = 304
HEADERS: Final[Mapping[int, str]] = {
    401: "WWW-Authenticate",
    405: "Allow",
    429: "Retry-After",
    503: "Retry-After",
}
_SECURITY: Final[Mapping[str, Any]] = {
    "token": {"type": "http", "scheme": "basic", "description": "The user name `__token__`, and a token."},
    "bearer": {"type": "http", "scheme": "bearer", "description": "A token, or a statement of a CI system."},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "inbond-session",
        "description": "A browser's, from the form to sign in; over TLS it is called `__Host-inbond-session`. "
        "What it writes comes from a page of this inbond (Origin), with that page's `csrf`.",
    },
}
# What stands in a path, with a pattern where the route has none of its own.
_IN_PATH: Final[Mapping[str, tuple[str, str, str]]] = {
    "index": ("An index.", "[a-z0-9-]+", "root"),
    "project": ("A project's name.", "[^/]+", "sampleproject"),
    "version": ("A release.", "[^/]+", "4.0.0"),
    "filename": ("A file's name.", "[^/]+", "sampleproject-4.0.0.tar.gz"),
    "path": ("What a page gives for the file; it may have slashes.", ".+", "aa/bb/sampleproject-4.0.0.tar.gz"),
    "digits": ("The first 12 digits of the file's sha256.", "", "0ace7980f82c"),
    "id": ("Its id.", "[^/]+", ""),
}


def describe(routes: Sequence[Route]) -> dict[str, Any]:
    """The description. Raises LookupError for a route that is not described, and for a description of none."""
    told = operations()
    described = [one for one in routes if one.name not in NOT_DESCRIBED]
    check({one.name for one in routes}, told)
    paths: dict[str, dict[str, Any]] = {}
    for one in described:
        template, fields = _path(one.path)
        paths.setdefault(template, {})[one.method.lower()] = _operation(one, told[_base(one.name)], fields)
    return {
        "openapi": VERSION,
        "info": {
            "title": "inbond",
            "version": __version__,
            "description": "What can be got by GET can be asked about by HEAD. Every error is problem details "
            "(RFC 9457), or a page for those who asked for one.",
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": said} for name, said in TAGS.items()],
        "paths": paths,
        "components": {
            "securitySchemes": dict(_SECURITY),
            "responses": _shared_responses(),
            "schemas": components(types_of(told.values())),
        },
    }


def _base(name: str) -> str:
    return name.removesuffix(OF_INDEX)


def check(routes: set[str], told: Mapping[str, Operation]) -> None:
    """Raises LookupError for a route that is not described, and for a description of none."""
    names = {_base(name) for name in routes}
    if missing := sorted(names - set(told) - set(NOT_DESCRIBED)):
        raise LookupError(f"routes that openapi_operations does not describe: {', '.join(missing)}")
    if unknown := sorted((set(told) | set(NOT_DESCRIBED)) - names):
        raise LookupError(f"openapi_operations describes what is no route: {', '.join(unknown)}")


def _operation(route: Route, told: Operation, fields: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": route.name,
        "tags": [told.tag],
        "summary": told.summary,
        "security": _security(route),
        "parameters": [*_in_path(fields), *map(_in_query, told.query)],
        "responses": _responses(route, told),
    }
    if told.sent:
        found["requestBody"] = {"required": True, "content": _content(told.sent)}
    return found


def _security(route: Route) -> list[dict[str, list[str]]]:
    """Any of them; `{}`: none, where nothing is needed, or what the configuration may let anybody read."""
    known = [{name: list[str]()} for name in _SECURITY]
    if isinstance(route.need, Open):
        return []
    return [{}, *known] if route.need.role is Role.READER else known


def _path(path: str) -> tuple[str, dict[str, str]]:
    """A route's path as a template, and the pattern of each of its variables, empty where it has none."""
    template, fields, at = "", dict[str, str](), 0
    for begin, end in _variables(path):
        name, _, pattern = path[begin + 1 : end].partition(":")
        template += f"{path[at:begin]}{{{name}}}"
        fields[name] = pattern
        at = end + 1
    return template + path[at:], fields


def _variables(path: str) -> Iterator[tuple[int, int]]:
    """Where each begins and ends; patterns may have braces of their own."""
    depth = begin = 0
    for at, char in enumerate(path):
        if char == "{":
            begin = at if depth == 0 else begin
            depth += 1
        elif char == "}":
            depth -= 1
            if depth == 0:
                yield begin, at


def _in_path(fields: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for name, pattern in fields.items():
        said, usual, example = _IN_PATH[name]
        schema: dict[str, Any] = {"type": "string", "pattern": f"^{pattern or usual}$"}
        if example:
            schema["examples"] = [example]
        yield {"name": name, "in": "path", "required": True, "description": said, "schema": schema}


def _in_query(one: Query) -> dict[str, Any]:
    return {"name": one.name, "in": "query", "description": one.said, "schema": dict(one.schema)}


def _responses(route: Route, told: Operation) -> dict[str, Any]:
    found: dict[str, Any] = {
        str(status): {"description": told.summary if status < FIRST_FAILURE else FAILURES[status]}
        | {"content": _content(media)}
        for status, media in told.answers.items()
    }
    for status in {*told.statuses, *_usual(route)}:
        if str(status) in found:
            found[str(status)]["content"] |= _failure_content(for_people=told.for_people)
        else:
            found[str(status)] = {"$ref": f"#/components/responses/{_name(status, for_people=told.for_people)}"}
    return dict(sorted(found.items()))


def _name(status: int, *, for_people: bool) -> str:
    return f"{status}-page" if for_people and status >= FIRST_FAILURE else str(status)


def _shared_responses() -> dict[str, Any]:
    """Those that mean the same wherever they are answered."""
    found: dict[str, Any] = {
        str(status): {"description": said, **_headers("Location" if status != NOT_MODIFIED else None)}
        for status, said in REDIRECTS.items()
    }
    for status, said in FAILURES.items():
        for people in (False, True):
            found[_name(status, for_people=people)] = {
                "description": said,
                "content": _failure_content(for_people=people),
                **_headers(HEADERS.get(status)),
            }
    return found


def _failure_content(*, for_people: bool) -> dict[str, Any]:
    page = {HTML: {"schema": {"type": "string"}}} if for_people else {}
    return {PROBLEM_TYPE: {"schema": schema(Problem)}, **page}


def _headers(name: str | None) -> dict[str, Any]:
    return {"headers": {name: {"required": True, "schema": {"type": "string"}}}} if name is not None else {}


def _usual(route: Route) -> tuple[int, ...]:
    """What may become of any request, and of any that needs something."""
    if isinstance(route.need, Open):
        return (400, 421, 503)
    kind = (303,) if route.method == "GET" else (405,) if "{" in route.path else ()
    short = (302,) if route.name.endswith(OF_INDEX) else ()  # of the index root
    return (400, 401, 403, 404, 421, 429, 503, *kind, *short)


def _content(media: Mapping[str, Schema]) -> dict[str, Any]:
    return {name: {"schema": schema(one)} for name, one in media.items()}

"""Forms: what came with one, what is wrong with it, and how a write is answered, to people and to programs.

The same addresses take a form, which is answered by a page or leads to one, and JSON, which is answered by JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Final, TypeVar

import msgspec
from aiohttp import web

from inbond.model.errors import InbondError
from inbond.web.csrf import FIELD, csrf_token
from inbond.web.forms import form_of, is_json, json_of
from inbond.web.problems import problem
from inbond.web.rendered import HEADERS, rendered
from inbond.web.twin import wants_json

SHOWN_AT: Final = "shown_at"  # the hidden field that says when a form was shown
# Lengths count from when the form was shown, if that was not longer ago: sent twice, it decides the same.
COUNTS_FROM_SHOWN: Final = timedelta(minutes=10)
TICKED: Final = "yes"

T = TypeVar("T")


class Given:
    """The fields of a form as they came, and what is found wrong with them. A template shows both."""

    def __init__(self, values: Mapping[str, str], errors: Mapping[str, str] | None = None) -> None:
        self.values = dict(values)
        self.errors = dict(errors or {})

    def __getitem__(self, name: str) -> str:
        """What was typed into a field; nothing where it did not come."""
        return self.values.get(name, "")

    def error(self, name: str) -> str | None:
        """What is wrong with a field."""
        return self.errors.get(name)

    def read(self, name: str, parse: Callable[[str], T]) -> T | None:
        """What a field says; None, and what is wrong is kept, where it cannot be read."""
        try:
            return parse(self[name])
        except ValueError as error:
            remedy = error.remedy if isinstance(error, InbondError) else None
            self.errors[name] = f"{error}{f': {remedy}' if remedy else ''}"
            return None

    def ticked(self, name: str) -> bool:
        """Whether a box is ticked; what is neither that nor empty is an error of its field."""
        if self[name] not in {"", TICKED}:
            self.errors[name] = f"is {TICKED!r} or nothing, and true or false in JSON"
        return self[name] == TICKED


async def given(request: web.Request, known: Collection[str]) -> Given:
    """The fields of the request's form or JSON. Raises `Malformed`; what is not known is an error of its field."""
    found = await json_of(request) if is_json(request) else await form_of(request)
    errors: dict[str, str] = {}
    values: dict[str, str] = {}
    for name, value in found.items():
        if name in {FIELD, SHOWN_AT}:
            values[name] = value if isinstance(value, str) else ""
        elif name not in known:
            errors[name[:80]] = f"there is no field {name[:80]!a}"
        elif isinstance(text := _text(value), str):
            values[name] = text
        else:
            errors[name] = "is to be a text"
    return Given(values, errors)


def _text(value: object) -> str | None:
    match value:
        case str():
            return value.strip()
        case None | False:
            return ""
        case True:
            return TICKED
        case int():
            return str(value)
        case list() if all(isinstance(one, str) for one in value):
            return " ".join(value)
        case _:
            return None


def shown_at(fields: Given, now: datetime) -> datetime:
    """The moment from which a form's lengths of time count: when it was shown, if that was lately, or else now."""
    try:
        shown = datetime.fromisoformat(fields[SHOWN_AT])
        return shown if timedelta(0) <= now - shown <= COUNTS_FROM_SHOWN else now
    except (ValueError, TypeError):  # none, or one without its offset
        return now


class FormPage(msgspec.Struct, kw_only=True, frozen=True):
    """A form: what is filled in, what is wrong with it, and what can be chosen in fields that have choices."""

    fields: dict[str, str]
    errors: dict[str, str]
    choices: dict[str, tuple[str, ...]]


def new_page(
    request: web.Request,
    template: str,
    fields: Given,
    now: datetime,
    *,
    status: int = HTTPStatus.OK,
    choices: Mapping[str, tuple[str, ...]] | None = None,
    **values: Any,
) -> web.Response:
    """A page that is a form and nothing else, or that form as JSON."""
    if wants_json(request) and status == HTTPStatus.OK:
        filled = {name: value for name, value in fields.values.items() if value}
        body = msgspec.json.encode(FormPage(fields=filled, errors=fields.errors, choices=dict(choices or {})))
        return web.Response(body=body, headers={**HEADERS, "Content-Type": "application/json", "Vary": "Accept"})
    return form_page(request, template, fields, now, status=status, choices=choices or {}, **values)


def form_page(
    request: web.Request, template: str, fields: Given, now: datetime, *, status: int = HTTPStatus.OK, **values: Any
) -> web.Response:
    """A page with a form. The template sees what was typed as `form`."""
    stamp = now.replace(microsecond=0).isoformat()
    return rendered(request, template, status=status, form=fields, csrf=csrf_token(request), shown_at=stamp, **values)


def unusable(request: web.Request, page: Callable[[int], web.Response], fields: Given) -> web.Response:
    """422: what is wrong with each field; in a form beside it."""
    if not is_json(request):
        return page(HTTPStatus.UNPROCESSABLE_ENTITY)
    told = "; ".join(f"{name}: {error}" for name, error in fields.errors.items())
    return problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        title="Some fields cannot be used",
        detail=told,
        reason=told,
        more={"errors": fields.errors},
    )


def done(request: web.Request, to: str, body: Mapping[str, Any], *, new: bool = True) -> web.Response:
    """A write that was done: a program gets what came of it, a browser is led on (RFC 9110, section 15.4.4)."""
    if not is_json(request):
        return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": to, "Cache-Control": "no-store"})
    status = HTTPStatus.CREATED if new else HTTPStatus.OK
    headers = {**HEADERS, "Content-Type": "application/json", "Location": to}
    return web.Response(status=status, body=msgspec.json.encode(body), headers=headers)


def declined(
    request: web.Request, error: InbondError, status: HTTPStatus, *, back: str, remedy: str | None = None
) -> web.Response:
    """Why nothing was done: as things stand it cannot be. `back`: a page to look at; `remedy`: in place of its own."""
    remedy = remedy or error.remedy
    if is_json(request) or wants_json(request):
        detail = f"{error.message}{f': {remedy}' if remedy else ''}"
        return problem(status, title="This cannot be done as things stand", detail=detail, reason=error.message)
    return rendered(request, "declined.html", status=status, message=error.message, remedy=remedy, back=back)

"""`/-/tokens`: who may sign in with what; a form that makes a token, which is shown once; ending one."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Final

import msgspec
from aiohttp import web

from inbond.access.asked import parse_expiry, parse_grant, parse_role, parse_title
from inbond.access.principal import EVERY_INDEX
from inbond.access.roles import Role
from inbond.gateway import tokens
from inbond.gateway.lru import Lru
from inbond.gateway.tokens import Asking, Listed, Made
from inbond.model.errors import ClientFault, InbondError, NotFound
from inbond.web.access import ACCESS, who
from inbond.web.desk import now_of, paged
from inbond.web.form_pages import Given, declined, done, form_page, given, new_page, unusable
from inbond.web.forms import is_json
from inbond.web.origin import client_of
from inbond.web.rendered import HEADERS
from inbond.web.simple_routes import GATEWAY
from inbond.web.token_facts import MadePage, TokenFact, TokenPage, TokensPage, configured_first, fact_of
from inbond.web.twin import shown, wants_json

HOME: Final = "/-/tokens"
USUAL_EXPIRY: Final = "90d"
FIELDS: Final = ("name", "role", "indexes", "expires", "once")
MAX_SENT: Final = 1000  # forms that were sent, kept so that none of them makes a second token
ONCE_BYTES: Final = 16


class SentBefore(ClientFault):
    """A form that was sent before: its token was made, and shown then."""


async def listing(request: web.Request) -> web.Response:
    """`GET /-/tokens`: `?state=`, `?page=`."""
    state = request.query.get("state", "in force")
    found = await _facts(request)
    rows = [one for one in found if state in {one.state, "all"}]
    part, paging = paged(request, rows)
    ended = next((one.id for one in found if one.id == request.query.get("revoked") and one.state == "revoked"), None)
    return await shown(
        request, "tokens.html", TokensPage(tokens=tuple(part), paging=paging, state=state, revoked=ended)
    )


async def new(request: web.Request) -> web.Response:
    """`GET /-/tokens/new`: the form."""
    return _form(request, Given({"role": str(Role.READER), "expires": USUAL_EXPIRY}))


async def make(request: web.Request) -> web.Response:
    """`POST /-/tokens`: makes a token, as `inbond token create` does; only this answer has its secret."""
    now = now_of(request)
    fields = await _given(request)
    name = fields.read("name", parse_title)
    expires = fields.read("expires", lambda text: (parse_expiry(text, now),))
    known = frozenset(request.app[GATEWAY].indexes)
    named = [one for one in fields["indexes"].replace(",", " ").split() if one]
    role = fields.read("role", parse_role) or Role.READER
    grant = fields.read("indexes", lambda _: parse_grant(role, named, known))
    if fields.errors or name is None or expires is None or grant is None:
        return unusable(request, lambda status: _form(request, fields, status=status), fields)
    if not request.app[SENT].first(fields["once"]):
        again = SentBefore("this form was sent before, and its token was made and shown then")
        return declined(
            request, again, HTTPStatus.CONFLICT, back=HOME, remedy="revoke that one if nobody has it, and make another"
        )
    try:
        made = await tokens.make_token(
            request.app[ACCESS].tokens,
            name,
            grant,
            expires=expires[0],
            asking=_asking(request, now),
            random=request.app[ACCESS].random,
        )
    except InbondError:  # so that the same form can be sent again
        request.app[SENT].forget(fields["once"])
        raise
    return await _made(request, made, now)


async def one(request: web.Request) -> web.Response:
    """`GET /-/tokens/{id}`: one token, and the form that ends it."""
    fact = await _named(request)
    if wants_json(request):
        return await shown(request, "token.html", TokenPage(token=fact))
    return form_page(request, "token.html", Given({}), now_of(request), facts=TokenPage(token=fact))


async def revoke(request: web.Request) -> web.Response:
    """`POST /-/tokens/{id}/revoke`: ends a token, and what browsers have signed in to with it, at once."""
    fact = await _named(request)
    fields = await given(request, ())
    if fields.errors:
        page = form_page(
            request,
            "token.html",
            fields,
            now_of(request),
            status=HTTPStatus.UNPROCESSABLE_ENTITY,
            facts=TokenPage(token=fact),
        )
        return unusable(request, lambda _: page, fields)
    try:
        ended = await tokens.revoke_token(request.app[ACCESS].tokens, fact.id, _asking(request, now_of(request)))
    except NotFound as error:
        remedy = "take it out of [[access.tokens]] there" if fact.configured else "nothing is to be done: it has ended"
        return declined(request, error, HTTPStatus.CONFLICT, back=HOME, remedy=remedy)
    body = {"token": msgspec.to_builtins(fact_of(Listed(token=ended, use=None), now_of(request)))}
    return done(request, f"{HOME}?state=all&revoked={fact.id}", body, new=False)


class Sent:
    """Forms that were sent to this process, by what each carries in a hidden field."""

    def __init__(self) -> None:
        self._known: Lru[str, bool] = Lru(MAX_SENT)

    def first(self, once: str) -> bool:
        """Whether that was never sent before; what carries nothing never was."""
        if not once:
            return True
        before = self._known.get(once)
        self._known.put(once, value=True)
        return before is None

    def forget(self, once: str) -> None:
        """Has that count as never sent: nothing came of it."""
        self._known.pop(once)


SENT: Final = web.AppKey("sent-forms", Sent)


async def _given(request: web.Request) -> Given:
    """The fields; a form has one for each index, JSON may have a list."""
    fields = await given(request, {*FIELDS, *_boxes(request)})
    ticked = [name.removeprefix("index-") for name in _boxes(request) if fields.ticked(name)]
    if ticked:
        fields.values["indexes"] = " ".join([fields["indexes"], *ticked]).strip()
    return fields


def _boxes(request: web.Request) -> tuple[str, ...]:
    return tuple(f"index-{name}" for name in (EVERY_INDEX, *request.app[GATEWAY].indexes))


def _form(request: web.Request, fields: Given, *, status: int = HTTPStatus.OK) -> web.Response:
    once = request.app[ACCESS].random(ONCE_BYTES).hex()
    named = fields["indexes"].split()
    choices = {"role": tuple(map(str, Role)), "indexes": (*request.app[GATEWAY].indexes, EVERY_INDEX)}
    return new_page(
        request,
        "token_new.html",
        fields,
        now_of(request),
        status=status,
        choices=choices,
        once=once,
        roles=ROLES,
        named=named,
    )


ROLES: Final = (
    ("reader", "reader: installs and looks"),
    ("operator", "operator: decides as well"),
    ("admin", "admin: does all, tokens included"),
)


async def _made(request: web.Request, made: Made, now: datetime) -> web.Response:
    fact = fact_of(Listed(token=made.token, use=None), now)
    facts = MadePage(token=fact, secret=made.secret)
    if is_json(request):
        headers = {**HEADERS, "Content-Type": "application/json", "Location": f"{HOME}/{fact.id}"}
        return web.Response(status=HTTPStatus.CREATED, body=msgspec.json.encode(facts), headers=headers)
    return form_page(request, "token_made.html", Given({}), now, status=HTTPStatus.CREATED, facts=facts)


def _asking(request: web.Request, now: datetime) -> Asking:
    return Asking(by=who(request), client=client_of(request), now=now)


async def _facts(request: web.Request) -> tuple[TokenFact, ...]:
    access, now = request.app[ACCESS], now_of(request)
    found = await tokens.listed(access.tokens, access.sign_in.settings.tokens.values())
    facts = [fact_of(one, now) for one in found]
    return tuple(sorted(facts, key=configured_first))


async def _named(request: web.Request) -> TokenFact:
    wanted = request.match_info["id"]
    fact = next((one for one in await _facts(request) if one.id == wanted), None)
    if fact is None:
        raise NotFound(f"there is no token {wanted}", remedy=f"{HOME} lists those that there are")
    return fact

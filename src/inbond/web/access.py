"""Who asks, and what they may: what handlers ask about the request that they answer.

The guard (`inbond.web.guard`) lets a handler run only where what its route needs is met. A handler that shows what
belongs to several indexes asks `sees` for each, and one that acts on a thing asks `require` for its index.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from inbond.access import rules
from inbond.access.principal import Anonymous, Principal
from inbond.access.roles import Role
from inbond.gateway.attempts import Attempts
from inbond.gateway.sign_in import NOBODY, By, SignedIn, SignIn
from inbond.gateway.token_uses import TokenUses
from inbond.model.errors import NotPermitted, NotSignedIn
from inbond.model.events import Observer
from inbond.store.protocols import Tokens

SIGNED_IN: Final = web.RequestKey("signed-in", SignedIn)


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """All that the web needs for sign-in. `begun`: sessions, counted by token; `random`: so many random bytes."""

    sign_in: SignIn
    attempts: Attempts
    begun: Attempts
    uses: TokenUses
    tokens: Tokens
    observer: Observer
    random: Callable[[int], bytes] = field(default=secrets.token_bytes)


ACCESS: Final = web.AppKey("access", Access)


def signed_in(request: web.Request) -> SignedIn:
    """Who asks, and by what that is known."""
    found: SignedIn = request.get(SIGNED_IN, NOBODY)
    return found


def principal_of(request: web.Request) -> Principal:
    """Who asks; `Anonymous` where nobody said."""
    return signed_in(request).principal


def who(request: web.Request) -> str:
    """Who asks, as the audit trail has it: empty for nobody in particular."""
    principal = principal_of(request)
    return "" if isinstance(principal, Anonymous) else str(principal)


def may(request: web.Request, role: Role, index: str | None) -> bool:
    """Whether whoever asks has a role on an index; None: on inbond as a whole."""
    return rules.may(request.app[ACCESS].sign_in.settings, principal_of(request), role, index)


def sees(request: web.Request, index: str) -> bool:
    """Whether whoever asks may read an index."""
    return may(request, Role.READER, index)


def indexes_for(request: web.Request, role: Role = Role.READER) -> tuple[str, ...]:
    """The indexes on which whoever asks has a role."""
    return rules.indexes_for(request.app[ACCESS].sign_in.settings, principal_of(request), role)


def require(request: web.Request, role: Role, index: str | None) -> None:
    """Raises `NotSignedIn` or `NotPermitted` unless whoever asks has a role on an index; None: on inbond as a whole."""
    if not may(request, role, index):
        raise refusal(request, role, index)


def refusal(
    request: web.Request, role: Role, index: str | None, *, anywhere: bool = False
) -> NotSignedIn | NotPermitted:
    """What is said to whoever has not that role: the same of an index that there is not. `anywhere`: on none at all."""
    where = "any index" if anywhere else "inbond as a whole" if index is None else f"index {index[:80]}"
    found = signed_in(request)
    if found.by is By.NOTHING:
        unknown = f"; {found.unknown}" if found.unknown else ""
        return NotSignedIn(
            f"sign-in is needed here{unknown}",
            remedy="give a token of this inbond as the password, with the user name __token__ "
            "(docs/access.md); an operator makes one with `inbond token create`",
        )
    return NotPermitted(
        f"{found.principal} has not the role {role} on {where}",
        remedy="ask whoever runs this inbond for a token with that role",
    )

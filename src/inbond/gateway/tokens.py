"""Making, listing and revoking tokens: what the command line and the web pages both do."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from inbond.access.principal import Grant
from inbond.access.secret import RANDOM_BYTES, digest_of, id_of, secret_of
from inbond.access.settings import ConfiguredToken
from inbond.access.tokens import Token, TokenUse
from inbond.gateway.sign_in import CONFIGURATION, token_of
from inbond.model.acts import Act, ActKind
from inbond.model.errors import InbondError, NotFound
from inbond.store.protocols import Tokens

_TRIES: Final = 3  # ids have 48 bits: two in a row that are taken are a defect


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A token that was made, and its secret, which is shown once and kept nowhere."""

    token: Token
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Who asks for it, from where, and when."""

    by: str
    client: str
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A token, when it was used last, and whether it stands in the configuration: then only that ends it."""

    token: Token
    use: TokenUse | None

    @property
    def configured(self) -> bool:
        """Whether it stands in the configuration."""
        return self.token.made_by == CONFIGURATION


def new_token(
    name: str, grant: Grant, *, expires: datetime | None, asking: Asking, random: Callable[[int], bytes]
) -> Made:
    """A token that nobody knows yet. `random`: so many random bytes."""
    secret = secret_of(random(RANDOM_BYTES))
    digest = digest_of(secret)
    token = Token(
        id=id_of(digest),
        digest=digest,
        name=name,
        grant=grant,
        made_by=asking.by,
        made_at=asking.now,
        expires_at=expires,
    )
    return Made(token=token, secret=secret)


async def make_token(
    ledger: Tokens,
    name: str,
    grant: Grant,
    *,
    expires: datetime | None,
    asking: Asking,
    random: Callable[[int], bytes],
) -> Made:
    """Makes a token, in force once this returns. Raises `StoreUnavailable`."""
    for _ in range(_TRIES):
        made = new_token(name, grant, expires=expires, asking=asking, random=random)
        told = _act(asking, ActKind.TOKEN_CREATED, made.token, f"made {described(made.token)}")
        if await ledger.add_token(made.token, told=told):
            return made
    raise InbondError("no token could be made: the ids of new ones are taken again and again")


async def revoke_token(ledger: Tokens, token_id: str, asking: Asking) -> Token:
    """Ends a token and its sessions from the next request on. Raises `NotFound` and `StoreUnavailable`."""
    ended = await ledger.revoke_token(
        token_id,
        by=asking.by,
        now=asking.now,
        told=lambda token: _act(asking, ActKind.TOKEN_REVOKED, token, f"revoked {described(token)}"),
    )
    if ended is None:
        raise NotFound(
            f"no token {token_id[:80]!a} in the ledger is in force",
            remedy="one that stands in the configuration is taken out there; `inbond token list` shows all",
        )
    return ended


async def listed(ledger: Tokens, configured: Iterable[ConfiguredToken]) -> tuple[Listed, ...]:
    """All tokens, those of the configuration first. Raises `StoreUnavailable`."""
    uses = {use.token: use for use in await ledger.token_uses()}
    tokens = [*map(token_of, configured), *await ledger.tokens()]
    return tuple(Listed(token=token, use=uses.get(token.id)) for token in tokens)


def described(token: Token) -> str:
    """A token in a few words, without anything secret."""
    on = ", ".join(sorted(token.grant.indexes)).replace("*", "all indexes")
    return f"token {token.id} ({token.name}): {token.grant.role} on {on}"


def _act(asking: Asking, kind: ActKind, token: Token, message: str) -> Act:
    until = "never" if token.expires_at is None else token.expires_at.isoformat()
    detail = {"role": str(token.grant.role), "indexes": ", ".join(sorted(token.grant.indexes)), "expires": until}
    return Act(
        at=asking.now, kind=kind, by=asking.by, client=asking.client, message=message, target=token.id, detail=detail
    )

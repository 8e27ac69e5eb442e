"""What `inbond token` does: from words to a token in the ledger, and to its end."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from inbond.access.asked import parse_expiry, parse_grant, parse_title
from inbond.access.principal import EVERY_INDEX
from inbond.access.tokens import Token
from inbond.cli.config import Config
from inbond.cli.deciding import author, has_ledger, opened
from inbond.gateway import tokens
from inbond.gateway.clock import Clock, utc_now
from inbond.gateway.sign_in import token_of
from inbond.gateway.tokens import Asking, Listed, Made
from inbond.model.acts import COMMAND
from inbond.model.errors import ConfigurationError, NotFound

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What stood on the command line."""

    name: str
    indexes: tuple[str, ...]
    all_indexes: bool
    role: str
    expires: str
    print_config: bool
    by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """The token; `only_printed`: it is in force nowhere until its entry stands in a configuration."""

    made: Made
    only_printed: bool


async def create(
    config: Config,
    wanted: Wanted,
    *,
    clock: Clock = utc_now,
    random: Callable[[int], bytes] = secrets.token_bytes,
) -> Created:
    """Makes a token. Raises `ConfigurationError`, `OperatorFault` and `StoreUnavailable`."""
    now = clock()
    name = _read("NAME", lambda: parse_title(wanted.name))
    expires = _read("--expires", lambda: parse_expiry(wanted.expires, now))
    named = [EVERY_INDEX] if wanted.all_indexes else list(wanted.indexes)
    known = frozenset(index.name for index in config.indexes)
    if wanted.all_indexes and wanted.indexes:
        raise ConfigurationError("--index and --all-indexes exclude each other", remedy="give one of them")
    if not named:
        raise ConfigurationError("a token is for some indexes", remedy="name them with --index, or give --all-indexes")
    grant = _read("--index", lambda: parse_grant(wanted.role, named, known))
    asking = Asking(by=author(wanted.by), client=COMMAND, now=now)
    if wanted.print_config:
        made = tokens.new_token(name, grant, expires=expires, asking=asking, random=random)
        return Created(made=made, only_printed=True)
    async with opened(config) as ledger:
        made = await tokens.make_token(ledger, name, grant, expires=expires, asking=asking, random=random)
    return Created(made=made, only_printed=False)


async def listed(config: Config) -> tuple[Listed, ...]:
    """All tokens, those of the configuration first. Raises `OperatorFault` and `StoreUnavailable`."""
    configured = config.access.tokens.values()
    if not has_ledger(config):
        return tuple(Listed(token=token_of(one), use=None) for one in configured)
    async with opened(config) as ledger:
        return await tokens.listed(ledger, configured)


async def revoke(config: Config, token_id: str, by: str | None, *, clock: Clock = utc_now) -> Token:
    """Ends a token. Raises `NotFound`, `ConfigurationError`, `OperatorFault` and `StoreUnavailable`."""
    asking = Asking(by=author(by), client=COMMAND, now=clock())
    if any(one.id == token_id for one in config.access.tokens.values()):
        raise NotFound(
            f"token {token_id} stands in the configuration",
            remedy="take its entry out of [[access.tokens]], and run `inbond reload`",
        )
    if not has_ledger(config):
        raise NotFound("there is no ledger, and so no token in it", remedy="name its configuration with --config")
    async with opened(config) as ledger:
        return await tokens.revoke_token(ledger, token_id, asking)


def _read(name: str, parse: Callable[[], T]) -> T:
    """An argument or option; `name` is how it is called. Raises `ConfigurationError`."""
    try:
        return parse()
    except ValueError as error:
        raise ConfigurationError(f"{name}: {error}") from error

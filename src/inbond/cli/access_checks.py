"""What is not as it should be with who may read: told at the start, in readiness, and on the overview."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator

from inbond.access.identifying import is_identified
from inbond.access.settings import AccessSettings
from inbond.access.statement import WorkloadRule
from inbond.cli.config import Config
from inbond.gateway.clock import Clock
from inbond.gateway.sign_in import SignIn, token_of
from inbond.model.errors import StoreUnavailable
from inbond.store.protocols import Tokens
from inbond.web.origin import is_loopback
from inbond.web.readiness import Check
from inbond.web.settings import ServerSettings


def access_check(config: Config, sign_in: SignIn, tokens: Tokens, clock: Clock) -> Callable[[], Awaitable[Check]]:
    """Advice alone: however few may read, what they may is ready."""

    async def looked_at() -> Check:
        try:
            said = await access_advice(config, sign_in.settings, tokens, clock)
        except StoreUnavailable:  # another check tells that
            said = ()
        return Check(advice="; ".join(said) or None)

    return looked_at


async def access_advice(config: Config, settings: AccessSettings, tokens: Tokens, clock: Clock) -> tuple[str, ...]:
    """What an operator should know of an inbond that others reach. Raises `StoreUnavailable`."""
    loose = tuple(_about_jobs(config.ci.rules))
    if is_loopback(config.server.listen.host):
        return loose
    somebody = bool(settings.people or config.ci.rules) or await _is_any_in_force(settings, tokens, clock)
    return (*_advice(config.server, settings, somebody=somebody), *loose)


def _about_jobs(rules: Iterable[WorkloadRule]) -> Iterator[str]:
    if loose := [rule.name for rule in rules if not is_identified(rule.claims)]:
        yield (
            f"[[access.ci]] {', '.join(loose)}: no claim says whose job it is, so on a public CI system anybody's may"
            " read; name one such as repository, project_path or sub, with its whole owner as in 'acme/*'"
        )


def _advice(server: ServerSettings, settings: AccessSettings, *, somebody: bool) -> Iterator[str]:
    opened = [name for name, anybody in settings.indexes.items() if anybody]
    if settings.anybody:
        yield "listening beyond this machine: anybody who reaches the port may read"
    elif opened:
        yield f"listening beyond this machine: anybody who reaches the port may read {', '.join(opened)}"
    elif not somebody:
        yield (
            "listening beyond this machine, and nobody may read: make tokens with `inbond token create`, or let anybody"
            ' read with readers = "anybody" in [access]'
        )
    if somebody and server.tls is None and not (server.public_url or "").startswith("https://"):
        yield "tokens come without TLS: set tls_certificate in [server], or put TLS in front and set public_url"


async def _is_any_in_force(settings: AccessSettings, tokens: Tokens, clock: Clock) -> bool:
    now = clock()
    return any(
        token.why_not(now) is None for token in (*map(token_of, settings.tokens.values()), *await tokens.tokens())
    )

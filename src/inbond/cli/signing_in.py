"""Sign-in, built from the configuration, and changed with it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from inbond.cli.ci_statements import ci_statements
from inbond.cli.config import Config
from inbond.gateway.attempts import Attempts
from inbond.gateway.clock import Clock
from inbond.gateway.sign_in import SignIn
from inbond.gateway.token_uses import TokenUses
from inbond.model.events import Observer
from inbond.oidc.statements import CiStatements
from inbond.store.ledger import Ledger
from inbond.web.access import Access
from inbond.web.sign_in_routes import MAX_BEGUN, SECONDS_FOR_ANOTHER


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningIn:
    """What the web asks, and what checks the statements of CI systems for it."""

    access: Access
    statements: CiStatements

    def use(self, config: Config) -> None:
        """Goes by another configuration from now on, at once."""
        self.statements.use(config.ci)
        sign_in = self.access.sign_in
        sign_in.statements = self.statements if config.ci.rules else None
        sign_in.settings = config.access
        self.access.uses.clients = config.history.clients


@asynccontextmanager
async def signing_in(
    config: Config, ledger: Ledger, clock: Clock, observer: Observer, *, serving: bool
) -> AsyncIterator[SigningIn]:
    """By the configuration; ends with what is noted of tokens written."""
    statements = ci_statements(config, observer)
    uses = TokenUses(ledger, clock, clients=config.history.clients)
    access = Access(
        sign_in=SignIn(ledger, config.access, clock, statements=statements if config.ci.rules else None),
        attempts=Attempts(time.monotonic),
        begun=Attempts(time.monotonic, most=MAX_BEGUN, seconds=SECONDS_FOR_ANOTHER),
        uses=uses,
        tokens=ledger,
        observer=observer,
    )
    if serving:
        uses.start()
    try:
        yield SigningIn(access=access, statements=statements)
    finally:
        await uses.aclose()
        await statements.aclose()

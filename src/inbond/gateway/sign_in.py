"""Who asks: from the credentials of a request to a principal, and whether that still stands at the next one.

Everything but a statement of a CI system is found at once, on the event loop: tokens and sessions are looked up in the
ledger by their digests, through the connection that decisions are read by, and kept until something is written there
(`inbond.store.standing_reader`). So a token that was revoked, in whichever process, is none at the next request.

What is neither shaped like a token of ours nor a statement of a system that is configured is no credential of ours: a
front may have asked for it, or sent its own. Whoever brings that, and nothing else, is nobody in particular.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from typing import Final, Protocol

from inbond.access.principal import Anonymous, Person, Principal, Workload
from inbond.access.secret import digest_of, is_well_formed, looks_like_token
from inbond.access.settings import AccessSettings, ConfiguredToken
from inbond.access.tokens import KeptSession, Token
from inbond.gateway.clock import Clock
from inbond.gateway.lru import Lru
from inbond.store.protocols import TokenMemory

MAX_KNOWN: Final = 10_000  # tokens and sessions that are kept as they were read
CONFIGURATION: Final = "configuration"
_STATEMENT: Final = re.compile(r"eyJ[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*")  # JSON Web Signature, compact


class Statements(Protocol):
    """What CI systems state of their jobs, as OIDC tokens."""

    def known(self, token: str, now: datetime) -> Workload | None:
        """What `check` found before, where that still stands; at once. None: `check` has to say."""
        ...

    def concerns(self, token: str) -> bool:
        """Whether it may be a statement of a system that is configured; at once."""
        ...

    async def check(self, token: str, now: datetime) -> Workload:
        """Whose it is. Raises `NotSignedIn` for one that is refused, `UpstreamFault` where that cannot be told."""
        ...


class By(Enum):
    """By what somebody is known. What a browser sends by itself, wherever a request comes from, is `ambient`."""

    NOTHING = auto()
    SECRET = auto()  # of a token, in the request's own header
    STATEMENT = auto()
    SESSION = auto()
    FRONT = auto()

    @property
    def ambient(self) -> bool:
        """Whether a page of somebody else's could have a browser send it."""
        return self in {By.SESSION, By.FRONT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """The credentials of a request. `secret`: of its Authorization; `person`: whom a trusted front has signed in."""

    secret: str | None = field(default=None, repr=False)
    cookie: str | None = field(default=None, repr=False)
    person: str | None = None
    groups: frozenset[str] = frozenset()


NOTHING_OFFERED: Final = Offered()


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """Who asks, and by what that is known. `token`: the id of the token that it comes from; `until`: when it ends."""

    principal: Principal
    by: By = By.NOTHING
    token: str | None = None
    until: datetime | None = None
    unknown: str = ""  # credentials came that are none of ours: why they are not


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Credentials of ours that are not in force. `why`: in a word or two; `token`: its id, of one that was known."""

    why: str
    token: str | None = None


NOBODY: Final = SignedIn(principal=Anonymous())
STRANGER: Final = SignedIn(principal=Anonymous(), unknown="the credentials that came are none of inbond's")
FOREIGNER: Final = SignedIn(
    principal=Anonymous(), unknown="this statement of a CI system is of an issuer that is not known here"
)


class SignIn:
    """Knows who asks, by the rules in force. `settings` is replaced whole, by a reload."""

    def __init__(
        self, memory: TokenMemory, settings: AccessSettings, clock: Clock, *, statements: Statements | None = None
    ) -> None:
        self.settings = settings
        self.statements = statements
        self.clock: Final = clock
        self._memory = memory
        self._tokens: Lru[bytes, tuple[int, Token]] = Lru(MAX_KNOWN)
        self._sessions: Lru[bytes, tuple[int, KeptSession]] = Lru(MAX_KNOWN)

    @property
    def version(self) -> int:
        """Differs whenever a token or a session was written. Raises `StoreUnavailable`."""
        return self._memory.decisions_version()

    def at_once(self, offered: Offered) -> SignedIn | Refused | None:
        """Who asks, where that is known at once; None: a statement, which `who` checks. Raises `StoreUnavailable`."""
        if offered is NOTHING_OFFERED:
            return NOBODY
        if offered.secret is not None and looks_like_token(offered.secret):
            return self._by_token(offered.secret)
        if offered.secret is not None and self.statements is not None and _STATEMENT.fullmatch(offered.secret):
            workload = self.statements.known(offered.secret, self.clock())
            if workload is not None:
                return SignedIn(principal=workload, by=By.STATEMENT)
            return None if self.statements.concerns(offered.secret) else self._otherwise(offered, FOREIGNER)
        return self._otherwise(offered, STRANGER)

    async def who(self, offered: Offered) -> SignedIn | Refused:
        """Who asks. Raises `NotSignedIn`, `UpstreamFault` and `StoreUnavailable`."""
        found = self.at_once(offered)
        if found is not None:
            return found
        assert self.statements is not None  # else it was found
        assert offered.secret is not None  # as above
        workload = await self.statements.check(offered.secret, self.clock())
        return SignedIn(principal=workload, by=By.STATEMENT)

    def token(self, secret: str) -> Token | Refused:
        """The token of a secret, in force. Raises `StoreUnavailable`."""
        if not is_well_formed(secret):
            return Refused(why="mistyped")
        digest = digest_of(secret)
        token = self._configured(digest) or self._kept(digest)
        if token is None or not hmac.compare_digest(token.digest, digest):
            return Refused(why="unknown")
        why = token.why_not(self.clock())
        return token if why is None else Refused(why=why, token=token.id)

    def _by_token(self, secret: str) -> SignedIn | Refused:
        match self.token(secret):
            case Refused() as refused:
                return refused
            case Token() as token:
                return SignedIn(principal=token.holder, by=By.SECRET, token=token.id, until=token.expires_at)

    def _otherwise(self, offered: Offered, unknown: SignedIn) -> SignedIn:
        if offered.cookie is not None and (found := self._by_session(offered.cookie)) is not None:
            return found
        if offered.person is not None:
            grants = self.settings.grants_of_person(offered.person, offered.groups)
            return SignedIn(principal=Person(name=offered.person, grants=grants), by=By.FRONT)
        return NOBODY if offered.secret is None else unknown

    def _by_session(self, cookie: str) -> SignedIn | None:
        """Whose session it is; one that ended is none."""
        found, now = self._session(digest_of(cookie)), self.clock()
        if found is None or found.session.until <= now:
            return None
        token = self._configured_as(found.session.token) or found.token
        if token is None or token.why_not(now) is not None:
            return None
        until = min(found.session.until, token.expires_at or found.session.until)
        return SignedIn(principal=token.holder, by=By.SESSION, token=token.id, until=until)

    def _configured(self, digest: bytes) -> Token | None:
        found = self.settings.tokens.get(digest)
        return None if found is None else token_of(found)

    def _configured_as(self, token: str) -> Token | None:
        found = next((one for one in self.settings.tokens.values() if one.id == token), None)
        return None if found is None else token_of(found)

    def _kept(self, digest: bytes) -> Token | None:
        # Read before what it is the version of: what is written in between is seen at the next call.
        version = self.version
        known = self._tokens.get(digest)
        if known is not None and known[0] == version:
            return known[1]
        token = self._memory.token_of(digest)
        if token is not None:  # else whoever tries many would push out those that are in use
            self._tokens.put(digest, (version, token))
        return token

    def _session(self, digest: bytes) -> KeptSession | None:
        version = self.version  # as above
        known = self._sessions.get(digest)
        if known is not None and known[0] == version:
            return known[1]
        found = self._memory.session_of(digest)
        if found is not None:
            self._sessions.put(digest, (version, found))
        return found


def token_of(configured: ConfiguredToken) -> Token:
    """A token of the configuration as those of the ledger are."""
    return Token(
        id=configured.id,
        digest=configured.digest,
        name=configured.name,
        grant=configured.grant,
        made_by=CONFIGURATION,
        expires_at=configured.expires,
    )

"""Statements of CI systems about their jobs: from a token to a `Workload`, or why not.

What stands in a token is read first, because an issuer that is not configured, and a statement that is over, need no
request to anybody. Nothing counts before the signature does. That a signature holds is remembered for a while, as an
installer asks hundreds of times; which `[[access.ci]]` entry fits is judged anew when there are other entries.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, NoReturn

from inbond.access.principal import Workload
from inbond.access.statement import NoRule, Statement, WorkloadRule, matched
from inbond.model.errors import StatementRefused
from inbond.model.events import Observer
from inbond.oidc.issuers import IssuerKeys
from inbond.oidc.limits import REMEMBERED, REMEMBERED_SECONDS
from inbond.oidc.settings import CiSettings, IssuerSettings
from inbond.oidc.source import KeySource
from inbond.oidc.token import Unchecked, issuer_said, read_token

_ASK_ANEW: Final = "have the job ask its CI system for a new one"
_NO_ENTRY: Final = "whoever runs inbond finds in its log which claim does not fit [[access.ci]]"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Remembered:
    """A statement whose signature held until then, and whose it is by those entries."""

    statement: Statement = field(repr=False)
    until: datetime
    rules: Sequence[WorkloadRule] = field(repr=False)
    whose: Workload


class CiStatements:
    """Checks statements by the settings in force. Close it with `aclose`.

    `open_source`: what asks an issuer. `at_most`: statements that are remembered.
    """

    def __init__(
        self,
        settings: CiSettings,
        open_source: Callable[[IssuerSettings], KeySource],
        observer: Observer,
        *,
        at_most: int = REMEMBERED,
    ) -> None:
        self._at_most = at_most
        self._open = open_source
        self._observer = observer
        self._rules: Sequence[WorkloadRule] = settings.rules
        self._issuers: Mapping[str, IssuerKeys] = {one.issuer: self._keys_of(one) for one in settings.issuers}
        self._remembered: OrderedDict[bytes, _Remembered] = OrderedDict()
        self._closing: set[asyncio.Task[None]] = set()

    def use(self, settings: CiSettings) -> None:
        """Goes by other settings from now on, at once. What is known of an issuer that stays is not asked for anew."""
        before = self._issuers
        self._rules = settings.rules
        self._issuers = {one.issuer: before.get(one.issuer) or self._keys_of(one) for one in settings.issuers}
        for one in settings.issuers:
            if one.issuer in before:
                self._close(before[one.issuer].ask_by(self._open(one)))
        for issuer in before.keys() - self._issuers.keys():
            self._close(before[issuer].aclose())

    def known(self, token: str, now: datetime) -> Workload | None:
        """Whose statement it is, where that was checked before and still stands; at once. None: `check` has to say."""
        digest = _digest(token)
        found = self._remembered.get(digest)
        if found is None or now >= found.until:
            return None
        self._remembered.move_to_end(digest)
        if found.rules is self._rules:
            return found.whose
        whose = matched(found.statement, self._rules)
        if isinstance(whose, NoRule):
            return None
        self._remembered[digest] = replace(found, rules=self._rules, whose=whose)
        return whose

    def concerns(self, token: str) -> bool:
        """Whether it may be a statement of a system that is configured; a front's own token is of another issuer."""
        try:
            return issuer_said(token) in self._issuers
        except ValueError:
            return True  # `check` says what is wrong with it

    async def check(self, token: str, now: datetime) -> Workload:
        """Whose statement it is. Raises `StatementRefused`, and `StatementUnchecked` where nobody can tell."""
        if (known := self.known(token, now)) is not None:
            return known
        unchecked = _read(token)
        statement = self._believable(unchecked, now)
        await self._require_signature(token, unchecked, statement.issuer)
        whose = matched(statement, self._rules)
        if isinstance(whose, NoRule):
            _refuse("is of no job that may come in here", detail="; ".join(whose.why), remedy=_NO_ENTRY)
        self._remember(_digest(token), statement, whose, now)
        return whose

    async def aclose(self) -> None:
        """Ends what is under way."""
        await asyncio.gather(*self._closing, *(keys.aclose() for keys in self._issuers.values()))

    def _close(self, closing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(closing)
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _keys_of(self, settings: IssuerSettings) -> IssuerKeys:
        return IssuerKeys(settings.issuer, self._open(settings), self._observer)

    def _believable(self, unchecked: Unchecked, now: datetime) -> Statement:
        """The statement, if it could be one that counts. Raises `StatementRefused`."""
        try:
            statement = Statement.read(unchecked.claims)
        except ValueError as error:
            _refuse(str(error), remedy=_ASK_ANEW)
        if statement.issuer not in self._issuers:
            _refuse("is of an issuer that is not known here", detail=f"its issuer is {statement.issuer!a}")
        if (untimely := statement.untimely(now)) is not None:
            _refuse(untimely, remedy=_ASK_ANEW)
        return statement

    async def _require_signature(self, token: str, unchecked: Unchecked, issuer: str) -> None:
        from inbond.oidc.keys import signed_by  # noqa: PLC0415 (its memory)

        key = await self._issuers[issuer].find(unchecked.kid, unchecked.algorithm)
        if key is None:
            _refuse("is signed by a key that its issuer does not have", detail=f"no key {ascii(unchecked.kid)[:80]}")
        if not signed_by(token, key):
            _refuse("has a signature that does not fit: it was made up, or changed on its way")

    def _remember(self, digest: bytes, statement: Statement, whose: Workload, now: datetime) -> None:
        until = min(now + timedelta(seconds=REMEMBERED_SECONDS), statement.over)
        self._remembered[digest] = _Remembered(statement=statement, until=until, rules=self._rules, whose=whose)
        if len(self._remembered) > self._at_most:
            self._remembered.popitem(last=False)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _read(token: str) -> Unchecked:
    try:
        return read_token(token)
    except ValueError as error:
        _refuse(str(error))


def _refuse(why: str, *, detail: str = "", remedy: str | None = None) -> NoReturn:
    """`why` goes to whoever sent it, and says nothing about what would be let in; `detail` to the log."""
    message = f"this statement of a CI system {why}"
    raise StatementRefused(message, detail=f"{message} ({detail})" if detail else "", remedy=remedy) from None

"""Answers that may be given again, to those alone who may still have them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from inbond.access import rules
from inbond.access.needs import Need
from inbond.access.settings import AccessSettings
from inbond.gateway.sign_in import By, Offered, SignedIn, SignIn
from inbond.web.again import Again

Used = Callable[[str], None]  # with the address of whoever asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who asked, by which credentials, and for what. `index`: the one that the path names."""

    offered: Offered
    signed: SignedIn
    need: Need
    index: str


class GuardedAgain:
    """An answer that holds as long as its handler says so, and whoever had it may have it.

    The bytes of a head are the same, so who asks is the same, by the same credentials. What they are worth is found out
    anew where the rules are others or something was written about tokens and sessions, and each time for what ends by
    a clock.
    """

    __slots__ = ("_again", "_asked", "_settings", "_sign_in", "_timeless", "_used", "_version")

    def __init__(
        self, again: Again, asked: Asked, *, sign_in: SignIn, settings: AccessSettings, version: int, used: Used
    ) -> None:
        """`settings`, `version`: by which it was permitted, and of what was written about tokens by then."""
        self._again = again
        self._asked = asked
        self._sign_in = sign_in
        self._settings = settings
        self._version = version
        self._used = used
        self._timeless = asked.signed.by in {By.NOTHING, By.FRONT}  # whatever is written, and whenever it is

    def holds(self) -> Mapping[str, str] | None:
        """As the handler's; None where whoever asks may not have it any more. May raise `StoreUnavailable`."""
        if self._sign_in.settings is self._settings and (self._timeless or self._stands()):
            return self._again.holds()
        return self._again.holds() if self._is_permitted() else None

    def _stands(self) -> bool:
        """Whether nothing was written about tokens, and none has ended; what a CI system states is looked up."""
        signed, sign_in = self._asked.signed, self._sign_in
        if signed.by is By.STATEMENT or sign_in.version != self._version:
            return False
        return signed.until is None or sign_in.clock() < signed.until

    def _is_permitted(self) -> bool:
        """Looks all of it up anew."""
        # Read before what they are the versions of: what changes in between is seen at the next call.
        settings, version, asked = self._sign_in.settings, self._sign_in.version, self._asked
        if self._sign_in.at_once(asked.offered) != asked.signed:
            return False
        if not rules.meets(settings, asked.signed.principal, asked.need, asked.index):
            return False
        self._settings, self._version = settings, version
        return True

    def given(self, client: str, count: int) -> None:
        """As the handler's; and notes that the token was used."""
        self._used(client)
        self._again.given(client, count)

    def taken(self, count: int) -> None:
        """As the handler's."""
        self._again.taken(count)

    def doubt(self) -> None:
        """As the handler's."""
        self._again.doubt()

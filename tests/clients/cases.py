"""The cases of the matrix and what must come of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from clients.client import Wish
from clients.shop import YANK_REASON


class Act(StrEnum):
    """What the client is asked to do."""

    INSTALL = "install"
    LOCK = "lock"
    SYNC = "sync from a lock"
    HASHED = "install with hashes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    """The client took a version; `why`: whether it printed the reason there was (None: there was none)."""

    version: str
    why: bool | None = None

    def __str__(self) -> str:
        return self.version + {None: "", True: ", says why", False: ", silent"}[self.why]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """The client failed and installed nothing; `why`: whether it printed the reason."""

    why: bool

    def __str__(self) -> str:
        return "stops, says why" if self.why else "stops, no reason"


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """What must never be: it failed and yet installed, or succeeded and installed nothing."""

    text: str

    def __str__(self) -> str:
        return self.text


Outcome = Took | Stopped | Broken


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A row of the table: the same act under each policy."""

    name: str
    act: Act
    wish: Wish
    watched: str  # the project whose version counts
    expected: Mapping[str, Outcome]  # by policy
    reasons: tuple[str, ...] = ()  # where there is something to explain although the policy allows everything
    wrong_hash: bool = False

    def reasons_under(self, policy: str) -> tuple[str, ...]:
        """What the client must print, one of these, to have said why; empty: there is nothing to explain."""
        return self.reasons if policy == "allowed" else (BLOCKED,)


BLOCKED: Final = "Blocked by policy"  # how every refusal of inbond begins
_SAYS: Final = Stopped(why=True)
_DEMO: Final = Wish(requirement="demo")


def _policies(allowed: Outcome, denied: Outcome | None = None, held: Outcome | None = None) -> dict[str, Outcome]:
    given = {"allowed": allowed, "denied": denied, "held": held}
    return {policy: outcome for policy, outcome in given.items() if outcome is not None}


def _old() -> Took:
    return Took(version="1.0")


def _new() -> Took:
    return Took(version="2.0")


CASES: Final = (
    Case(name="install", act=Act.INSTALL, wish=_DEMO, watched="demo", expected=_policies(_new(), _old(), _old())),
    Case(
        name="install, pinned", act=Act.INSTALL, wish=Wish(requirement="demo==2.0"), watched="demo",
        expected=_policies(_new(), _SAYS, _SAYS),
    ),
    Case(name="lock", act=Act.LOCK, wish=_DEMO, watched="demo", expected=_policies(_new(), _old(), _old())),
    Case(
        name="sync from the lock", act=Act.SYNC, wish=_DEMO, watched="demo",
        expected=_policies(_new(), _SAYS, _SAYS),
    ),
    Case(
        name="hashes", act=Act.HASHED, wish=Wish(requirement="demo==2.0"), watched="demo",
        expected=_policies(_new(), _SAYS, _SAYS),
    ),
    Case(
        name="hash of another file", act=Act.SYNC, wish=Wish(requirement="demo==2.0"), watched="demo", wrong_hash=True,
        expected=_policies(_SAYS), reasons=("hash mismatch", "or hashes", "not match"),
    ),
    Case(
        name="extra", act=Act.INSTALL, wish=Wish(requirement="plush[fancy]"), watched="addon",
        expected=_policies(_new(), _old()),
    ),
    Case(
        name="yanked", act=Act.INSTALL, wish=Wish(requirement="pulled"), watched="pulled",
        expected=_policies(_old(), _old()),
    ),
    Case(
        name="yanked, pinned", act=Act.INSTALL, wish=Wish(requirement="pulled==2.0"), watched="pulled",
        expected=_policies(Took(version="2.0", why=True), _SAYS), reasons=(YANK_REASON,),
    ),
    Case(
        name="pre-release", act=Act.INSTALL, wish=Wish(requirement="early"), watched="early",
        expected=_policies(_old(), _old()),
    ),
    Case(
        name="pre-release, wanted", act=Act.INSTALL, wish=Wish(requirement="early", pre=True), watched="early",
        expected=_policies(Took(version="2.0rc1"), _old()),
    ),
    Case(
        name="sdist with a build requirement", act=Act.INSTALL, wish=Wish(requirement="crate"), watched="crate",
        expected=_policies(_old(), _SAYS),
    ),
)  # fmt: skip

# Where a client by itself does otherwise than the rest; (client, case, policy).
OTHERWISE: Final[Mapping[tuple[str, str, str], Outcome]] = {
    ("pdm", "yanked, pinned", "allowed"): Took(version="2.0", why=False),
    ("pipenv", "yanked, pinned", "allowed"): Took(version="2.0", why=False),
    ("pipenv", "sdist with a build requirement", "denied"): Stopped(why=False),
}


def expected(client: str, case: Case, policy: str) -> Outcome:
    """What must come of a case."""
    return OTHERWISE.get((client, case.name, policy), case.expected[policy])

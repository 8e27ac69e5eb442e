"""What a CI system states about a job (OpenID Connect Core, section 2), and which `[[access.ci]]` entry it fits; pure.

Nothing here looks at signatures: `inbond.oidc` has them checked before a statement counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

from inbond.access.principal import Grant, Workload
from inbond.model import globs
from inbond.model.text import printable

LEEWAY: Final = timedelta(seconds=60)  # for clocks that differ (RFC 7519, section 4.1.4: "a few minutes" at most)
MAX_LIFETIME: Final = timedelta(hours=24)  # a statement is about one job: what is good for longer is no statement
MAX_SUBJECT_CHARS: Final = 500  # OpenID Connect Core, section 2: 255; some systems put a whole path into it
MAX_VALUE_CHARS: Final = 500  # of a claim that a pattern is held against
MAX_SECONDS: Final = 2**37  # since 1970, in a NumericDate: some 4,000 years
_SHOWN_CHARS: Final = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadRule:
    """One `[[access.ci]]` entry. `claims`: the pattern that each named claim must fit, all of them."""

    name: str
    issuer: str  # compared to the letter
    audience: str
    claims: Mapping[str, str]
    grant: Grant


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """The claims of one statement that this room reads, and all of them."""

    issuer: str
    subject: str
    audiences: tuple[str, ...]
    expires: datetime
    not_before: datetime
    claims: Mapping[str, Any]

    @classmethod
    def read(cls, claims: Mapping[str, Any]) -> Self:
        """Reads the claims. Raises ValueError that says which one is missing or of another type than it must be."""
        issued, expires = _moment(claims, "iat"), _moment(claims, "exp")
        if expires - issued > MAX_LIFETIME:
            raise ValueError(f"is good for more than {MAX_LIFETIME // timedelta(hours=1)} hours")
        begins = _moment(claims, "nbf") if "nbf" in claims else issued
        return cls(
            issuer=_text(claims, "iss"),
            subject=_text(claims, "sub"),
            audiences=_audiences(claims.get("aud")),
            expires=expires,
            not_before=max(issued, begins),
            claims=claims,
        )

    @property
    def over(self) -> datetime:
        """From when on it is no more in force, for any clock that may be right."""
        return self.expires + LEEWAY

    def untimely(self, now: datetime) -> str | None:
        """Why it is not in force at that time; None where it is."""
        if now >= self.over:
            return f"has expired at {_shown_time(self.expires)}"
        if now < self.not_before - LEEWAY:
            return f"is not in force before {_shown_time(self.not_before)}"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoRule:
    """No entry fits. `why`: what keeps each entry of that issuer from fitting, for the log."""

    why: tuple[str, ...]


def matched(statement: Statement, rules: Sequence[WorkloadRule]) -> Workload | NoRule:
    """Whom the first entry that fits makes of the statement."""
    why: list[str] = []
    for rule in rules:
        if rule.issuer != statement.issuer:
            continue
        fault = _fault(statement, rule)
        if fault is None:
            return Workload(issuer=rule.issuer, subject=statement.subject, rule=rule.name, grant=rule.grant)
        why.append(f"{rule.name}: {fault}")
    return NoRule(why=tuple(why))


def _fault(statement: Statement, rule: WorkloadRule) -> str | None:
    if rule.audience not in statement.audiences:
        return f"the audience is {_shown(list(statement.audiences))}, not {_shown(rule.audience)}"
    for name, pattern in rule.claims.items():
        if name not in statement.claims:
            return f"there is no claim {name}"
        value = statement.claims[name]
        # A number or a list that is written like the pattern is something else than was meant.
        if not isinstance(value, str) or len(value) > MAX_VALUE_CHARS:
            return f"the claim {name} is no text of at most {MAX_VALUE_CHARS} characters"
        if not globs.matches(pattern, value):
            return f"the claim {name} is {_shown(value)}, which {_shown(pattern)} does not fit"
    return None


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not value or len(value) > MAX_SUBJECT_CHARS or printable(value) != value:
        raise ValueError(f"has no usable claim {name}")
    return value


def _audiences(value: Any) -> tuple[str, ...]:
    """One, or a list (RFC 7519, section 4.1.3)."""
    found = value if isinstance(value, list) else [value]
    if not found or not all(isinstance(one, str) and one for one in found):
        raise ValueError("has no usable claim aud")
    return tuple(found)


def _moment(claims: Mapping[str, Any], name: str) -> datetime:
    """A NumericDate (RFC 7519, section 2): seconds, perhaps with a fraction. A truth value is no number here."""
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_SECONDS:
        raise ValueError(f"has no usable claim {name}")
    return datetime.fromtimestamp(float(value), UTC)


def _shown_time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _shown(value: object) -> str:
    """A value in a message: whoever wrote it may not be who it says."""
    text = ascii(value)
    return text if len(text) <= _SHOWN_CHARS else f"{text[: _SHOWN_CHARS - 3]}..."

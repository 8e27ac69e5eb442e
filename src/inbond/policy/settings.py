"""A policy as the configuration writes it, parsed and frozen. What each key means stands in config/inbond.toml."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final, Self

from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import Version

from inbond.model import specifiers
from inbond.model.advisory import Severity
from inbond.model.names import ProjectName
from inbond.model.publisher import PublisherPattern
from inbond.model.units import format_duration, parse_duration
from inbond.model.verdict import Outcome
from inbond.policy.demands import ReusableWorkflows, Runners


class Attestations(StrEnum):
    """How much the `attestations` rule asks for (docs/design.md, "Evidence apart from verdict")."""

    OFF = "off"
    IF_PRESENT = "if-present"
    REQUIRE = "require"


class UnknownDate(StrEnum):
    """What counts as a file's age where upstream gives no upload time."""

    FIRST_SEEN = "first-seen"
    DENY = "deny"
    ALLOW = "allow"


class Presence(StrEnum):
    """A switch of a rule that denies one property of a file."""

    ALLOW = "allow"
    DENY = "deny"


class SecurityFixes(StrEnum):
    """Whether the cooldown lets a release through that mends what is known against the newest one past it."""

    EXEMPT = "exempt"
    WAIT = "wait"


class Locked(StrEnum):
    """What the cooldown does to files whose digests stand in one of the policy's lock files."""

    ENFORCE = "enforce"
    GRANDFATHER = "grandfather"


class Hashes(StrEnum):
    """What becomes of a file whose page names no sha256: denied, or had under the digest of its first download."""

    REQUIRE = "require"
    ALLOW = "allow"


class DenyAs(StrEnum):
    """How a denied file looks on its page: marked yanked with the reason, or gone."""

    YANK = "yank"
    HIDE = "hide"


class Listing(StrEnum):
    """What a page waits for before it is shown (docs/design.md, "How a page flows")."""

    LAZY = "lazy"
    SETTLED = "settled"
    VERIFIED = "verified"


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """A rule's action: `off`, `warn`, `hold AGE` or `deny`. `age` is set for holds, and only for them."""

    outcome: Outcome
    age: timedelta | None = None

    def __post_init__(self) -> None:
        if (self.age is not None) is not (self.outcome is Outcome.HOLD):
            raise ValueError("a hold has an age, and nothing else has one")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads an action. Raises ValueError that lists what there is."""
        words = text.split()
        match words:
            case ["off"]:
                return cls(outcome=Outcome.ALLOW)
            case ["warn"]:
                return cls(outcome=Outcome.WARN)
            case ["deny"]:
                return cls(outcome=Outcome.DENY)
            case ["hold", age]:
                return cls(outcome=Outcome.HOLD, age=parse_duration(age))
            case _:
                raise ValueError(f"{text!r} is not an action: write 'off', 'warn', 'hold 7d' or 'deny'")

    def __str__(self) -> str:
        if self.outcome is Outcome.ALLOW:
            return "off"
        return f"hold {format_duration(self.age)}" if self.age is not None else str(self.outcome)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectPattern:
    """A project's name or a pattern in which `*` stands for any run of characters, as in `acme-*`."""

    text: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads a name or pattern; it is normalised like a name. Raises ValueError."""
        normalised = re.sub(r"[-_.]+", "-", text.strip()).lower()
        if not re.fullmatch(r"[a-z0-9*-]+", normalised):
            raise ValueError(f"{text!r} is neither a project's name nor a pattern such as 'acme-*'")
        return cls(text=normalised)

    def matches(self, project: ProjectName) -> bool:
        """Whether the project is one of those meant."""
        return _project_glob(self.text).fullmatch(project) is not None


@lru_cache(maxsize=4096)
def _project_glob(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in text.split("*")))


_BEHIND_NAME: Final = re.compile(r"[^\w*.-]", re.ASCII)  # where the name or pattern of an entry ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """An entry of `deny` or `allow`: a PEP 508 name, or a pattern of names, with an optional specifier."""

    text: str
    projects: ProjectPattern
    specifier: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads `evil-pkg`, `left-pad<2`, `acme-*` or `acme-*<2`. Raises ValueError for extras, markers and URLs."""
        name = _BEHIND_NAME.split(text.strip(), maxsplit=1)[0]
        try:
            requirement = Requirement(text.strip().replace(name, name.replace("*", "x"), 1))
        except InvalidRequirement as error:
            raise ValueError(f"{text!r} is not a name with an optional specifier, such as 'left-pad<2'") from error
        if requirement.extras or requirement.marker or requirement.url:
            raise ValueError(f"{text!r}: only a name and versions can be listed, no extras, markers or URLs")
        return cls(text=text, projects=ProjectPattern.parse(name), specifier=str(requirement.specifier))

    def covers(self, project: ProjectName, version: Version | None) -> bool | None:
        """Whether this entry names that release; None where it names versions and the file's is unreadable."""
        if not self.projects.matches(project):
            return False
        if not self.specifier:
            return True
        if version is None:
            return None
        return specifiers.names(self.specifier, version)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectPolicy:
    """The keys of a policy that `rules` may refine, as they stand for one project."""

    attestations: Attestations = Attestations.IF_PRESENT
    continuity: Action = field(default_factory=lambda: Action.parse("hold 7d"))
    min_age: timedelta = timedelta(hours=24)
    security_fixes: SecurityFixes = SecurityFixes.EXEMPT
    backdated: Action = field(default_factory=lambda: Action.parse("warn"))
    unknown_date: UnknownDate = UnknownDate.FIRST_SEEN
    unsupported: Action = field(default_factory=lambda: Action.parse("warn"))
    unavailable: Action = field(default_factory=lambda: Action.parse("hold 1h"))
    hashes: Hashes = Hashes.REQUIRE
    yanked: Presence = Presence.ALLOW
    sdists: Presence = Presence.ALLOW
    archive: Action = field(default_factory=lambda: Action.parse("deny"))
    predicates: tuple[str, ...] = ()  # predicate types, in full
    refs: tuple[str, ...] = ()  # patterns, as `inbond.model.globs` reads them; so are environments
    runners: Runners = Runners.ANY
    environments: tuple[str, ...] = ()
    deny_triggers: tuple[str, ...] = ()
    reusable_workflows: ReusableWorkflows = ReusableWorkflows.ANY
    pull_requests: Action = field(default_factory=lambda: Action.parse("warn"))
    malware: Action = field(default_factory=lambda: Action.parse("deny"))
    vulnerabilities: Action = field(default_factory=lambda: Action.parse("warn"))
    min_severity: Severity = Severity.LOW  # what nobody rated counts as reaching any
    publishers: tuple[PublisherPattern, ...] = ()

    @property
    def asks_for_evidence(self) -> bool:
        """Whether any verdict waits for a file's provenance."""
        return self.attestations is not Attestations.OFF or bool(self.demands)

    @property
    def demands(self) -> tuple[str, ...]:
        """The rules that ask for a verified publish attestation, whatever `attestations` says."""
        asked = {
            "publishers": bool(self.publishers),
            "predicates": bool(self.predicates),
            "refs": bool(self.refs),
            "runners": self.runners is not Runners.ANY,
            "environments": bool(self.environments),
            "triggers": bool(self.deny_triggers),
            "reusable_workflows": self.reusable_workflows is not ReusableWorkflows.ANY,
        }
        return tuple(name for name, is_asked in asked.items() if is_asked)

    @property
    def longest_hold(self) -> timedelta:
        """The age at which no hold counted from trusted time can be in force any more."""
        actions = (
            self.archive, self.backdated, self.continuity, self.malware, self.pull_requests, self.unsupported,
            self.vulnerabilities,
        )  # fmt: skip
        return max(self.min_age, *(action.age or timedelta(0) for action in actions))


@dataclass(frozen=True, slots=True, kw_only=True)
class Refinement:
    """An entry of `rules`: which projects, and the keys of `ProjectPolicy` that differ for them."""

    projects: tuple[ProjectPattern, ...]
    changes: Mapping[str, Any]


EVERY_RULE: Final = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySettings:
    """A named policy."""

    name: str = "default"
    audit: frozenset[str] = frozenset()
    deny_as: DenyAs = DenyAs.YANK
    listing: Listing = Listing.SETTLED
    deny: tuple[Listed, ...] = ()
    allow: tuple[Listed, ...] | None = None  # None: open; otherwise only what is named is let through
    locked: Locked = Locked.ENFORCE
    in_locks: frozenset[str] = frozenset()  # sha256 of the files that the policy's lock files name
    freeze: datetime | None = None  # of an index: what is younger by trusted time is denied
    support_url: str | None = None
    base: ProjectPolicy = field(default_factory=ProjectPolicy)
    refinements: tuple[Refinement, ...] = ()

    def for_project(self, project: ProjectName) -> ProjectPolicy:
        """The keys in force for a project: refinements in order, the last that names a key wins."""
        changes: dict[str, Any] = {}
        for refinement in self.refinements:
            if any(pattern.matches(project) for pattern in refinement.projects):
                changes.update(refinement.changes)
        return replace(self.base, **changes) if changes else self.base

    def audits(self, rule: str) -> bool:
        """Whether findings of that rule are only recorded."""
        return rule in self.audit or EVERY_RULE in self.audit

"""A policy's keys become `PolicySettings`; and a digest over all of them, for generations."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from inbond.cli.config_model import PolicyTable, RuleTable
from inbond.model.advisory import Severity
from inbond.model.publisher import PublisherPattern
from inbond.model.units import parse_duration
from inbond.policy.build_events import parse_trigger
from inbond.policy.demands import (
    ReusableWorkflows,
    Runners,
    parse_environment,
    parse_predicate,
    parse_ref,
)
from inbond.policy.settings import (
    Action,
    Attestations,
    DenyAs,
    Hashes,
    Listed,
    Listing,
    Locked,
    PolicySettings,
    Presence,
    ProjectPattern,
    ProjectPolicy,
    Refinement,
    SecurityFixes,
    UnknownDate,
)

# The keys of `ProjectPolicy`, which stand in a policy and may stand in its rules.
_PARSERS: Final[Mapping[str, Callable[[Any], Any]]] = MappingProxyType(
    {
        "attestations": Attestations,
        "continuity": Action.parse,
        "min_age": parse_duration,
        "security_fixes": SecurityFixes,
        "backdated": Action.parse,
        "unknown_date": UnknownDate,
        "unsupported": Action.parse,
        "unavailable": Action.parse,
        "hashes": Hashes,
        "yanked": Presence,
        "sdists": Presence,
        "archive": Action.parse,
        "predicates": lambda kinds: tuple(map(parse_predicate, kinds)),
        "refs": lambda patterns: tuple(map(parse_ref, patterns)),
        "runners": Runners,
        "environments": lambda patterns: tuple(map(parse_environment, patterns)),
        "deny_triggers": lambda events: tuple(map(parse_trigger, events)),
        "reusable_workflows": ReusableWorkflows,
        "pull_requests": Action.parse,
        "malware": Action.parse,
        "vulnerabilities": Action.parse,
        "min_severity": lambda word: Severity[word.upper()],
        "publishers": lambda pins: tuple(map(PublisherPattern.parse, pins)),
    }
)


def policy_settings(name: str, table: PolicyTable) -> PolicySettings:
    """The policy that a valid table describes."""
    return PolicySettings(
        name=name,
        audit=frozenset(table.audit),
        deny_as=DenyAs(table.deny_as),
        listing=Listing(table.listing),
        deny=tuple(map(Listed.parse, table.deny)),
        allow=None if table.allow is None else tuple(map(Listed.parse, table.allow)),
        locked=Locked(table.locked),
        support_url=table.support_url or None,
        base=ProjectPolicy(**_parsed(table.model_dump())),
        refinements=tuple(map(_refinement, table.rules)),
    )


def _refinement(rule: RuleTable) -> Refinement:
    return Refinement(
        projects=tuple(map(ProjectPattern.parse, rule.projects)),
        changes=MappingProxyType(_parsed(rule.model_dump(exclude_unset=True))),
    )


def _parsed(written: Mapping[str, Any]) -> dict[str, Any]:
    return {key: parse(written[key]) for key, parse in _PARSERS.items() if key in written}


def policy_digest(settings: PolicySettings) -> str:
    """The sha256 over everything a policy says, its name included: the same on every replica, in every process."""
    text = json.dumps(_plain(settings), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    match value:
        case timedelta():
            return value.total_seconds()
        case datetime():
            return value.isoformat()
        case Mapping():
            return {str(key): _plain(below) for key, below in value.items()}
        case AbstractSet():
            return sorted(map(str, value))
        case tuple():
            return [_plain(entry) for entry in value]
        case _ if dataclasses.is_dataclass(value):
            return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        case _:
            return value if value is None or isinstance(value, int | str) else str(value)

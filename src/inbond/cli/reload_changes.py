"""What another configuration would change: what can be changed while inbond runs, and what needs a restart. No I/O."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from inbond.cli.config import Config, Loaded, policy_digest
from inbond.cli.config_model import Written
from inbond.gateway.indexes import TOLD_DIGITS
from inbond.model.decisions import Decided

# What a reload may change: sections, and keys of [server]. All that is not named here needs a restart, new keys too.
SECTIONS: Final = frozenset({"access", "decisions", "history", "indexes", "mirrors", "policies"})
SERVER_KEYS: Final = frozenset({"hosts", "public_url", "tls_certificate", "tls_key", "trusted_proxies"})
RENEWED: Final = "credentials"
TLS: Final = "tls_certificate"  # from none to one, or back, is another way to listen


class PolicyChange(msgspec.Struct, frozen=True, kw_only=True):
    """A policy by name, and the sha256 of all it says; None where there was, or is, none."""

    policy: str
    before: str | None
    after: str | None


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between two configurations. `keys`: of what is neither policies, indexes nor decisions.

    `configuration`: the sha256 of all that the new one says.
    """

    policies: tuple[PolicyChange, ...] = ()
    indexes_added: tuple[str, ...] = ()
    indexes_removed: tuple[str, ...] = ()
    indexes_changed: tuple[str, ...] = ()
    decisions_added: int = 0
    decisions_removed: int = 0
    keys: tuple[str, ...] = ()
    certificate: str | None = None  # its sha256, where another is in force
    configuration: str = ""

    def lines(self) -> list[str]:
        """For people, a line each; none where nothing differs."""
        return [
            *(_policy_line(one) for one in self.policies),
            *(f"index {name}: added" for name in self.indexes_added),
            *(f"index {name}: removed" for name in self.indexes_removed),
            *(f"index {name}: changed" for name in self.indexes_changed),
            *([f"decisions: {_counted(self)}"] if self.decisions_added or self.decisions_removed else []),
            *([f"certificate: sha256 {self.certificate[:TOLD_DIGITS]}"] if self.certificate else []),
            *(f"{key}: changed" for key in self.keys),
        ]


def _policy_line(one: PolicyChange) -> str:
    before, after = (digest[:TOLD_DIGITS] if digest else None for digest in (one.before, one.after))
    match before, after:
        case None, _:
            return f"policy {one.policy}: added, sha256 {after}"
        case _, None:
            return f"policy {one.policy}: removed, sha256 {before}"
        case _:
            return f"policy {one.policy}: sha256 {before} -> {after}"


def _counted(changes: Changes) -> str:
    return f"{changes.decisions_added} added, {changes.decisions_removed} removed"


def needing_restart(before: Loaded, after: Loaded) -> tuple[str, ...]:
    """The keys that differ, or whose files do, and cannot be changed while inbond runs."""
    differing = {*_differing(before.written, after.written), *_held_otherwise(before, after)}
    found = {key for key in differing if not _is_reloadable(key) and not _is_renewed(key, before, after)}
    if bool(before.written.server.tls_certificate) != bool(after.written.server.tls_certificate):
        found.add(f"server.{TLS}")
    return tuple(sorted(found))


def renewing(before: Loaded, after: Loaded) -> tuple[str, ...]:
    """What is to be said of credentials whose file holds others: no reload takes them up, whoever sends them does."""
    return tuple(
        f"{key}: its file holds others; they are taken up once those in use are answered 401"
        for key in _held_otherwise(before, after)
        if _is_renewed(key, before, after)
    )


def authorities_of(loaded: Loaded) -> tuple[str, ...]:
    """The digests of the files by which a reload may have others trusted: all processes are to have read the same."""
    return tuple(f"{key} {digest}" for key, digest in sorted(loaded.held.items()) if _is_reloadable(key))


def changes_between(before: Loaded, old: Config, after: Loaded, new: Config) -> Changes:
    """All that differs, of what a reload may change."""
    indexes, were = ({one.name: one for one in config.indexes} for config in (new, old))
    policies, stood = policies_of(new), policies_of(old)
    decided, was = ({_identity(one) for one in config.decisions} for config in (new, old))
    told_otherwise = ("policies.", "indexes.", "decisions.")
    reloaded = (key for key in _held_otherwise(before, after) if _is_reloadable(key))
    differing = sorted({*_differing(before.written, after.written), *reloaded})
    return Changes(
        policies=policy_changes(stood, policies),
        configuration=digest_of(after),
        indexes_added=tuple(sorted(indexes.keys() - were.keys())),
        indexes_removed=tuple(sorted(were.keys() - indexes.keys())),
        indexes_changed=tuple(sorted(name for name in indexes.keys() & were.keys() if indexes[name] != were[name])),
        decisions_added=len(decided - was),
        decisions_removed=len(was - decided),
        keys=tuple(key for key in differing if not key.startswith(told_otherwise)),
    )


def policies_of(config: Config) -> dict[str, str]:
    """Each policy's sha256, by name."""
    return {name: policy_digest(one) for name, one in config.policies.items()}


def policy_changes(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[PolicyChange, ...]:
    """The policies that are others, by name."""
    return tuple(
        PolicyChange(policy=name, before=before.get(name), after=after.get(name))
        for name in sorted({*after, *before})
        if after.get(name) != before.get(name)
    )


def digest_of(loaded: Loaded, *more: str) -> str:
    """The sha256 over a whole configuration, and all that it names and was read with it: the same in every process."""
    parts = {
        "written": loaded.written.model_dump(mode="json"),
        "locks": {name: sorted(digests) for name, digests in loaded.in_locks.items()},
        "decisions": sorted(_identity(one.decided) for one in loaded.decisions),
        "more": more,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def _identity(decided: Decided) -> str:
    return json.dumps(msgspec.to_builtins(decided, enc_hook=str, order="deterministic"), sort_keys=True)


def _held_otherwise(before: Loaded, after: Loaded) -> list[str]:
    """The keys that both have, and whose files hold something else."""
    return sorted(key for key in before.held.keys() & after.held.keys() if before.held[key] != after.held[key])


def _is_renewed(key: str, before: Loaded, after: Loaded) -> bool:
    """Whether only the file of credentials holds others, which are read again where those in use are refused."""
    return key.endswith(f".{RENEWED}") and key not in _differing(before.written, after.written)


def _is_reloadable(key: str) -> bool:
    section, _, rest = key.partition(".")
    return section in SECTIONS or (section == "server" and rest in SERVER_KEYS)


def _differing(before: Written, after: Written) -> list[str]:
    """The keys whose values differ, as `upstreams.pypi.url`; all of a table that only one of them has."""
    old, new = (dict(_keys(one.model_dump())) for one in (before, after))
    return sorted(key for key in {*old, *new} if old.get(key, _MISSING) != new.get(key, _MISSING))


_MISSING: Final = object()


def _keys(table: Mapping[str, Any], below: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, Mapping) and value:
            yield from _keys(value, f"{below}{name}.")
        else:
            yield f"{below}{name}", value

"""The policy's `allow` list: once there is one, only what it names passes."""

from __future__ import annotations

from typing import Final

from packaging.version import Version

from inbond.model.verdict import Finding
from inbond.policy.case import Case, PageCase
from inbond.policy.rule import deny

name: Final = "allow"

_NOT_LISTED: Final = deny(
    name,
    "the allow list does not name this release",
    remedy="use a release that the list names, or have this one added",
    code="not-listed",
)


def applies(shared: PageCase) -> bool:
    """Where the list is closed."""
    return shared.settings.allow is not None


def judge(case: Case) -> Finding | None:
    """Denies what no entry covers for certain: a version that cannot be read is covered by no specifier."""
    entries = case.settings.allow
    if entries is None:
        return None
    version = case.version
    kept: dict[Version | None, bool] = case.shared.kept.setdefault(name, {})  # the files of a release are many
    if version not in kept:
        kept[version] = any(entry.covers(case.page.name, version) is True for entry in entries)
    return None if kept[version] else _NOT_LISTED

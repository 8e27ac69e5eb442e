"""Releases that the policy's `deny` list names."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from packaging.version import Version

from inbond.model.verdict import Finding
from inbond.policy.case import Case, PageCase
from inbond.policy.rule import deny

name: Final = "deny"


def applies(shared: PageCase) -> bool:
    """Where an entry names the project, with versions or without."""
    return any(entry.projects.matches(shared.page.name) for entry in shared.settings.deny)


def judge(case: Case) -> Finding | None:
    """Denies what an entry covers, and what it may cover where the file's version cannot be read."""
    version = case.version
    kept: dict[Version | None, Finding | None] = case.shared.kept.setdefault(name, {})
    if version not in kept:  # the files of a release are many
        kept[version] = _covering(case.shared, version)
    return kept[version]


def _covering(shared: PageCase, version: Version | None) -> Finding | None:
    for entry in shared.settings.deny:
        covered = entry.covers(shared.page.name, version)
        if covered is not False:
            return _denied(entry.text, versions=bool(entry.specifier), readable=covered is not None)
    return None


@lru_cache(maxsize=1024)
def _denied(entry: str, *, versions: bool, readable: bool) -> Finding:
    if readable:
        other = "a version that the list does not name" if versions else "another project"
        remedy = f"use {other}, or have the entry removed"
        return deny(name, f"the deny list names {entry}", remedy=remedy, code="listed")
    return deny(
        name,
        f"the deny list names {entry}, and this file's version cannot be read",
        remedy="use a file named with a PEP 440 version",
        code="unreadable-version",
    )

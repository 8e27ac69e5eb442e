"""Releases that somebody looked at and rejected: `inbond review reject`, or the configuration's `decisions`."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from packaging.version import Version

from inbond.model.decisions import Rejection, Source
from inbond.model.verdict import Finding
from inbond.policy.case import Case, PageCase
from inbond.policy.rule import deny

name: Final = "review"

_BY_VERSION: Final = "review by version"


def applies(shared: PageCase) -> bool:
    """Where a rejection that counts on this index names the project."""
    return bool(_concerning(shared))


def judge(case: Case) -> Finding | None:
    """Denies what a rejection covers, and what it may cover where the file's version cannot be read."""
    version, sha256 = case.version, case.file.sha256
    concerning = _concerning(case.shared)
    if not any(one.target.sha256 is not None for one in concerning):
        kept: dict[Version | None, Finding | None] = case.shared.kept.setdefault(_BY_VERSION, {})
        if version not in kept:  # the files of a release are many
            kept[version] = _covering(concerning, version, None)
        return kept[version]
    return _covering(concerning, version, sha256)


def _covering(concerning: tuple[Rejection, ...], version: Version | None, sha256: str | None) -> Finding | None:
    covered = [(one.target.covers(one.target.project, version, sha256), one) for one in concerning]
    # of several the one with the smallest id: the same on every replica, whatever the order they are read in
    certain = min((one for covers, one in covered if covers), key=_id, default=None)
    if certain is not None:
        return _rejected(certain)
    doubtful = min((one for covers, one in covered if covers is None), key=_id, default=None)
    return _unreadable(doubtful) if doubtful is not None else None


def _concerning(shared: PageCase) -> tuple[Rejection, ...]:
    found: tuple[Rejection, ...] | None = shared.kept.get(name)
    if found is None:
        project, indexes = shared.page.name, (None, shared.index)
        every = shared.standing.rejections
        found = tuple(one for one in every if one.target.project == project and one.index in indexes)
        shared.kept[name] = found
    return found


def _id(rejection: Rejection) -> str:
    return rejection.id


@lru_cache(maxsize=1024)
def _rejected(rejection: Rejection) -> Finding:
    message = f"{rejection.by} rejected {rejection.target}: {rejection.reason}"
    remedy = f"use another version, or {_taken_back(rejection)}"
    return deny(name, message, remedy=remedy, code="rejected")


@lru_cache(maxsize=1024)
def _unreadable(rejection: Rejection) -> Finding:
    message = f"{rejection.target} is rejected, and this file's version cannot be read"
    remedy = f"use a file named with a PEP 440 version, or {_taken_back(rejection)}"
    return deny(name, message, remedy=remedy, code="unreadable-version")


def _taken_back(rejection: Rejection) -> str:
    how = "revoked" if rejection.source is Source.LEDGER else "removed from the configuration"
    return f"have rejection {rejection.id} {how}"

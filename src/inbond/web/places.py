"""Where pages about things are: their paths, escaped."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from inbond.gateway.why import DIGITS


def project_href(index: str, project: str) -> str:
    """The page of a project."""
    return f"/-/projects/{quote(index, safe='')}/{quote(project, safe='')}"


def file_href(index: str, project: str, filename: str) -> str:
    """The page of a file."""
    return f"/-/files/{quote(index, safe='')}/{quote(project, safe='')}/{quote(filename, safe='')}"


def waive_href(index: str, rule: str, target: str) -> str:
    """The form that makes a waiver, filled in."""
    return f"/-/waivers/new?{urlencode({'target': target, 'rule': rule, 'index': index})}"


def why_href(sha256: str | None) -> str | None:
    """The page that explains a file; None for one without a digest."""
    return None if sha256 is None else f"/why/{sha256[:DIGITS]}"

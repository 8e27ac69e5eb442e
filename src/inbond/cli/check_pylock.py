"""`--write-pylock`: a pylock.toml completed by the identities whose attestations were verified (PEP 751)."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, assert_never

import tomlkit
from tomlkit.items import Array, InlineTable

from inbond.check.report import DependencyReport, LockReport
from inbond.cli.check_run import Checked
from inbond.locks.lock import LockFormat
from inbond.model.errors import ClientFault, OperatorFault
from inbond.model.evidence import Verified, VerifiedAttestation
from inbond.model.names import ProjectName
from inbond.model.publisher import Forge, Publisher

KEY: Final = "attestation-identities"
_EXPORTS: Final = {
    LockFormat.UV: "uv export --format pylock.toml -o pylock.toml",
    LockFormat.PDM: "pdm export --format pylock -o pylock.toml",
    LockFormat.REQUIREMENTS: "uv pip compile --format pylock.toml -o pylock.toml",
}


def write(checked: Checked, target: Path) -> str:
    """Writes the one pylock.toml that was checked to `target`, its other bytes kept; what to tell about it.

    A package gets the publishers of its verified attestations, and loses identities that could not be verified now.
    Raises `ClientFault` where something else was checked, `OperatorFault` where it cannot be written.
    """
    report = _the_pylock(checked)
    document = tomlkit.parse(Path(report.lock.source).read_bytes())
    rows = {(row.dependency.project, row.dependency.place.line): row for row in report.rows}
    lines = {
        row.dependency.project: [line for name, line in rows if name == row.dependency.project] for row in report.rows
    }
    filled = 0
    for package in document.get("packages", ()):
        row = _next_row(rows, lines, ProjectName(package["name"]))
        identities = _identities(row) if row is not None else []
        package.pop(KEY, None)
        if identities:
            package[KEY] = _array(identities)
            filled += 1
    _replace(target, tomlkit.dumps(document))
    return f"wrote {target}: {filled} of {len(document.get('packages', ()))} packages with verified identities"


def _the_pylock(checked: Checked) -> LockReport:
    pylocks = [report for report in checked.reports if report.lock.format is LockFormat.PYLOCK]
    if len(pylocks) == 1:
        return pylocks[0]
    if pylocks:
        raise ClientFault("--write-pylock takes one pylock.toml", remedy="check them one after the other")
    hints = [_EXPORTS[report.lock.format] for report in checked.reports if report.lock.format in _EXPORTS]
    raise ClientFault(
        "--write-pylock completes a pylock.toml, and none was checked",
        remedy=f"make one and check that: {hints[0]}" if hints else "export the lock as pylock.toml and check that",
    )


def _next_row(
    rows: dict[tuple[ProjectName, int], DependencyReport], lines: dict[ProjectName, list[int]], project: ProjectName
) -> DependencyReport | None:
    """The row of a package: those of one project come in the order of their lines."""
    left = lines.get(project)
    return rows[project, left.pop(0)] if left else None


def _identities(row: DependencyReport) -> list[dict[str, Any]]:
    found: dict[tuple[tuple[str, Any], ...], None] = {}
    for file in row.judged:
        evidence = file.judgement.evidence
        if isinstance(evidence, Verified):
            for attestation in evidence.attestations:
                if isinstance(attestation, VerifiedAttestation):
                    found.setdefault(tuple(_identity(attestation.publisher)))
    return [dict(identity) for identity in sorted(found, key=str)]


def _identity(publisher: Publisher) -> Iterable[tuple[str, Any]]:
    """The publisher object of PEP 740, as the index gave it and the certificate bore it out."""
    match publisher.forge:
        case Forge.GITHUB:
            keys = {"kind": "GitHub", "repository": publisher.subject, "workflow": publisher.workflow}
        case Forge.GITLAB:
            keys = {"kind": "GitLab", "repository": publisher.subject, "workflow_filepath": publisher.workflow}
        case Forge.GOOGLE:
            keys = {"kind": "Google", "email": publisher.subject}
        case Forge.CIRCLECI:
            keys = {"kind": "CircleCI", "project_id": publisher.subject, "pipeline_definition_id": publisher.workflow}
        case Forge.OIDC:
            keys = {"kind": "OIDC", "subject": publisher.subject}
        case _:
            assert_never(publisher.forge)
    if publisher.environment is not None:
        keys["environment"] = publisher.environment
    return [(key, value) for key, value in keys.items() if value is not None]


def _array(identities: list[dict[str, Any]]) -> Array:
    array = tomlkit.array()
    for identity in identities:
        table: InlineTable = tomlkit.inline_table()
        table.update(identity)
        array.append(table)
    return array


def _replace(target: Path, text: str) -> None:
    """Whole or not at all."""
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        if target.exists():
            Path(name).chmod(target.stat().st_mode & 0o777)
        else:
            Path(name).chmod(0o644)
        Path(name).replace(target)
    except OSError as error:
        raise OperatorFault(f"{target} cannot be written: {error.strerror or error}") from error

"""`--write-pylock`: a pylock.toml completed by the identities whose attestations were verified (PEP 751)."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, MutableMapping, Sequence
from pathlib import Path
from typing import Any, Final, assert_never

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT, Array, InlineTable, SingleKey, Table

from inbond.check.report import DependencyReport, LockReport
from inbond.cli.check_locks import Checked
from inbond.cli.whole_files import write_whole
from inbond.locks.lock import LockFormat
from inbond.model.errors import ClientFault
from inbond.model.evidence import Verified, VerifiedAttestation
from inbond.model.publisher import Forge, Publisher

KEY: Final = "attestation-identities"
_BOM: Final = "\ufeff"
_EXPORTS: Final = {
    LockFormat.UV: "uv export --format pylock.toml -o pylock.toml",
    LockFormat.PDM: "pdm export --format pylock -o pylock.toml",
    LockFormat.REQUIREMENTS: "uv pip compile --format pylock.toml -o pylock.toml",
}
Identities = list[dict[str, Any]]


def write(checked: Checked, target: Path) -> str:
    """Writes the one pylock.toml that was checked to `target`, its other bytes kept; what to tell about it.

    A package gets the publishers of its verified attestations, and loses identities that could not be verified now.
    Raises `ClientFault` where something else was checked, `OperatorFault` where it cannot be written.
    """
    report, raw = _the_pylock(checked)
    identities = _by_package(report)
    write_whole(target, _completed(raw, identities))
    filled = sum(map(bool, identities))
    return f"wrote {target}: {filled} of {len(identities)} packages with verified identities"


def _the_pylock(checked: Checked) -> tuple[LockReport, bytes]:
    both = zip(checked.reports, checked.targets, strict=True)
    pylocks = [(report, target.raw) for report, target in both if report.lock.format is LockFormat.PYLOCK]
    if len(pylocks) == 1:
        return pylocks[0]
    if pylocks:
        raise ClientFault("--write-pylock takes one pylock.toml", remedy="check them one after the other")
    hints = [_EXPORTS[report.lock.format] for report in checked.reports if report.lock.format in _EXPORTS]
    raise ClientFault(
        "--write-pylock completes a pylock.toml, and none was checked",
        remedy=f"make one and check that: {hints[0]}" if hints else "export the lock as pylock.toml and check that",
    )


def _by_package(report: LockReport) -> list[Identities]:
    """For each package of the lock, in its order; those that are not asked for (the project's own) have none."""
    rows = {id(row.dependency): row for row in report.rows}
    found = [rows.get(id(dependency)) for dependency in report.lock.dependencies]
    return [_identities(row) if row is not None else [] for row in found]


def _completed(raw: bytes, identities: Sequence[Identities]) -> bytes:
    text = raw.decode()
    newline = "\r\n" if "\r\n" in text else "\n"
    refused = ClientFault("the identities cannot be put into this pylock.toml", remedy="lock again, and check that")
    try:
        document = tomlkit.parse(text.removeprefix(_BOM))
        for package, wanted in zip(document.get("packages", ()), identities, strict=True):
            _fill(package, wanted, newline)
        result = tomlkit.dumps(document)
    except (TOMLKitError, ValueError, TypeError) as error:
        raise refused from error
    if tomllib.loads(result) != _expected(text.removeprefix(_BOM), identities):
        raise refused
    return ((_BOM if text.startswith(_BOM) else "") + result).encode()


def _expected(text: str, identities: Sequence[Identities]) -> dict[str, Any]:
    values = tomllib.loads(text)
    for package, wanted in zip(values.get("packages", ()), identities, strict=True):
        package.pop(KEY, None)
        if wanted:
            package[KEY] = wanted
    return values


def _fill(package: MutableMapping[str, Any], identities: Identities, newline: str) -> None:
    there = package.get(KEY)
    if identities and isinstance(there, Array):
        package[KEY] = _array(identities)
        return
    package.pop(KEY, None)
    if not identities:
        return
    if isinstance(package, Table):
        _insert(package, _array(identities), newline)
    else:
        package[KEY] = _array(identities)


def _insert(package: Table, array: Array, newline: str) -> None:
    """After the last value: tomlkit itself would put it behind the comments that lead to what follows."""
    array.trivia.trail = newline
    body = package.value.body
    at, last = 0, None
    for number, (key, item) in enumerate(body, 1):
        if isinstance(item, Table | AoT):
            break
        if key is not None:
            at, last = number, item
    if last is not None and "\n" not in last.trivia.trail:
        last.trivia.trail += newline  # the file ends without one
    body.insert(at, (SingleKey(KEY), array))


def _identities(row: DependencyReport) -> Identities:
    found: dict[tuple[tuple[str, Any], ...], None] = {}
    for file in row.judged:
        evidence = file.judgement.evidence
        if file.proven and isinstance(evidence, Verified):
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


def _array(identities: Identities) -> Array:
    array = tomlkit.array()
    for identity in identities:
        table: InlineTable = tomlkit.inline_table()
        table.update(identity)
        array.append(table)
    return array

"""OSV records as databases publish them, and archives of them."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

EVENTS = tuple[Mapping[str, str], ...]
ALL: EVENTS = ({"introduced": "0"},)


def affected(
    project: str,
    *events: Mapping[str, str],
    versions: Iterable[str] = (),
    digests: Iterable[str] = (),
    ecosystem: str = "PyPI",
    kind: str = "ECOSYSTEM",
    **more: Any,
) -> dict[str, Any]:
    """An entry of `affected`."""
    files = [{"filename": f"{number}.whl", "hashes": {"sha256": digest}} for number, digest in enumerate(digests)]
    return {
        "package": {"ecosystem": ecosystem, "name": project},
        **({"ranges": [{"type": kind, "events": list(events)}]} if events else {}),
        **({"versions": list(versions)} if versions else {}),
        **({"database_specific": {"indicators": {"package_integrity": files}}} if files else {}),
        **more,
    }


def record(record_id: str, *entries: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A record; `more` are further members, also in the place of these."""
    return {
        "schema_version": "1.7.4",
        "id": record_id,
        "modified": "2026-11-01T00:00:00Z",
        "published": "2026-11-01T00:00:00Z",
        "summary": f"what {record_id} is about",
        "affected": list(entries),
        **more,
    }


def raw(record_id: str, *entries: Mapping[str, Any], **more: Any) -> bytes:
    """A record's bytes."""
    return json.dumps(record(record_id, *entries, **more)).encode()


def malware(record_id: str, project: str, *versions: str, **more: Any) -> bytes:
    """The bytes of a record that calls versions of a project malware; without any, all of them."""
    entry = affected(project, versions=versions) if versions else affected(project, *ALL)
    return raw(record_id, entry, **more)


def vulnerability(record_id: str, project: str, *, fixed: str, severity: str = "HIGH", **more: Any) -> bytes:
    """The bytes of a record of a vulnerability in all versions before one, rated in GitHub's way."""
    entry = affected(project, {"introduced": "0"}, {"fixed": fixed})
    return raw(record_id, entry, database_specific={"severity": severity}, **more)


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A .zip archive."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def tarred(files: Mapping[str, bytes]) -> bytes:
    """A .tar.gz archive."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return made.getvalue()


def directory(place: Path, files: Mapping[str, bytes]) -> Path:
    """A directory of records; names may lead below it."""
    for name, content in files.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return place

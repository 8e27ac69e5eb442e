"""What came of exports, verifications and imports as JSON. Keys are added, never changed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from inbond.bundles.manifest import Manifest
from inbond.cli.bundle_export_run import Exported
from inbond.cli.bundle_remove_run import Removed
from inbond.mirror.import_outcome import Examined, Imported
from inbond.mirror.synced import Synced
from inbond.model.imports import Brought, Change, Import
from inbond.model.verdict import Judgement
from inbond.web.verdict_json import finding_json, timestamp

VERSION: Final = 1


def exported(done: Exported) -> str:
    """What was written, and what was left out."""
    left_out = [
        {
            "upstream": one.upstream,
            "project": str(one.project),
            "filename": str(one.filename),
            "reason": one.reason,
            "findings": _findings(one.judgement),
        }
        for one in done.gathered.left_out
    ]
    return _dumps(
        {
            **_manifest(done.gathered.manifest, done.sha256, done.key),
            "output": done.output,
            "carried_bytes": done.carried,
            "seconds": round(done.seconds, 3),
            "left_out": left_out,
        }
    )


def imported(done: Imported) -> str:
    """What was taken or would be, with every file."""
    return _dumps(
        {
            **_manifest(done.manifest, done.sha256, done.key),
            "kept": done.kept,
            "taken": len(done.taken),
            "read_bytes": done.size,
            "written_bytes": done.written,
            "seconds": round(done.seconds, 3),
            "refused": [_file(one) for one in done.refused],
            "held": [_file(one) for one in done.held],
            "different": [_file(one) for one in done.different],
            "nothing_taken": done.nothing,
            "brought": _brought(Brought() if done.nothing else done.brought),
        }
    )


def removed(done: Removed) -> str:
    """What is gone. `removed` is null where nothing of that name was here."""
    gone = done.withdrawn
    return _dumps(
        {
            "version": VERSION,
            "name": done.name,
            "removed": None
            if gone is None
            else {"imports": gone.imports, "projects": gone.projects, "attached": gone.attached},
            "blobs": done.swept.files,
            "bytes": done.swept.size,
        }
    )


def shown(manifest: Manifest, sha256: str, key: str, *, genuine: bool) -> str:
    """What a bundle says of itself."""
    return _dumps({**_manifest(manifest, sha256, key), "verified": False, "signature_verified": genuine})


def listed(imports: Sequence[Import], synced: Iterable[Synced]) -> str:
    """What was imported, the latest first, and what was synced."""
    return _dumps(
        {
            "imported": [
                {
                    "name": one.name,
                    "manifest": one.manifest,
                    "created_at": timestamp(one.created_at),
                    "imported_at": timestamp(one.imported_at),
                    "key": one.key,
                    "files": one.files,
                    "bytes": one.size,
                }
                for one in imports
            ],
            "synced": [
                {
                    "name": one.name,
                    "index": one.index,
                    "at": timestamp(one.at),
                    "files": len(one.files),
                    "bytes": sum(file.size for file in one.files),
                }
                for one in synced
            ],
        }
    )


def _manifest(manifest: Manifest, sha256: str, key: str) -> dict[str, Any]:
    return {
        "version": VERSION,
        "name": manifest.name,
        "index": manifest.index,
        "created_at": timestamp(manifest.created_at),
        "manifest": sha256,
        "key": key,
        "base": manifest.base,
        "upstreams": {one.name: one.url for one in manifest.upstreams},
        "documents": [
            {"kind": str(one.kind), "name": one.name, "as_of": timestamp(one.as_of)} for one in manifest.documents
        ],
        "projects": [
            {
                "upstream": project.upstream,
                "project": str(project.project),
                "as_of": timestamp(project.validated_at),
                "files": [
                    {"filename": str(file.filename), "sha256": file.sha256} for file in project.files if file.carried
                ],
            }
            for project in manifest.projects
        ],
    }


def _brought(changed: Brought) -> dict[str, Any]:
    return {
        "documents": [_change(one) for one in changed.documents],
        "pins": [
            {"id": pin.id, "project": str(pin.project), "publisher": str(pin.publisher), "reason": pin.reason}
            for pin in changed.pins
        ],
        "repositories": [
            {"upstream": upstream, "project": str(project), "repository": found.repository}
            for upstream, project, found in changed.repositories
        ],
        "attached": [
            {"filename": one.filename, "sha256": one.sha256, "reason": one.reason} for one in changed.attached
        ],
        "not_replaced": [_change(one) for one in changed.not_replaced],
        "dropped": [{"upstream": upstream, "project": str(project)} for upstream, project in changed.dropped],
    }


def _change(one: Change) -> dict[str, Any]:
    before = None if one.before is None else timestamp(one.before)
    return {"kind": one.kind, "name": one.name, "before": before, "after": timestamp(one.after)}


def _file(one: Examined) -> dict[str, Any]:
    return {
        "upstream": one.upstream,
        "project": str(one.project),
        "filename": str(one.filename),
        "sha256": one.sha256,
        "reason": one.reason,
        "evidence": {"sender": one.told, "here": one.found},
        "findings": {judgement.index: _findings(judgement) for judgement in one.judgements},
    }


def _findings(judgement: Judgement | None) -> list[dict[str, Any]]:
    return [finding_json(finding) for finding in judgement.verdict.findings] if judgement is not None else []


def _dumps(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2)

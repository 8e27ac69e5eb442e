"""Attached evidence on a screen, and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from inbond.cli.decisions_shown import table
from inbond.model.evidence import VerifiedAttestation
from inbond.model.imports import AttachedNote
from inbond.model.text import printable
from inbond.policy.rule import stamp
from inbond.web.verdict_json import attached_json, evidence_json

if TYPE_CHECKING:
    from inbond.cli.evidence_run import Added


def told(note: AttachedNote) -> str:
    """What is attached to what, in one line."""
    what = "a signature over the file" if note.signed_file else "an attestation"
    reason = f": {note.reason}" if note.reason else ""
    return printable(f"{note.filename} ({note.sha256[:12]}...), {what} attached by {note.by}{reason}")


def added_text(added: Added) -> str:
    """What was attached, and all that it proves."""
    lines = [f"{'attached' if added.new else 'attached already'}: {told(added.note)}"]
    for one in added.finding.attestations:
        if isinstance(one, VerifiedAttestation):
            lines += _proven(one)
    lines.append(f"  it counts for upstream {' and '.join(added.upstreams)} from the next request on")
    return "\n".join(map(printable, lines))


def _proven(one: VerifiedAttestation) -> Iterable[str]:
    yield f"  signed by {one.identity}, as the certificate proves"
    yield f"  issuer {one.identity.issuer}, vouched for by [trust.{one.trust}]"
    if one.identity.subject is not None:
        yield f"  subject {one.identity.subject}"
    if one.signed_at is not None:
        yield f"  logged {stamp(one.signed_at)}, entry {one.log_index}"


def warnings_of(added: Added) -> str:
    """What looks odd, a line for each."""
    return "".join(f"warning: {printable(one)}\n" for one in added.warnings)


def added_json(added: Added) -> str:
    """The same for programs."""
    body = {
        "new": added.new,
        "attached": _note_json(added.note),
        "upstreams": list(added.upstreams),
        "evidence": evidence_json(added.finding),
    }
    return json.dumps(body, indent=2)


def listed_text(notes: Sequence[AttachedNote]) -> str:
    """A table, with a newline at the end."""
    head = ("file", "upstream", "sha256", "what", "at", "by", "reason")
    rows = [
        (one.filename, one.upstream, one.sha256, _form(one), stamp(one.at), one.by, one.reason or "-") for one in notes
    ]
    return table(head, rows) or "nothing is attached\n"


def listed_json(notes: Sequence[AttachedNote]) -> str:
    """The same for programs."""
    return json.dumps({"attached": [_note_json(one) for one in notes]}, indent=2) + "\n"


def _form(note: AttachedNote) -> str:
    return "signature" if note.signed_file else "attestation"


def _note_json(note: AttachedNote) -> dict[str, Any]:
    return {
        "filename": note.filename,
        "upstream": note.upstream,
        "sha256": note.sha256,
        "form": _form(note),
        "provenance_sha256": note.provenance_sha256,
        **attached_json(note),
    }

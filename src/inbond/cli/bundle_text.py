"""What came of exports, verifications and imports, for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

from inbond.bundles.manifest import Manifest
from inbond.cli.bundle_export_run import STREAM, Exported
from inbond.cli.bundle_remove_run import Removed, ToRemove
from inbond.mirror.import_outcome import Examined, Imported
from inbond.mirror.synced import Synced
from inbond.mirror.writing import MANIFEST_SUFFIX
from inbond.model.imports import Brought, Import
from inbond.model.text import counted, printable
from inbond.model.units import format_size

MAX_NAMED: Final = 5  # projects in one line
_STAYS: Final = "  memory, pins, repositories, advisories and trusted roots stay; inbond pins revoke takes back a pin"
_NOTHING: Final = "Nothing of it would be taken."


def exported(done: Exported) -> str:
    """What was written, and what was left out."""
    manifest = done.gathered.manifest
    carried = counted(sum(blob.carried for blob in manifest.blobs), "blob")
    lines = [
        f"{manifest.name}: {_whole(manifest)} of {moment(manifest)}",
        f"  carried: {carried}, {format_size(done.carried)}{_rate(done.carried, done.seconds)}",
        f"  manifest {done.sha256}, signed with {done.key}",
    ]
    if manifest.base is not None:
        lines.append(f"  a delta against {manifest.base}, which must be imported first")
    if done.output != STREAM:
        lines.append(f"  written to {done.output}, the manifest to {done.output}{MANIFEST_SUFFIX}")
    lines += [f"left out: {one.filename} ({one.upstream}): {one.reason}" for one in done.gathered.left_out]
    return _joined(lines)


def imported(done: Imported) -> str:
    """What was taken or would be, what is refused or held and why, and what looks different from here."""
    manifest = done.manifest
    verb = "verified" if not done.kept else "not imported" if done.nothing else "imported"
    taken = done.taken
    whole = f"{counted(len(taken), 'file')} of {counted(_projects(taken), 'project')}"
    lines = [
        f"{manifest.name} of {moment(manifest)}: {verb}, signed with {done.key}",
        f"  {whole}, {format_size(sum(file.size for file in taken))}: every digest, attestation and this side's policy",
        f"  read {format_size(done.size)}{_rate(done.size, done.seconds)}"
        + (f", {format_size(done.written)} of it new here" if done.kept and not done.nothing else "; nothing was kept"),
        f"  manifest {done.sha256}",
        *_listed("refused", done.refused),
        *_listed("held", done.held),
    ]
    lines += [
        f"differs: {one.filename} was {one.told} on the sending side, and is {one.found} here" for one in done.different
    ]
    lines += brought(done.brought)
    if done.again and done.kept:
        lines.append("This very bundle was here already.")
    lines += [f"A server that runs offline here serves upstream {name} once it is restarted." for name in done.late]
    if done.nothing:
        lines.append("No file of it was taken." if done.kept else _NOTHING)
    if done.refused:
        lines.append("What is refused is not served. After a waiver or another policy, import the bundle again.")
    return _joined(lines)


def brought(changed: Brought) -> Iterator[str]:
    """What an import changed besides files; of documents also what it did not change."""
    for one in changed.documents:
        before = "the first of its name" if one.before is None else f"in the place of that as of {_time(one.before)}"
        yield f"{one.kind} {one.name}: as of {_time(one.after)}, {before}"
    for pin in changed.pins:
        yield f"new pin: {pin.publisher} may publish {pin.project}: {pin.reason}"
    for upstream, project, found in changed.repositories:
        yield f"new repository: {project} ({upstream}) was published from {found.repository}"
    for attached in changed.attached:
        yield f"new evidence attached to {attached.filename}: {attached.reason}"
    for upstream, project in changed.dropped:
        yield f"no longer brought: {project} ({upstream}), which an earlier bundle of this name had"
    for one in changed.not_replaced:
        why = "it was removed here" if one.before is None else f"what is here is as of {_time(one.before)}"
        yield f"not replaced: {one.kind} {one.name}, which the bundle has as of {_time(one.after)}: {why}"


def removed(done: Removed) -> str:
    """What is gone, and what stays."""
    gone = done.withdrawn
    if gone is None:
        return f"nothing of a bundle named {printable(done.name)} is here"
    counts = (counted(gone.imports, "import"), counted(gone.projects, "project"))
    lines = [
        f"removed {gone.name}: {', '.join(counts)}, evidence attached to {counted(gone.attached, 'file')}",
        f"  {counted(done.swept.files, 'blob')}, {format_size(done.swept.size)}, which nothing else refers to",
    ]
    return _joined([*lines, _STAYS])


def to_remove(found: ToRemove) -> str:
    """What would go."""
    gone = "what no bundle of another name brought is not served any more"
    counts = f"{counted(found.imports, 'import')}, {counted(found.projects, 'project')}"
    return _joined([f"{found.name}: {counts}; {gone}", _STAYS])


def shown(manifest: Manifest, sha256: str, key: str, *, genuine: bool) -> str:
    """What a bundle says of itself."""
    lines = [
        f"{manifest.name}: {_whole(manifest)} of {moment(manifest)}",
        f"  signed with {key}, which is trusted here; the files were not verified"
        if genuine
        else f"  NOT VERIFIED: it says that it is signed with {key}, which is not trusted here",
        f"  manifest {sha256}",
    ]
    if manifest.base is not None:
        lines.append(f"  a delta against {manifest.base}")
    lines += [f"  upstream {one.name}: {one.url}" for one in manifest.upstreams]
    lines += [f"  {one.kind} {one.name}, as of {one.as_of:%Y-%m-%d %H:%M} UTC" for one in manifest.documents]
    for project in manifest.projects:
        carried = [str(file.filename) for file in project.files if file.carried]
        lines.append(f"  {project.upstream}/{project.project}: {', '.join(carried)}")
    return _joined(lines)


def listed(imports: Sequence[Import], synced: Iterable[Synced]) -> str:
    """What was imported, the latest first, and what was synced here."""
    lines = [
        line
        for one in imports
        for line in (
            f"imported {one.name}: {counted(one.files, 'file')}, {format_size(one.size)}",
            f"  made {_time(one.created_at)}, taken in {_time(one.imported_at)}",
            f"  signed with {one.key}",
        )
    ]
    for one in synced:
        size = format_size(sum(file.size for file in one.files))
        lines.append(f"synced {one.name}, {one.at:%Y-%m-%d %H:%M} UTC: {counted(len(one.files), 'file')}, {size}")
    return _joined(lines or ["nothing was imported or synced here"])


def moment(manifest: Manifest) -> str:
    """When a bundle was made."""
    return _time(manifest.created_at)


def _whole(manifest: Manifest) -> str:
    """Counts of all that a bundle stands for."""
    files = {file.sha256 for project in manifest.projects for file in project.files if file.carried}
    size = sum(blob.size for blob in manifest.blobs if blob.sha256 in files)
    projects = sum(any(file.carried for file in project.files) for project in manifest.projects)
    return f"{counted(len(files), 'file')} of {counted(projects, 'project')}, {format_size(size)},"


def _listed(word: str, files: Sequence[Examined]) -> Iterator[str]:
    alike: dict[tuple[str, str | None], list[Examined]] = {}
    for one in files:
        alike.setdefault((one.upstream, one.reason), []).append(one)
    for (upstream, reason), same in alike.items():
        what = same[0].filename if len(same) == 1 else f"{counted(len(same), 'file')} of {_named_projects(same)}"
        yield f"{word}: {what} ({upstream}): {reason}"


def _named_projects(files: Sequence[Examined]) -> str:
    names = sorted({str(one.project) for one in files})
    return ", ".join(names) if len(names) <= MAX_NAMED else counted(len(names), "project")


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _projects(files: Sequence[Examined]) -> int:
    return len({(one.upstream, one.project) for one in files})


def _rate(size: int, seconds: float) -> str:
    return f" in {seconds:.1f} s, {format_size(int(size / seconds))}/s" if seconds > 0 else ""


def _joined(lines: Iterable[str]) -> str:
    return "\n".join(map(printable, lines))

"""What came of exports, verifications and imports, for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from inbond.bundles.manifest import Manifest
from inbond.cli.bundle_export_run import STREAM, Exported
from inbond.mirror.import_outcome import Examined, Imported
from inbond.mirror.synced import Synced
from inbond.mirror.writing import MANIFEST_SUFFIX
from inbond.model.imports import Import
from inbond.model.text import counted, printable
from inbond.model.units import format_size


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
    verb = "imported" if done.kept else "verified"
    taken = done.taken
    whole = f"{counted(len(taken), 'file')} of {counted(_projects(taken), 'project')}"
    lines = [
        f"{manifest.name} of {moment(manifest)}: {verb}, signed with {done.key}",
        f"  {whole}, {format_size(sum(file.size for file in taken))}: every digest, attestation and this side's policy",
        f"  read {format_size(done.size)}{_rate(done.size, done.seconds)}"
        + (f", {format_size(done.written)} of it new here" if done.kept else "; nothing was kept"),
        f"  manifest {done.sha256}",
        *_listed("refused", done.refused),
        *_listed("held", done.held),
    ]
    lines += [
        f"differs: {one.filename} was {one.told} on the sending side, and is {one.found} here" for one in done.different
    ]
    if done.refused:
        lines.append("What is refused is not served. After a waiver or another policy, import the bundle again.")
    return _joined(lines)


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
        f"imported {one.name}, made {one.created_at:%Y-%m-%d %H:%M} UTC, taken in {one.imported_at:%Y-%m-%d %H:%M} UTC:"
        f" {counted(one.files, 'file')}, {format_size(one.size)}, signed with {one.key}"
        for one in imports
    ]
    for one in synced:
        size = format_size(sum(file.size for file in one.files))
        lines.append(f"synced {one.name}, {one.at:%Y-%m-%d %H:%M} UTC: {counted(len(one.files), 'file')}, {size}")
    return _joined(lines or ["nothing was imported or synced here"])


def moment(manifest: Manifest) -> str:
    """When a bundle was made."""
    return f"{manifest.created_at:%Y-%m-%d %H:%M} UTC"


def _whole(manifest: Manifest) -> str:
    """Counts of all that a bundle stands for."""
    files = {file.sha256 for project in manifest.projects for file in project.files if file.carried}
    size = sum(blob.size for blob in manifest.blobs if blob.sha256 in files)
    projects = sum(any(file.carried for file in project.files) for project in manifest.projects)
    return f"{counted(len(files), 'file')} of {counted(projects, 'project')}, {format_size(size)},"


def _listed(word: str, files: Sequence[Examined]) -> Iterator[str]:
    for one in files:
        yield f"{word}: {one.filename} ({one.upstream}): {one.reason}"


def _projects(files: Sequence[Examined]) -> int:
    return len({(one.upstream, one.project) for one in files})


def _rate(size: int, seconds: float) -> str:
    return f" in {seconds:.1f} s, {format_size(int(size / seconds))}/s" if seconds > 0 else ""


def _joined(lines: Iterable[str]) -> str:
    return "\n".join(map(printable, lines))

"""Strategies: manifests that hold every rule, memory, pins and repositories."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256 as sha256_of

from hypothesis import strategies as st

from inbond.bundles.decisions import Repositories
from inbond.bundles.manifest import (
    BundledBlob,
    BundledDocument,
    BundledFile,
    BundledProject,
    BundledUpstream,
    Claimed,
    DocumentKind,
    Manifest,
)
from inbond.model.decisions import Pin
from inbond.model.evidence import EvidenceState
from inbond.model.memory import FileRecord, PageRecord
from inbond.model.names import Filename, ProjectName
from inbond.model.publisher import PublisherPattern
from inbond.model.standing import Established

CREATED = datetime(2026, 11, 21, 12, tzinfo=UTC)
names = st.from_regex(r"[a-z0-9-]{1,12}", fullmatch=True)
projects = st.sampled_from(["a", "b", "demo", "demo-two", "z9"]).map(ProjectName)
filenames = st.one_of(
    st.sampled_from(["a-1.0.tar.gz", "a-1.0-py3-none-any.whl", 'odd "name".zip', "größe-1.0.zip", "x\\u2028"]),
    st.text(st.characters(categories=["L", "N", "P", "S"], exclude_characters="/\\."), min_size=1, max_size=20),
).filter(lambda name: name.isprintable() and "\\" not in name)
digests = st.integers(0, 40).map(lambda number: sha256_of(str(number).encode()).hexdigest())
times = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 (a zone is given)
past = st.datetimes(datetime(2000, 1, 1), datetime(2026, 11, 21), timezones=st.just(UTC))  # noqa: DTZ001
states = st.none() | st.sampled_from(EvidenceState).map(str)


@st.composite
def files(draw: st.DrawFn) -> BundledFile:
    sha256 = draw(st.none() | digests)
    provenance = draw(st.none() | digests)
    claimed = Claimed.FOUND if provenance else draw(st.sampled_from([Claimed.ABSENT, Claimed.UNKNOWN]))
    return BundledFile(
        filename=Filename(draw(filenames)),
        sha256=sha256,
        carried=sha256 is not None and draw(st.booleans()),
        metadata=draw(st.none() | digests),
        claimed=claimed,
        provenance=provenance,
        evidence=draw(states),
    )


@st.composite
def bundled_projects(draw: st.DrawFn, upstream: str = "public") -> BundledProject:
    listed = draw(st.lists(files(), max_size=4, unique_by=lambda file: file.filename))
    return BundledProject(
        upstream=upstream,
        project=draw(projects),
        page=draw(digests),
        memory=draw(digests),
        validated_at=draw(past),
        files=tuple(sorted(listed, key=lambda file: file.filename)),
    )


documents = st.builds(
    BundledDocument, kind=st.sampled_from(DocumentKind), name=names, sha256=digests, as_of=past
)  # fmt: skip


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    upstreams = sorted(draw(st.sets(names, min_size=1, max_size=3)))
    found = draw(st.lists(st.sampled_from(upstreams).flatmap(bundled_projects), max_size=4, unique_by=_project_key))
    told = draw(st.lists(documents, max_size=3, unique_by=_document_key))
    base = draw(st.none() | digests)
    manifest = Manifest(
        name=draw(names),
        created_at=CREATED,
        index=draw(names),
        upstreams=tuple(BundledUpstream(name=name, url=f"https://{name}.example/simple/") for name in upstreams),
        projects=tuple(sorted(found, key=_project_key)),
        documents=tuple(sorted(told, key=_document_key)),
        blobs=(),
        base=base,
    )
    carried = st.booleans() if base else st.just(True)
    last = {one.sha256 for project in found for one in project.files if one.carried}
    order = sorted(references(manifest), key=lambda sha256: (sha256 in last, sha256))
    blobs = tuple(BundledBlob(sha256=one, size=draw(st.integers(0, 2**20)), carried=draw(carried)) for one in order)
    return Manifest(
        **{name: getattr(manifest, name) for name in Manifest.__slots__ if name != "blobs"}, blobs=blobs
    )  # fmt: skip


def references(manifest: Manifest) -> set[str]:
    """Every blob that a manifest names, told another way than the code does."""
    found: set[str | None] = {one.sha256 for one in manifest.documents}
    for project in manifest.projects:
        found |= {project.page, project.memory}
        for file in project.files:
            found |= {file.metadata, file.provenance, file.sha256 if file.carried else None}
    return {one for one in found if one is not None}


def _project_key(project: BundledProject) -> tuple[str, str]:
    return project.upstream, project.project


def _document_key(document: BundledDocument) -> tuple[str, str]:
    return str(document.kind), document.name


records = st.builds(
    PageRecord,
    upstream=names,
    project=projects,
    first_seen=times,
    highest_serial=st.none() | st.integers(0, 2**53 - 1),
    files=st.lists(
        st.builds(
            FileRecord,
            filename=filenames.map(Filename),
            first_seen=times,
            first_sha256=st.none() | digests,
            vanished_at=st.none() | times,
        ),
        max_size=5,
        unique_by=lambda file: file.filename,
    ).map(lambda listed: tuple(sorted(listed, key=lambda file: file.filename))),
)
words = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=20).filter(str.isprintable)
pins = st.builds(
    Pin,
    project=projects,
    publisher=st.sampled_from(
        ["github:a/b", "github:a/b@release.yml#pypi", "gitlab:g.example/a/b@x.yml", "oidc:https://x.example#s"]
    ).map(PublisherPattern.parse),
    reason=words,
    by=words,
    at=st.none() | times,
    repository_id=st.none() | st.sampled_from(["1", "22"]),
)
established = st.builds(
    Established,
    repository=st.sampled_from(["github:a/b", "github:a/c", "gitlab:x/y"]),
    repository_id=st.sampled_from(["1", "2"]),
    owner_id=st.none() | st.just("3"),
    since=times,
)
repositories: st.SearchStrategy[list[Repositories]] = st.lists(
    st.tuples(
        names, projects, st.lists(established, max_size=3, unique_by=lambda one: (one.repository, one.repository_id))
    ),
    max_size=4,
    unique_by=lambda one: one[:2],
)

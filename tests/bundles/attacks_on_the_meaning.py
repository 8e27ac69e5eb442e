"""Bundles in perfect form, signed with a trusted key, that contradict themselves or lie: what only an import finds."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from typing import Any

from msgspec import structs

from bundles.attack import Attacks, Who
from bundles.manifests import references
from bundles.support import CREATED, DAY, Blobs, Genuine, carried
from inbond.bundles.attached import encode_attached
from inbond.bundles.decisions import encode_pins, encode_repositories
from inbond.bundles.manifest import BundledDocument, BundledProject, BundledUpstream, Claimed, DocumentKind, Manifest
from inbond.bundles.memory import decode_memory, encode_memory
from inbond.model.decisions import Pin
from inbond.model.imports import Attached
from inbond.model.names import ProjectName
from inbond.model.page import File
from inbond.model.publisher import PublisherPattern
from inbond.model.standing import Established
from inbond.simple.document import decode_page, encode_page

MEANING = Attacks("What a signed bundle means", Who.SIGNER)

Change = Callable[[Blobs, Manifest], Manifest]
OfProject = Callable[[Blobs, BundledProject], BundledProject]


def remade(bundle: Genuine, change: Change) -> bytes:
    """Another bundle, as genuine in form as this one."""
    blobs = Blobs(dict(bundle.held))
    manifest = change(blobs, bundle.manifest)
    blobs.held = {sha256: blobs.held[sha256] for sha256 in references(manifest)}
    return Genuine(replace(manifest, blobs=blobs.listed(carried(manifest))), blobs.held).content


def of_demo(bundle: Genuine, change: OfProject) -> bytes:
    """The bundle with its first project changed."""
    return remade(bundle, lambda blobs, it: replace(it, projects=(change(blobs, it.projects[0]), *it.projects[1:])))


def with_file(project: BundledProject, **fields: Any) -> BundledProject:
    return replace(project, files=(replace(project.files[0], **fields), *project.files[1:]))


def with_page(blobs: Blobs, project: BundledProject, **fields: Any) -> BundledProject:
    """The project with fields of its file on the page changed; `files=()` takes it off."""
    page = decode_page(blobs.held[project.page])
    files = fields.pop("files", None)
    files = (structs.replace(page.files[0], **fields),) if files is None else files
    return replace(project, page=blobs.put(encode_page(replace(page, files=files))))


def with_content(blobs: Blobs, project: BundledProject, content: bytes) -> BundledProject:
    """The project with other bytes for its file, which its page knows of."""
    sha256 = blobs.put(content)
    paged = with_page(blobs, project, hashes={"sha256": sha256}, size=len(content))
    return with_file(paged, sha256=sha256)


def listed(blobs: Blobs, project: BundledProject) -> File:
    return decode_page(blobs.held[project.page]).files[0]


@MEANING.told("a page is none")
def page_that_is_none(bundle: Genuine) -> bytes:
    return of_demo(bundle, lambda blobs, it: replace(it, page=blobs.put(b"<html>demo</html>")))


@MEANING.told("a project has the page of another")
def page_of_another_project(bundle: Genuine) -> bytes:
    return of_demo(bundle, lambda _, it: replace(it, page=bundle.manifest.projects[1].page))


@MEANING.told("a project has the memory of another")
def memory_of_another_project(bundle: Genuine) -> bytes:
    return of_demo(bundle, lambda _, it: replace(it, memory=bundle.manifest.projects[1].memory))


@MEANING.told("a memory is none")
def memory_that_is_none(bundle: Genuine) -> bytes:
    return of_demo(bundle, lambda blobs, it: replace(it, memory=blobs.put(b"{}")))


@MEANING.told("a file is of another digest than its page says")
def file_that_its_page_does_not_know(bundle: Genuine) -> bytes:
    return of_demo(bundle, lambda blobs, it: with_file(it, sha256=blobs.put(b"other bytes")))


@MEANING.told("the page gives no digest, and the memory that comes along gives another than the file's")
def file_that_memory_does_not_know(bundle: Genuine) -> bytes:
    def change(blobs: Blobs, project: BundledProject) -> BundledProject:
        record = decode_memory(blobs.held[project.memory], upstream=project.upstream, project=project.project)
        files = (replace(record.files[0], first_sha256="0" * 64),)
        return with_page(
            blobs, replace(project, memory=blobs.put(encode_memory(replace(record, files=files)))), hashes={}
        )

    return of_demo(bundle, change)


@MEANING.told("a file is of another length than its page says")
def file_of_another_length(bundle: Genuine) -> bytes:
    return of_demo(bundle, lambda blobs, it: with_page(blobs, it, size=(listed(blobs, it).size or 0) + 1))


@MEANING.told("a file is carried that is not on its page")
def file_that_is_not_on_the_page(bundle: Genuine) -> bytes:
    return of_demo(bundle, lambda blobs, it: with_page(blobs, it, files=()))


@MEANING.told("a file is empty")
def empty_file(bundle: Genuine) -> bytes:
    return of_demo(bundle, lambda blobs, it: with_content(blobs, it, b""))


@MEANING.told("a file has the core metadata of another")
def metadata_of_another_file(bundle: Genuine) -> bytes:
    others = bundle.manifest.projects[1].files[0].metadata
    return of_demo(bundle, lambda _, it: with_file(it, metadata=others))


@MEANING.told("a file has core metadata that its page does not offer")
def metadata_that_is_not_offered(bundle: Genuine) -> bytes:
    return of_demo(bundle, lambda blobs, it: with_page(blobs, it, core_metadata=False))


@MEANING.told("the core metadata, also the page's, names other dependencies than the wheel")
def metadata_with_other_dependencies(bundle: Genuine) -> bytes:
    def change(blobs: Blobs, project: BundledProject) -> BundledProject:
        metadata = blobs.put(blobs.held[project.files[0].metadata or ""] + b"Requires-Dist: evil\n")
        return with_file(with_page(blobs, project, core_metadata={"sha256": metadata}), metadata=metadata)

    return of_demo(bundle, change)


@MEANING.told("a file comes with provenance of which its page says that there is none")
def provenance_that_the_page_denies(bundle: Genuine) -> bytes:
    return of_demo(
        bundle,
        lambda blobs, it: with_file(it, claimed=Claimed.FOUND, provenance=blobs.put(b"{}"), evidence="verified"),
    )


@MEANING.told("provenance is forged, and the sending side says that it has verified it")
def forged_provenance(bundle: Genuine) -> bytes:
    forged = b'{"version":1,"attestation_bundles":[{"publisher":{"kind":"GitHub"},"attestations":[{}]}]}'

    def change(blobs: Blobs, project: BundledProject) -> BundledProject:
        paged = with_page(blobs, project, provenance="https://index.example/integrity/demo/provenance")
        return with_file(paged, claimed=Claimed.FOUND, provenance=blobs.put(forged), evidence="verified")

    return of_demo(bundle, change)


@MEANING.told("a wheel has a member that is unpacked outside of it")
def wheel_that_leads_upwards(bundle: Genuine) -> bytes:
    def change(blobs: Blobs, project: BundledProject) -> BundledProject:
        raw = io.BytesIO(blobs.held[project.files[0].sha256 or ""])
        with zipfile.ZipFile(raw, "a") as archive:
            archive.writestr(zipfile.ZipInfo("../../../.bashrc"), "evil")
        return with_content(blobs, project, raw.getvalue())

    return of_demo(bundle, change)


@MEANING.told("a wheel is no archive")
def wheel_that_is_no_archive(bundle: Genuine) -> bytes:
    return of_demo(bundle, lambda blobs, it: with_content(blobs, it, b"#!/bin/sh\n" * 100))


EVIL = PublisherPattern.parse("github:evil/*")
PIN = Pin(project=ProjectName("flask"), publisher=EVIL, reason="moved", by="ann", at=CREATED)
REPOSITORY = Established(repository="github:evil/flask", repository_id="1", owner_id="2", since=CREATED)


def with_document(bundle: Genuine, kind: DocumentKind, content: bytes, *, name: str = "default") -> bytes:
    def change(blobs: Blobs, manifest: Manifest) -> Manifest:
        added = BundledDocument(kind=kind, name=name, sha256=blobs.put(content), as_of=CREATED)
        documents = sorted([*manifest.documents, added], key=lambda one: (str(one.kind), one.name))
        return replace(manifest, documents=tuple(documents))

    return remade(bundle, change)


@MEANING.told("pins accept publishers for a project that the bundle does not carry")
def pin_of_another_project(bundle: Genuine) -> bytes:
    return with_document(bundle, DocumentKind.PINS, encode_pins([PIN]))


@MEANING.told("a pin accepts a publisher for a project of which nothing is fit to be taken")
def pin_of_a_refused_project(bundle: Genuine) -> bytes:
    pin = replace(PIN, project=bundle.manifest.projects[0].project)
    content = encode_pins([pin])

    def change(blobs: Blobs, manifest: Manifest) -> Manifest:
        evil = with_content(blobs, manifest.projects[0], b"#!/bin/sh\n" * 99)
        document = BundledDocument(kind=DocumentKind.PINS, name="default", sha256=blobs.put(content), as_of=CREATED)
        documents = sorted([*manifest.documents, document], key=lambda one: (str(one.kind), one.name))
        return replace(manifest, projects=(evil, *manifest.projects[1:]), documents=tuple(documents))

    return remade(bundle, change)


@MEANING.told("the document of pins is none")
def pins_that_are_none(bundle: Genuine) -> bytes:
    return with_document(bundle, DocumentKind.PINS, b'{"inbond_pins":1,"pins":"all"}')


@MEANING.told("repositories count as established for a project that the bundle does not carry")
def repository_of_another_project(bundle: Genuine) -> bytes:
    content = encode_repositories([("pypi", ProjectName("flask"), [REPOSITORY])])
    return with_document(bundle, DocumentKind.REPOSITORIES, content)


@MEANING.told("evidence is attached to a file of another project, which is not in the bundle")
def attached_to_another_file(bundle: Genuine) -> bytes:
    attached = Attached(
        upstream="pypi",
        sha256="0" * 64,
        filename="flask-3.0.tar.gz",
        provenance=b"{}",
        reason="fine",
        by="ann",
        at=CREATED,
    )
    return with_document(bundle, DocumentKind.ATTACHED, encode_attached([attached]))


@MEANING.told("the document of attached evidence is none")
def attached_that_is_none(bundle: Genuine) -> bytes:
    return with_document(bundle, DocumentKind.ATTACHED, b"{}")


@MEANING.told("the trusted root is none")
def root_that_is_none(bundle: Genuine) -> bytes:
    return with_document(bundle, DocumentKind.ROOT, b'{"tlogs":[]}', name="public")


@MEANING.told("the trusted root is none, and no text either")
def root_of_random_bytes(bundle: Genuine) -> bytes:
    return with_document(bundle, DocumentKind.ROOT, bytes(range(256)), name="public")


@MEANING.told("the advisories are no archive, so that nothing would be known of any file")
def advisories_that_are_none(bundle: Genuine) -> bytes:
    return with_document(bundle, DocumentKind.ADVISORIES, b"no archive", name="osv")


@MEANING.told("the archive of advisories is empty")
def advisories_without_records(bundle: Genuine) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        archive.writestr("README.txt", "none today")
    return with_document(bundle, DocumentKind.ADVISORIES, raw.getvalue(), name="osv")


@MEANING.told("the archive of advisories is cut short")
def advisories_cut_short(bundle: Genuine) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        archive.writestr("PYSEC-1.json", '{"id": "PYSEC-1"}')
    return with_document(bundle, DocumentKind.ADVISORIES, raw.getvalue()[:-30], name="osv")


@MEANING.told("a project is of an upstream that no index here has")
def project_of_a_strange_upstream(bundle: Genuine) -> bytes:
    def change(blobs: Blobs, manifest: Manifest) -> Manifest:
        demo, *others = manifest.projects
        record = decode_memory(blobs.held[demo.memory], upstream=demo.upstream, project=demo.project)
        memory = blobs.put(encode_memory(replace(record, upstream="acme")))
        acme = BundledUpstream(name="acme", url="https://acme.example/simple/")
        projects = (replace(demo, upstream="acme", memory=memory), *others)
        return replace(manifest, upstreams=(acme, *manifest.upstreams), projects=projects)

    return remade(bundle, change)


@MEANING.told("an older bundle, which was genuine in its day, is brought again")
def older_bundle(bundle: Genuine) -> bytes:
    return remade(bundle, lambda _, it: at(it, CREATED - DAY))


@MEANING.told("a bundle is made for tomorrow, to be the newest for longer")
def bundle_of_tomorrow(bundle: Genuine) -> bytes:
    return remade(bundle, lambda _, it: at(it, CREATED + DAY))


def at(manifest: Manifest, time: datetime) -> Manifest:
    """All of a manifest at another time."""
    projects = tuple(replace(one, validated_at=time) for one in manifest.projects)
    documents = tuple(replace(one, as_of=time) for one in manifest.documents)
    return replace(manifest, created_at=time, projects=projects, documents=documents)


@MEANING.told("an older bundle is brought again under another name")
def older_bundle_under_another_name(bundle: Genuine) -> bytes:
    """It would say again what the index said then, of a file that is broken by now."""

    def change(blobs: Blobs, manifest: Manifest) -> Manifest:
        older = at(replace(manifest, name="else"), CREATED - DAY)
        return replace(older, projects=tuple(with_memory(blobs, one, first_seen=LONG_AGO) for one in older.projects))

    return remade(bundle, change)


LONG_AGO = CREATED - 9 * DAY


def with_memory(blobs: Blobs, project: BundledProject, **fields: Any) -> BundledProject:
    """The project with fields of what is remembered of it and of its file changed."""
    record = decode_memory(blobs.held[project.memory], upstream=project.upstream, project=project.project)
    times = {"first_seen": fields["first_seen"]} if "first_seen" in fields else {}
    files = tuple(replace(one, **times) for one in record.files)
    return replace(project, memory=blobs.put(encode_memory(replace(record, files=files, **fields))))


@MEANING.told("a file was first seen tomorrow, so that it stays young for longer")
def memory_of_tomorrow(bundle: Genuine) -> bytes:
    return of_demo(bundle, lambda blobs, it: with_memory(blobs, it, first_seen=CREATED + DAY))


@MEANING.told("the memory has a later serial than the page, so that every later page counts as gone back")
def memory_with_a_later_serial(bundle: Genuine) -> bytes:
    return of_demo(bundle, lambda blobs, it: with_memory(blobs, it, highest_serial=2**50))


@MEANING.told("a delta is against a bundle that was never imported")
def delta_without_its_base(bundle: Genuine) -> bytes:
    return replace(bundle, manifest=replace(bundle.manifest, base="0" * 64)).content


@MEANING.told("a delta leaves a page to the bundle before it, which never had it")
def delta_that_leaves_out_what_is_not_there(bundle: Genuine) -> bytes:
    def change(blobs: Blobs, project: BundledProject) -> BundledProject:
        return with_page(blobs, project, requires_python=">=3.11")

    return delta(bundle, change)


@MEANING.told("a delta leaves a file to the bundle before it, which never had it")
def delta_that_leaves_out_a_file(bundle: Genuine) -> bytes:
    return delta(bundle, lambda blobs, it: with_content(blobs, it, b"never had"))


def delta(bundle: Genuine, change: OfProject) -> bytes:
    """A delta against the genuine bundle that carries of what changed nothing but documents."""
    blobs = Blobs(dict(bundle.held))
    demo, *others = bundle.manifest.projects
    manifest = replace(bundle.manifest, projects=(change(blobs, demo), *others))
    blobs.held = {one: blobs.held[one] for one in references(manifest)}
    files = carried(manifest)
    new = blobs.held.keys() - bundle.held.keys()
    left = {one for one in new if one in files} or new
    listing = tuple(replace(one, carried=one.sha256 not in left) for one in blobs.listed(files))
    base = sha256(bundle.raw).hexdigest()
    return Genuine(replace(manifest, base=base, blobs=listing), blobs.held).content

"""A bundle that contradicts itself is refused whole, whoever signed it; and what several bundles bring is joined."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from inbond.bundles.decisions import encode_pins, encode_repositories
from inbond.bundles.manifest import BundledDocument, BundledFile, BundledProject, Claimed, DocumentKind, Manifest
from inbond.bundles.memory import encode_memory
from inbond.mirror.contents import checked, read_decisions, read_project
from inbond.mirror.joining import joined
from inbond.model.decisions import Pin
from inbond.model.errors import InvalidBundle
from inbond.model.memory import FileRecord, PageRecord
from inbond.model.names import Filename, ProjectName
from inbond.model.page import Claim, File, Page
from inbond.model.publisher import PublisherPattern
from inbond.model.standing import Established
from inbond.simple.document import encode_page

T0 = datetime(2026, 1, 1, tzinfo=UTC)
DEMO = ProjectName("demo")
WHEEL = Filename("demo-1.0-py3-none-any.whl")
BARE = Filename("demo-2.0-py3-none-any.whl")  # its page gives no digest


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


FILE = File(
    filename=WHEEL,
    url="https://files.example/demo-1.0-py3-none-any.whl",
    hashes={"sha256": digest("wheel")},
    size=7,
    core_metadata={"sha256": digest("metadata")},
    provenance="https://files.example/provenance",
)
PAGE = Page(name=DEMO, files=(FILE, File(filename=BARE, url="https://files.example/bare")))
BUNDLED = BundledFile(
    filename=WHEEL,
    sha256=digest("wheel"),
    carried=True,
    metadata=digest("metadata"),
    claimed=Claimed.FOUND,
    provenance=digest("provenance"),
)
REMEMBERED = BundledFile(filename=BARE, sha256=digest("bare"), carried=True)
MEMORY = PageRecord(
    upstream="pypi",
    project=DEMO,
    first_seen=T0,
    files=(
        FileRecord(filename=WHEEL, first_seen=T0, first_sha256=digest("wheel")),
        FileRecord(filename=BARE, first_seen=T0, first_sha256=digest("bare")),
    ),
)


def project_of(
    *files: BundledFile, page: Page | bytes = PAGE, memory: PageRecord = MEMORY, sizes: dict[str, int] | None = None
) -> tuple[Page, PageRecord]:
    content = page if isinstance(page, bytes) else encode_page(page)
    blobs = {"page": content, "memory": encode_memory(memory)}
    entry = BundledProject(
        upstream="pypi", project=DEMO, page="page", memory="memory", validated_at=T0, files=files or (BUNDLED,)
    )
    return read_project(entry, blobs.__getitem__, sizes or {digest("wheel"): 7, digest("bare"): 4})


def test_what_agrees_is_read() -> None:
    page, memory = project_of(BUNDLED, REMEMBERED)
    assert page.name == DEMO
    assert memory == MEMORY


def with_file(**changes: Any) -> Page:
    return replace(PAGE, files=(structs.replace(FILE, **changes), *PAGE.files[1:]))


CONTRADICTIONS: dict[str, tuple[Callable[[], object], str]] = {
    "no page": (lambda: project_of(page=b"{}"), "what the bundle has as the page of demo is none"),
    "another project's page": (
        lambda: project_of(page=replace(PAGE, name=ProjectName("other"), files=())), "is that of other",
    ),
    "another project's memory": (
        lambda: project_of(memory=replace(MEMORY, project=ProjectName("other"))), "the memory of the project demo",
    ),
    "a file that is not on the page": (
        lambda: project_of(replace(BUNDLED, filename=Filename("demo-9.zip"))), "is not on the page of demo",
    ),
    "another digest than the page's": (
        lambda: project_of(page=with_file(hashes={"sha256": digest("x")})), "and its page gives",
    ),
    "another digest than was remembered": (
        lambda: project_of(replace(REMEMBERED, sha256=digest("wheel"))), "and it was first had with",
    ),
    "another size than the page's": (lambda: project_of(page=with_file(size=8)), "has 7 bytes, and its page gives 8"),
    "an empty file": (
        lambda: project_of(page=with_file(size=None), sizes={digest("wheel"): 0}), "is empty",
    ),
    "metadata that the page does not offer": (
        lambda: project_of(page=with_file(core_metadata=False)), "comes with core metadata, and its page offers none",
    ),
    "other metadata than the page's": (
        lambda: project_of(page=with_file(core_metadata={"sha256": digest("x")})), "the core metadata of demo-1.0",
    ),
    "provenance that the page denies": (
        lambda: project_of(page=with_file(provenance=Claim.NONE)), "comes with provenance, and its page says that",
    ),
    "no provenance where the page names it": (
        lambda: project_of(
            replace(BUNDLED, claimed=Claimed.ABSENT, provenance=None),
            page=with_file(provenance="https://acme.example/demo.provenance"),
        ),
        "is said to have no provenance, and its page names",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_what_contradicts_itself_is_refused(name: str) -> None:
    read, told = CONTRADICTIONS[name]
    with pytest.raises(InvalidBundle) as refused:
        read()
    assert told in refused.value.message
    assert refused.value.remedy


def manifest_with(*documents: tuple[DocumentKind, str]) -> Manifest:
    entry = BundledProject(upstream="pypi", project=DEMO, page="page", memory="memory", validated_at=T0)
    return Manifest(
        name="default",
        created_at=T0,
        index="root",
        upstreams=(),
        projects=(entry,),
        documents=tuple(
            BundledDocument(kind=kind, name=str(kind), sha256=sha256, as_of=T0) for kind, sha256 in documents
        ),
        blobs=(),
    )


def pin(project: str) -> Pin:
    publisher = PublisherPattern.parse("github:acme/demo")
    return Pin(project=ProjectName(project), publisher=publisher, reason="r", by="ada", at=T0)


def test_decisions_are_those_about_what_is_carried() -> None:
    established = Established(repository="github:acme/demo", repository_id="1", owner_id=None, since=T0)
    blobs = {
        "pins": encode_pins([pin("demo")]),
        "strange": encode_pins([pin("other")]),
        "repositories": encode_repositories([("pypi", DEMO, (established,))]),
        "elsewhere": encode_repositories([("acme", DEMO, (established,))]),
    }
    manifest = manifest_with((DocumentKind.PINS, "pins"), (DocumentKind.REPOSITORIES, "repositories"))
    pins, repositories = read_decisions(manifest, blobs.__getitem__)
    assert [str(one.project) for one in pins] == ["demo"]
    assert repositories == (("pypi", DEMO, (established,)),)
    for strange in ((DocumentKind.PINS, "strange"), (DocumentKind.REPOSITORIES, "elsewhere")):
        with pytest.raises(InvalidBundle, match="of which it has no page"):
            read_decisions(manifest_with(strange), blobs.__getitem__)


def test_documents_are_compared_with_their_digests() -> None:
    assert checked(b"x", hashlib.sha256(b"x").hexdigest()) == b"x"
    with pytest.raises(InvalidBundle, match="changed on this disk"):
        checked(b"y", hashlib.sha256(b"x").hexdigest())


def entry_of(*files: BundledFile) -> BundledProject:
    return BundledProject(upstream="pypi", project=DEMO, page="page", memory="memory", validated_at=T0, files=files)


def test_what_another_bundle_brought_stays() -> None:
    assert joined([entry_of(), entry_of(BUNDLED)], PAGE) == entry_of(BUNDLED)
    assert joined([entry_of(BUNDLED), entry_of()], PAGE) == entry_of(BUNDLED)
    history = replace(BUNDLED, carried=False, metadata=None, claimed=Claimed.UNKNOWN, provenance=None)
    assert joined([entry_of(history), entry_of(BUNDLED)], PAGE) == entry_of(BUNDLED)
    assert joined([entry_of(BUNDLED), entry_of(history)], PAGE) == entry_of(BUNDLED)


def test_what_the_page_has_otherwise_now_does_not_stay() -> None:
    assert joined([entry_of(), entry_of(BUNDLED)], with_file(hashes={"sha256": digest("x")})) == entry_of()
    assert joined([entry_of(), entry_of(BUNDLED)], replace(PAGE, files=())) == entry_of()
    assert joined([entry_of(), entry_of(REMEMBERED)], PAGE) == entry_of()


bundled_files = st.builds(
    BundledFile,
    filename=st.just(WHEEL),
    sha256=st.just(digest("wheel")),
    carried=st.booleans(),
    metadata=st.sampled_from([None, digest("metadata")]),
    claimed=st.sampled_from([Claimed.UNKNOWN, Claimed.ABSENT]),
)


@given(st.lists(bundled_files, max_size=1), st.lists(bundled_files, max_size=1))
def test_joining_loses_nothing_and_once_more_changes_nothing(
    earlier: list[BundledFile], later: list[BundledFile]
) -> None:
    once = joined([entry_of(*later), entry_of(*earlier)], PAGE)
    assert joined([once, entry_of(*earlier)], PAGE) == once
    assert any(file.carried for file in once.files) == any(file.carried for file in (*earlier, *later))
    assert {file.filename for file in once.files} == {file.filename for file in (*earlier, *later)}

"""Attacks on the manifest by whoever holds a trusted key: what is signed is not believed either."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from bundles.attack import Attacks, Who
from bundles.support import KEY, Genuine, member, signed
from inbond.bundles import tar
from inbond.bundles.limits import MAX_DOCUMENTS, MAX_MANIFEST_BYTES
from inbond.bundles.signature import make_signature

SPELLING = Attacks("The spelling of a signed manifest", Who.SIGNER)
CONTENT = Attacks("What a signed manifest says", Who.SIGNER)

Fields = dict[str, Any]
NOBODYS = "f" * 64
FILES = 2  # the last blobs


def with_raw(bundle: Genuine, old: bytes, new: bytes) -> bytes:
    """The bundle with the first of some bytes of its manifest exchanged, and signed anew."""
    raw = bundle.raw.replace(old, new, 1)
    assert raw != bundle.raw, old
    return signed(raw, bundle.carried)


def with_fields(bundle: Genuine, change: Callable[[Fields], object]) -> bytes:
    """The bundle with fields of its manifest changed, spelt as they should be and signed anew."""
    fields = json.loads(bundle.raw)
    change(fields["manifest"])
    return signed(json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode(), bundle.carried)


def first_project(fields: Fields) -> Fields:
    found: Fields = fields["projects"][0]
    return found


def first_file(fields: Fields) -> Fields:
    found: Fields = first_project(fields)["files"][0]
    return found


@SPELLING.told("there is a space")
def whitespace(bundle: Genuine) -> bytes:
    return with_raw(bundle, b'"name":', b'"name": ')


@SPELLING.told("a line end follows")
def line_end(bundle: Genuine) -> bytes:
    return signed(bundle.raw + b"\n", bundle.carried)


@SPELLING.told("two keys are in another order")
def keys_in_another_order(bundle: Genuine) -> bytes:
    return with_raw(
        bundle, b'"name":"default","created_at":', b'"created_at":"2026-11-21T12:00:00Z","name":"default","x":'
    )


@SPELLING.told("a key is there twice, which readers take differently")
def key_twice(bundle: Genuine) -> bytes:
    return with_raw(bundle, b'"index":"root"', b'"index":"evil","index":"root"')


@SPELLING.told("there is a key that nobody knows")
def unknown_key(bundle: Genuine) -> bytes:
    return with_fields(bundle, lambda it: it.update(run="install.sh"))


@SPELLING.told("a key is left out")
def key_left_out(bundle: Genuine) -> bytes:
    return with_fields(bundle, lambda it: it.pop("base"))


@SPELLING.told("a letter is written as an escape")
def escaped_letter(bundle: Genuine) -> bytes:
    return with_raw(bundle, b'"default"', b'"d\\u0065fault"')


@SPELLING.told("a text is not in UTF-8")
def not_utf_8(bundle: Genuine) -> bytes:
    return with_raw(bundle, b'"default"', b'"d\xe9fault"')


@SPELLING.told("half a surrogate stands in a text")
def half_a_surrogate(bundle: Genuine) -> bytes:
    return with_raw(bundle, b'"default"', b'"\\ud800"')


@SPELLING.told("a size is written as 1.0")
def size_with_a_fraction(bundle: Genuine) -> bytes:
    return with_raw(bundle, b',"carried":true}],"base"', b'.0,"carried":true}],"base"')


@SPELLING.told("a size is NaN")
def size_that_is_no_number(bundle: Genuine) -> bytes:
    return with_raw(bundle, b'"size":', b'"size":NaN,"x":')


@SPELLING.told("a size is true")
def size_that_is_true(bundle: Genuine) -> bytes:
    return with_raw(bundle, b'"size":', b'"size":true,"x":')


@SPELLING.told("a size has a million digits")
def size_of_a_million_digits(bundle: Genuine) -> bytes:
    return with_raw(bundle, b'"size":', b'"size":' + b"9" * 10**6)


@SPELLING.told("a time is told in another zone")
def time_in_another_zone(bundle: Genuine) -> bytes:
    return with_raw(bundle, b'"created_at":"2026-11-21T12:00:00Z"', b'"created_at":"2026-11-21T13:00:00+01:00"')


@SPELLING.told("a time has no zone")
def time_without_a_zone(bundle: Genuine) -> bytes:
    return with_raw(bundle, b'"created_at":"2026-11-21T12:00:00Z"', b'"created_at":"2026-11-21T12:00:00"')


@SPELLING.told("a time is written with nanoseconds")
def time_with_nanoseconds(bundle: Genuine) -> bytes:
    return with_raw(bundle, b"12:00:00Z", b"12:00:00.000000001Z")


@SPELLING.told("a hundred thousand lists lie in each other")
def deep_json(bundle: Genuine) -> bytes:
    return with_raw(bundle, b'"name":', b'"x":' + b"[" * 100_000 + b"]" * 100_000 + b',"name":')


@SPELLING.told("it is no JSON")
def no_json(bundle: Genuine) -> bytes:
    return signed(b"<manifest/>", bundle.carried)


@SPELLING.told("it is a list")
def a_list(bundle: Genuine) -> bytes:
    return signed(b"[]", bundle.carried)


@SPELLING.told("it is of another format")
def manifest_of_another_format(bundle: Genuine) -> bytes:
    return with_raw(bundle, b'"inbond_manifest":1', b'"inbond_manifest":2')


@SPELLING.told("it has more than 64 MiB")
def large_manifest(bundle: Genuine) -> bytes:
    return member(tar.SIGNATURE_NAME, make_signature(b" " * (MAX_MANIFEST_BYTES + 1), KEY))  # no more is read


@CONTENT.told("a filename leads upwards")
def filename_upwards(bundle: Genuine) -> bytes:
    return with_fields(bundle, lambda it: first_file(it).update(filename="../../etc/passwd"))


@CONTENT.told("a filename has a line that clears the screen")
def filename_that_clears_the_screen(bundle: Genuine) -> bytes:
    return with_fields(bundle, lambda it: first_file(it).update(filename="demo\x1b[2J-1.0.tar.gz"))


@CONTENT.told("a project's name leads upwards")
def project_upwards(bundle: Genuine) -> bytes:
    return with_fields(bundle, lambda it: first_project(it).update(project="../other"))


@CONTENT.told("a project's name is not normalised, so that it would be a project beside the right one")
def project_not_normalised(bundle: Genuine) -> bytes:
    return with_fields(bundle, lambda it: first_project(it).update(project="Demo"))


@CONTENT.told("an upstream's name leads upwards")
def upstream_upwards(bundle: Genuine) -> bytes:
    return with_fields(bundle, lambda it: it["upstreams"][0].update(name="../pypi"))


@CONTENT.told("an upstream's URL is a file of the receiving machine")
def upstream_that_is_a_file(bundle: Genuine) -> bytes:
    return with_fields(bundle, lambda it: it["upstreams"][0].update(url="file:///etc/"))


@CONTENT.told("an upstream's URL holds a password")
def upstream_with_a_password(bundle: Genuine) -> bytes:
    return with_fields(bundle, lambda it: it["upstreams"][0].update(url="https://user:secret@index.example/simple/"))


@CONTENT.told("a project is of an upstream that is not named")
def upstream_not_named(bundle: Genuine) -> bytes:
    return with_fields(bundle, lambda it: first_project(it).update(upstream="acme"))


@CONTENT.told("an upstream is named twice, with two URLs")
def upstream_twice(bundle: Genuine) -> bytes:
    return with_fields(bundle, lambda it: it["upstreams"].append({"name": "pypi", "url": "https://evil.example/"}))


@CONTENT.told("a project is there twice, with two pages")
def project_twice(bundle: Genuine) -> bytes:
    return with_fields(bundle, lambda it: it["projects"].insert(0, {**first_project(it), "page": NOBODYS}))


@CONTENT.told("projects are in another order")
def projects_in_another_order(bundle: Genuine) -> bytes:
    return with_fields(bundle, lambda it: it["projects"].reverse())


@CONTENT.told("a file is there twice, with two digests")
def file_twice(bundle: Genuine) -> bytes:
    return with_fields(bundle, lambda it: first_project(it)["files"].append({**first_file(it), "sha256": NOBODYS}))


@CONTENT.told("a file is carried without a digest")
def file_without_a_digest(bundle: Genuine) -> bytes:
    return with_fields(bundle, lambda it: first_file(it).update(sha256=None))


@CONTENT.told("a digest is in capital letters, for a second name of the same bytes")
def digest_in_capitals(bundle: Genuine) -> bytes:
    return with_fields(bundle, lambda it: first_file(it).update(sha256=first_file(it)["sha256"].upper()))


@CONTENT.told("a digest leads upwards")
def digest_upwards(bundle: Genuine) -> bytes:
    return with_fields(bundle, lambda it: first_file(it).update(sha256="../" * 21 + "x"))


@CONTENT.told("provenance is said to be found, and is not there")
def provenance_that_is_not_there(bundle: Genuine) -> bytes:
    return with_fields(bundle, lambda it: first_file(it).update(claimed="found"))


@CONTENT.told("provenance is there, and is said to be absent")
def provenance_said_to_be_absent(bundle: Genuine) -> bytes:
    return with_fields(bundle, lambda it: first_file(it).update(provenance=first_project(it)["page"]))


@CONTENT.told("evidence has a state that does not exist")
def evidence_of_no_state(bundle: Genuine) -> bytes:
    return with_fields(bundle, lambda it: first_file(it).update(evidence="trust-me"))


@CONTENT.told("a page is a blob that the manifest does not list")
def page_that_is_not_there(bundle: Genuine) -> bytes:
    return with_fields(bundle, lambda it: first_project(it).update(page=NOBODYS))


@CONTENT.told("the manifest lists a blob that belongs to nothing")
def blob_of_nothing(bundle: Genuine) -> bytes:
    nobodys = {"sha256": NOBODYS, "size": 4, "carried": True}
    return with_fields(bundle, lambda it: it["blobs"].insert(-FILES, nobodys))  # the last of the documents


@CONTENT.told("the manifest lists a blob twice")
def blob_listed_twice(bundle: Genuine) -> bytes:
    return with_fields(bundle, lambda it: it["blobs"].append(it["blobs"][-1]))


@CONTENT.told("blobs are in another order")
def blobs_in_another_order(bundle: Genuine) -> bytes:
    return with_fields(bundle, lambda it: it["blobs"].reverse())


@CONTENT.told("a blob is left to an earlier bundle, and none is named")
def delta_against_nothing(bundle: Genuine) -> bytes:
    return with_fields(bundle, lambda it: it["blobs"][0].update(carried=False))


@CONTENT.told("the bundle is a delta against the path of a file")
def delta_against_a_path(bundle: Genuine) -> bytes:
    return with_fields(bundle, lambda it: it.update(base="../../manifest.json"))


@CONTENT.told("a file is said to have eight exbibytes")
def file_of_exbibytes(bundle: Genuine) -> bytes:
    return with_fields(bundle, lambda it: it["blobs"][-1].update(size=2**63))


@CONTENT.told("a page is said to have a gigabyte")
def page_of_a_gigabyte(bundle: Genuine) -> bytes:
    def grow(fields: Fields) -> None:
        for blob in fields["blobs"]:
            if blob["sha256"] == first_project(fields)["page"]:
                blob["size"] = 2**30

    return with_fields(bundle, grow)


@CONTENT.told("a blob is said to have a negative size")
def negative_size(bundle: Genuine) -> bytes:
    return with_fields(bundle, lambda it: it["blobs"][0].update(size=-1))


@CONTENT.told("a blob is said to be larger than it is, to swallow the next")
def size_that_swallows_the_next(bundle: Genuine) -> bytes:
    return with_fields(bundle, lambda it: it["blobs"][0].update(size=it["blobs"][0]["size"] + 512))


@CONTENT.told("ten thousand documents are listed, and one more")
def too_many_documents(bundle: Genuine) -> bytes:
    return with_fields(bundle, lambda it: it.update(documents=it["documents"] * (MAX_DOCUMENTS + 1)))


@CONTENT.told("a page is said to be of next year, and would not become stale before")
def page_of_next_year(bundle: Genuine) -> bytes:
    return with_fields(bundle, lambda it: first_project(it).update(validated_at="2027-11-21T12:00:00Z"))


@CONTENT.told("the policy is said to be of next year")
def document_of_next_year(bundle: Genuine) -> bytes:
    return with_fields(bundle, lambda it: it["documents"][0].update(as_of="2027-11-21T12:00:00Z"))


@CONTENT.told("a document is of a kind that nobody knows")
def document_of_no_kind(bundle: Genuine) -> bytes:
    return with_fields(bundle, lambda it: it["documents"][0].update(kind="script"))


@CONTENT.told("a document's name leads upwards")
def document_upwards(bundle: Genuine) -> bytes:
    return with_fields(bundle, lambda it: it["documents"][0].update(name="../../inbond"))


@CONTENT.told("the bundle's own name is the path of a file")
def name_that_is_a_path(bundle: Genuine) -> bytes:
    return with_fields(bundle, lambda it: it.update(name="../../synced"))

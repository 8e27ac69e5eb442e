"""Laws of the manifest: it has one spelling, and what breaks a rule is neither written nor read."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundles.manifests import manifests
from bundles.support import genuine
from inbond.bundles import limits, manifest_json
from inbond.bundles.manifest import BundledFile, Manifest
from inbond.bundles.manifest_json import decode_manifest, decode_project, encode_manifest, encode_project
from inbond.model.errors import InvalidBundle

MANIFEST = genuine().manifest
SPELT: list[Callable[[object], str]] = [
    partial(json.dumps, ensure_ascii=False),
    partial(json.dumps, ensure_ascii=False, separators=(",", ":"), sort_keys=True),
    partial(json.dumps, ensure_ascii=False, separators=(",", ":"), indent=0),
]


@settings(max_examples=50)
@given(manifests())
def test_what_was_written_is_read(manifest: Manifest) -> None:
    raw = encode_manifest(manifest)
    assert decode_manifest(raw) == manifest
    assert encode_manifest(decode_manifest(raw)) == raw


@settings(max_examples=30)
@given(manifests())
def test_a_project_by_itself_is_written_as_in_its_manifest(manifest: Manifest) -> None:
    raw = encode_manifest(manifest)
    for project in manifest.projects:
        text = encode_project(project)
        assert text.encode() in raw
        assert decode_project(text) == project


@settings(max_examples=20)
@given(manifests(), st.data())
def test_other_json_of_the_same_value_is_refused(manifest: Manifest, data: st.DataObject) -> None:
    raw = encode_manifest(manifest)
    value = json.loads(raw)
    spelt = data.draw(st.sampled_from(SPELT))
    other = spelt(value).encode()
    assert json.loads(other) == value
    with pytest.raises(InvalidBundle, match="not written as inbond writes it"):
        decode_manifest(other)


@settings(max_examples=100)
@given(st.data())
def test_bytes_that_somebody_changed_are_a_manifest_of_one_spelling_or_none(data: st.DataObject) -> None:
    raw = bytearray(encode_manifest(MANIFEST))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    try:
        found = decode_manifest(bytes(raw))
    except InvalidBundle:
        return
    assert encode_manifest(found) == raw


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_in_one_way(raw: bytes) -> None:
    with pytest.raises(InvalidBundle):
        decode_manifest(raw)


@given(st.text(max_size=200))
def test_any_text_is_no_project(text: str) -> None:
    with pytest.raises(InvalidBundle):
        decode_project(text)


def test_half_a_surrogate_is_no_project() -> None:
    with pytest.raises(InvalidBundle):
        decode_project("\ud800")


Change = Callable[[Manifest], Manifest]
EAST = timezone(timedelta(hours=1))
LATER = MANIFEST.created_at + timedelta(seconds=1)


def of_first_file(**fields: Any) -> Change:
    def change(manifest: Manifest) -> Manifest:
        project = manifest.projects[0]
        file: BundledFile = replace(project.files[0], **fields)
        return replace(manifest, projects=(replace(project, files=(file,)), *manifest.projects[1:]))

    return change


def of_first_project(**fields: Any) -> Change:
    return lambda manifest: replace(
        manifest, projects=(replace(manifest.projects[0], **fields), *manifest.projects[1:])
    )


def of_upstream(url: str) -> Change:
    return lambda manifest: replace(manifest, upstreams=(replace(manifest.upstreams[0], url=url),))


BROKEN: list[tuple[str, Change]] = [
    ("the name of the bundle", lambda it: replace(it, name="")),
    ("the name of the bundle", lambda it: replace(it, name="a" * 256)),
    ("the name of the index", lambda it: replace(it, index="Root")),
    ("time of the bundle's creation", lambda it: replace(it, created_at=it.created_at.replace(tzinfo=None))),
    ("time of the bundle's creation", lambda it: replace(it, created_at=it.created_at.astimezone(EAST))),
    ("this is a delta against", lambda it: replace(it, base="x")),
    ("the upstream of the project demo", of_first_project(upstream="..")),
    ("digest of the page", of_first_project(page="x")),
    ("digest of the memory", of_first_project(memory="x")),
    ("time of the page", of_first_project(validated_at=datetime(2026, 1, 1))),  # noqa: DTZ001 (the point)
    ("later than the bundle itself", of_first_project(validated_at=LATER)),
    ("digest of the bytes", of_first_file(sha256="x")),
    ("digest of the metadata", of_first_file(metadata="x")),
    ("digest of the provenance", of_first_file(provenance="x")),
    ("is carried without a digest", of_first_file(sha256=None)),
    ("evidence of no known state", of_first_file(evidence="fine")),
    ("none of an index", of_upstream("https://index.example/simple")),
    ("none of an index", of_upstream("https://index.example/simple/?a=/")),
    ("none of an index", of_upstream("https://index.example/simple/#/")),
    ("none of an index", of_upstream("https://a@index.example/simple/")),
    ("none of an index", of_upstream("https:///simple/")),
    ("none of an index", of_upstream("https://[::1/simple/")),
    ("none of an index", of_upstream("https://index.example:99999/simple/")),
    ("none of an index", of_upstream("https://index.example/\ud800/")),
    ("none of an index", of_upstream("https://index.example/" + "a" * 2048 + "/")),
    ("none of an index", of_upstream("ftp://index.example/simple/")),
    ("the projects name pypi demo twice", lambda it: replace(it, projects=it.projects[:1] * 2)),
    ("which the manifest does not list", lambda it: replace(it, blobs=it.blobs[1:])),
    ("belongs to nothing", lambda it: replace(it, documents=())),
    ("is not carried", lambda it: replace(it, blobs=(replace(it.blobs[0], carried=False), *it.blobs[1:]))),
    ("not in their order", lambda it: replace(it, blobs=it.blobs[::-1])),
    ("digest of a blob", lambda it: replace(it, blobs=(replace(it.blobs[0], sha256="x"), *it.blobs[1:]))),
    ("a negative size", lambda it: replace(it, blobs=(replace(it.blobs[0], size=-1), *it.blobs[1:]))),
    ("16.0 EiB|more bytes than", lambda it: replace(it, blobs=(*it.blobs[:-1], replace(it.blobs[-1], size=2**64)))),
    ("more than the 16.0 GiB", lambda it: replace(it, blobs=(*it.blobs[:-1], replace(it.blobs[-1], size=2**40)))),
]  # fmt: skip


@pytest.mark.parametrize(("message", "change"), BROKEN)
def test_what_breaks_a_rule_is_not_written(message: str, change: Change) -> None:
    with pytest.raises(InvalidBundle, match=message) as caught:
        encode_manifest(change(MANIFEST))
    assert caught.value.remedy


def test_a_password_in_a_url_is_not_shown() -> None:
    with pytest.raises(InvalidBundle) as caught:
        encode_manifest(of_upstream("https://user:secret@index.example/simple/")(MANIFEST))
    assert "secret" not in caught.value.message


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/", "https://[::1]/simple/", "https://index.example:8443/a/b/"])
def test_urls_of_indexes(url: str) -> None:
    changed = of_upstream(url)(MANIFEST)
    assert decode_manifest(encode_manifest(changed)) == changed


@pytest.mark.parametrize("what", ["UPSTREAMS", "PROJECTS", "FILES", "DOCUMENTS", "BLOBS"])
def test_no_more_than_a_limit_is_taken(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = encode_manifest(MANIFEST)
    counts = {"UPSTREAMS": 1, "PROJECTS": 2, "FILES": 2, "DOCUMENTS": 1, "BLOBS": len(MANIFEST.blobs)}
    monkeypatch.setattr(limits, f"MAX_{what}", counts[what])
    assert decode_manifest(raw) == MANIFEST
    monkeypatch.setattr(limits, f"MAX_{what}", counts[what] - 1)
    with pytest.raises(InvalidBundle, match=f"the manifest names {counts[what]} {what.lower()}"):
        decode_manifest(raw)


def test_a_manifest_of_another_format_says_so() -> None:
    for raw in (b'{"inbond_manifest":7,"other":{}}', encode_manifest(MANIFEST).replace(b":1,", b":7,", 1)):
        with pytest.raises(InvalidBundle, match="of format 7, and this inbond reads format 1"):
            decode_manifest(raw)


def test_names_are_texts() -> None:
    raw = encode_manifest(MANIFEST).replace(b'"project":"demo"', b'"project":5')
    with pytest.raises(InvalidBundle, match=r"not a name - at `\$.manifest.projects\[0\].project`"):
        decode_manifest(raw)


def test_a_manifest_over_its_limit_is_neither_written_nor_read(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = encode_manifest(MANIFEST)
    monkeypatch.setattr(manifest_json, "MAX_MANIFEST_BYTES", len(raw) - 1)
    with pytest.raises(InvalidBundle, match="the manifest has"):
        encode_manifest(MANIFEST)
    with pytest.raises(InvalidBundle, match="the manifest has"):
        decode_manifest(raw)


def test_a_blob_that_is_document_and_file_is_among_the_files() -> None:
    project = MANIFEST.projects[0]
    shared = replace(project, memory=project.files[0].sha256 or "")
    blobs = tuple(one for one in MANIFEST.blobs if one.sha256 != project.memory)
    manifest = replace(MANIFEST, projects=(shared, *MANIFEST.projects[1:]), blobs=blobs)
    assert decode_manifest(encode_manifest(manifest)) == manifest


def test_times_are_utc() -> None:
    assert MANIFEST.created_at.tzinfo is UTC

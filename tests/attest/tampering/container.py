"""Container: what the index wraps around the attestations (PEP 740), none of which anybody signed."""

from __future__ import annotations

import json
from typing import Any, Final

from attest.tampering.row import ACME, FORMAT, OURS, THEIRS, UNKNOWN_KEY, Row, attested, edited, honest, made
from inbond.attest.limits import MAX_ATTESTATIONS, MAX_PROVENANCE_BYTES
from sim.sigstore import SLSA

_OBJECT: Final = "not a provenance object"
_BUNDLE: Final = "bundle in the provenance is malformed"
_ATTESTATION: Final = "not an attestation object"
_UNKNOWN_KIND: Final = {"kind": "Forgejo", "repository": "acme/widgets"}


def _members(**members: Any) -> Any:
    return lambda document: document.update(members)


def _first(document: Any) -> Any:
    return document["attestation_bundles"][0]["attestations"][0]


def _attestation(**members: Any) -> Any:
    return lambda document: _first(document).update(members)


def _material(**members: Any) -> Any:
    return lambda document: _first(document)["verification_material"].update(members)


def _bundles(*bundles: tuple[Any, list[Any]]) -> bytes:
    return OURS.provenance(bundles)


def _twice() -> bytes:
    attestation = attested()
    return _bundles((ACME.publisher(), [attestation, attestation]))


def _twice_apart() -> bytes:
    attestation = attested()
    return _bundles((ACME.publisher(), [attestation]), (ACME.publisher(), [attestation]))


def _twice_spelt_otherwise() -> bytes:
    first = attested()
    second = json.loads(json.dumps(first))
    second["envelope"]["signature"] = "\n" + second["envelope"]["signature"] + "\n"
    return _bundles((ACME.publisher(), [first]), (ACME.publisher(), [second]))


def _bundle_of_objects(document: Any) -> None:
    bundle = document["attestation_bundles"][0]
    bundle["attestations"] = {"0": bundle["attestations"][0]}


ROWS: Final[tuple[Row, ...]] = (
    made("nothing", "it is empty", "not JSON", lambda: b""),
    made("html", "it is a page for people", "not JSON", lambda: b"<!DOCTYPE html><html><body>Sign in</body></html>"),
    made("not-utf-8", "it is not UTF-8", "not JSON", lambda: b'{"version": 1, "\xff": []}'),
    made("utf-16", "it is written in UTF-16", "not JSON", lambda: honest().decode().encode("utf-16")),
    made("with-mark", "a byte order mark stands before it", "not JSON", lambda: b"\xef\xbb\xbf" + honest()),
    made("truncated", "its end is missing", "not JSON", lambda: honest()[:-20]),
    made("trailing", "something follows it", "not JSON", lambda: honest() + b"{}"),
    made("nested", "200,000 brackets are opened in it", "not JSON", lambda: b"[" * 200_000),
    made("nested-member", "a member that nobody knows is nested 9,999 levels deep", "not JSON",
         lambda: honest()[:-1] + b',"x":' + b"[" * 9999 + b"]" * 9999 + b"}"),
    made("too-large", "it is larger than the limit", "larger than 512 KiB",
         lambda: honest()[:-1] + b',"padding":"' + b"x" * MAX_PROVENANCE_BYTES + b'"}'),
    made("null", "it is null", _OBJECT, lambda: b"null"),
    made("list", "it is a list of one such object", _OBJECT, lambda: b"[" + honest() + b"]"),
    made("string", "it is coded once more, as a string", _OBJECT, lambda: json.dumps(honest().decode()).encode()),
    made("another-document", "it is some other document", _OBJECT, lambda: b'{"message": "Not Found"}'),
    edited("version-2", "it is of version 2", "provenance version 2 is not known here", _members(version=2),
           expected=FORMAT),
    edited("version-a-word", "its version is a string", _OBJECT, _members(version="1")),
    edited("version-a-boolean", "its version is true", _OBJECT, _members(version=True)),
    edited("version-a-fraction", "its version is 1.0", _OBJECT, _members(version=1.0)),
    edited("version-null", "its version is null", _OBJECT, _members(version=None)),
    edited("bundles-missing", "it has no bundles", _OBJECT,
           lambda document: document.pop("attestation_bundles")),
    edited("bundles-null", "its bundles are null", _OBJECT, _members(attestation_bundles=None)),
    edited("bundles-an-object", "its bundles are an object", _OBJECT, lambda document: document.update(
        attestation_bundles={"0": document["attestation_bundles"][0]})),
    edited("bundles-none", "its list of bundles is empty", "holds no attestation", _members(attestation_bundles=[])),
    edited("bundle-null", "its bundle is null", _BUNDLE, _members(attestation_bundles=[None])),
    made("bundle-empty", "its bundle holds no attestation", "bundle in the provenance holds no attestation",
         lambda: _bundles((ACME.publisher(), []))),
    made("bundle-empty-beside-a-good-one", "a second bundle holds no attestation",
         "bundle in the provenance holds no attestation",
         lambda: _bundles((ACME.publisher(), [attested()]), (ACME.publisher(), []))),
    edited("bundle-an-object", "its bundle's attestations are an object", _BUNDLE, _bundle_of_objects),
    made("too-many", "it holds more attestations than the limit", f"more than {MAX_ATTESTATIONS} attestations",
         lambda: _bundles(*[(ACME.publisher(), [attested()] * 3)] * 3)),
    made("attestation-null", "an attestation is null", _ATTESTATION, lambda: _bundles((ACME.publisher(), [None]))),
    made("attestation-a-string", "an attestation is a string", _ATTESTATION,
         lambda: _bundles((ACME.publisher(), ["x"]))),
    edited("attestation-version-2", "an attestation is of version 2", "attestation version 2 is not known here",
           _attestation(version=2), expected=FORMAT),
    edited("attestation-version-a-word", "an attestation's version is a string", _ATTESTATION,
           _attestation(version="1")),
    edited("attestation-version-missing", "an attestation has no version", _ATTESTATION,
           lambda document: _first(document).pop("version")),
    edited("envelope-null", "an attestation has no envelope", _ATTESTATION, _attestation(envelope=None)),
    edited("material-null", "an attestation has no verification material", _ATTESTATION,
           _attestation(verification_material=None)),
    edited("certificate-null", "an attestation has no certificate", _ATTESTATION, _material(certificate=None)),
    edited("certificate-a-list", "an attestation has a chain of certificates", _ATTESTATION, lambda document: _material(
        certificate=[_first(document)["verification_material"]["certificate"]])(document)),
    edited("entries-an-object", "an attestation's log entries are an object", _ATTESTATION,
           _material(transparency_entries={})),
    edited("entry-null", "an attestation's log entry is null", _ATTESTATION, _material(transparency_entries=[None])),
    made("twice", "the same attestation stands there twice", "the same attestation stands there twice", _twice),
    made("twice-apart", "the same attestation stands in two bundles", "the same attestation stands there twice",
         _twice_apart),
    made("twice-spelt-otherwise", "the same attestation stands there twice, with a line break in one",
         "the same attestation stands there twice", _twice_spelt_otherwise),
    made("one-forged", "a forged attestation stands beside a good one", "signature is not genuine",
         lambda: _bundles((ACME.publisher(), [attested(), attested(signature="badsig")]))),
    made("one-of-another-file", "an attestation about another file stands beside a good one", "about another file",
         lambda: _bundles((ACME.publisher(), [attested(), OURS.attest("gadgets-1.0.tar.gz", "0" * 64, ACME)]))),
    made("one-malformed", "something that is no attestation stands beside a good one", _ATTESTATION,
         lambda: _bundles((ACME.publisher(), [attested(), {}]))),
    made("kind-unknown", "its only publisher is of a kind that nobody knows",
         "publishers of kind Forgejo are not known here",
         lambda: _bundles((_UNKNOWN_KIND, [attested()])), expected=FORMAT),
    made("kind-in-capitals", "its only publisher's kind is written in capitals",
         "publishers of kind GITHUB are not known here",
         lambda: _bundles((ACME.publisher() | {"kind": "GITHUB"}, [attested()])), expected=FORMAT),
    made("kind-a-list", "its only publisher's kind is a list", _BUNDLE,
         lambda: _bundles((ACME.publisher() | {"kind": ["GitHub"]}, [attested()]))),
    made("unknown-kind-and-key", "a stranger's attestation stands beside a publisher of a kind that nobody knows",
         "certificate authority that the trusted root does not know",
         lambda: _bundles((_UNKNOWN_KIND, [attested()]), (ACME.publisher(), [attested(ca=THEIRS)])),
         expected=UNKNOWN_KEY),
    made("good-slsa-strange-publish", "build provenance is good, but a stranger says to have published it",
         "certificate authority that the trusted root does not know",
         lambda: _bundles((ACME.publisher(), [attested(predicate_type=SLSA, predicate={}), attested(ca=THEIRS)])),
         expected=UNKNOWN_KEY),
)  # fmt: skip

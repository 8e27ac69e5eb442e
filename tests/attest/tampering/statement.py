"""Statement: validly signed by the right publisher, and yet not what an attestation on an index says (in-toto v1)."""

from __future__ import annotations

import json
from typing import Any, Final

from attest.tampering.row import FORMAT, NAME, SHA256, Row, faulty, statement, subject
from sim.sigstore import PUBLISH, SLSA

_UNREADABLE: Final = "not a well-formed in-toto statement"
_TWICE: Final = "names the same member twice"
_EVIL: Final = json.dumps([subject("evil-1.0.tar.gz")]).encode()


def _signed(id_: str, done: str, reason: str, raw: bytes) -> Row:
    """A row about these bytes, signed."""
    return faulty(id_, done, reason, statement=raw)


def _without(member: str) -> bytes:
    return json.dumps({key: value for key, value in json.loads(statement()).items() if key != member}).encode()


def _and(more: bytes, **changes: Any) -> bytes:
    return statement(**changes)[:-1] + more + b"}"


ROWS: Final[tuple[Row, ...]] = (
    _signed("statement-empty", "nothing at all was signed", "not", b""),
    _signed("statement-junk", "it is not JSON", _UNREADABLE, b"junk"),
    _signed("statement-null", "it is null", _UNREADABLE, b"null"),
    _signed("statement-a-list", "it is a list of one statement", _UNREADABLE, b"[" + statement() + b"]"),
    _signed("statement-a-string", "it is coded once more, as a string", _UNREADABLE,
            json.dumps(statement().decode()).encode()),
    _signed("statement-two", "a second one follows it", _UNREADABLE, statement() + statement()),
    _signed("statement-nested", "100,000 brackets are opened in it", _UNREADABLE, b"[" * 100_000),
    _signed("statement-nested-predicate", "its predicate is nested 9,999 levels deep", _UNREADABLE,
            statement(predicateType=SLSA, predicate={"x": 0}).replace(b"0}", b"[" * 9999 + b"]" * 9999 + b"}")),
    _signed("statement-utf-16", "it is written in UTF-16", _UNREADABLE, statement().decode().encode("utf-16")),
    _signed("statement-latin-1", "a name in it is not UTF-8", _UNREADABLE,
            statement().replace(b"widgets", b"widg\xebts")),
    _signed("statement-with-mark", "a byte order mark stands before it", _UNREADABLE, b"\xef\xbb\xbf" + statement()),
    _signed("statement-with-comment", "there is a comment in it", _UNREADABLE, statement() + b"// signed"),
    _signed("statement-not-a-number", "a number in it is none", _UNREADABLE,
            statement(predicateType=SLSA, predicate={"x": 0}).replace(b"0}", b"NaN}")),
    _signed("statement-lone-surrogate", "half a character stands in its name", _UNREADABLE,
            statement().replace(b"widgets", b"widgets\\ud800")),
    faulty("type-other", "it is of the version of statements that went before", _UNREADABLE,
           statement_type="https://in-toto.io/Statement/v0.1"),
    _signed("type-missing", "it does not say that it is a statement", _UNREADABLE, _without("_type")),
    _signed("type-null", "its type is null", _UNREADABLE, statement(_type=None)),
    _signed("subject-missing", "it names no subject", _UNREADABLE, _without("subject")),
    faulty("subjects-none", "its list of subjects is empty", _UNREADABLE, subjects=[]),
    faulty("subjects-two", "it is about this file and another", "is about 2 files, not one",
           subjects=[subject(), subject("widgets-1.0.zip")]),
    faulty("subjects-two-alike", "it names this file twice", "is about 2 files, not one",
           subjects=[subject(), subject()]),
    faulty("subjects-other-first", "it is about another file and this one", "is about 2 files, not one",
           subjects=[subject("widgets-1.0.zip"), subject()]),
    _signed("subject-an-object", "its subject is no list", _UNREADABLE, statement(subject=subject())),
    faulty("subject-a-string", "its subject is a name without a digest", _UNREADABLE, subjects=[NAME]),
    faulty("subject-name-a-number", "its subject's name is a number", _UNREADABLE, subjects=[subject(1)]),
    faulty("digest-a-string", "its subject's digest is a string", _UNREADABLE,
           subjects=[{"name": NAME, "digest": SHA256}]),
    faulty("digest-null", "its subject's digest is null", _UNREADABLE,
           subjects=[{"name": NAME, "digest": {"sha256": None}}]),
    _signed("member-twice", "it names two subjects, this file's last", _TWICE,
            b'{"subject": ' + _EVIL + b", " + statement()[1:]),
    _signed("member-twice-last", "it names two subjects, this file's first", _TWICE, _and(b', "subject": ' + _EVIL)),
    _signed("member-twice-alike", "it says the same thing twice", _TWICE, _and(b', "predicate": null')),
    _signed("member-twice-escaped", "it names two subjects, one in escapes", _TWICE,
            _and(b', "\\u0073ubject": ' + json.dumps([subject()]).encode())),
    _signed("member-twice-inside", "its subject has two digests of one kind", _TWICE,
            statement().replace(b'{"sha256": ', b'{"sha256": "' + b"0" * 64 + b'", "sha256": ')),
    _signed("member-twice-in-predicate", "its predicate names a member twice", _TWICE,
            statement(predicateType=SLSA, predicate={"x": 0}).replace(b'"x": 0', b'"x": 0, "x": 1')),
    _signed("alias-subject", "it names other subjects under the library's own name of them", _TWICE,
            statement(subjects=[subject("evil-1.0.tar.gz")])),
    _signed("alias-type", "it gives another type under the library's own name of it", _TWICE,
            statement(type_="https://in-toto.io/Statement/v0.1")),
    _signed("alias-predicate-type", "it gives another predicate type under the library's own name of it", _TWICE,
            statement(predicate_type=SLSA)),
    faulty("predicate-not-empty", "its publish predicate says something", "publish predicate is not empty",
           predicate={"approved": True}),
    faulty("predicate-a-list", "its predicate is a list", _UNREADABLE, predicate=[]),
    faulty("predicate-a-string", "its predicate is a string", _UNREADABLE, predicate="approved"),
    faulty("predicate-false", "its predicate is false", _UNREADABLE, predicate=False),
    _signed("predicate-type-missing", "it does not say its predicate's type", _UNREADABLE, _without("predicateType")),
    faulty("predicate-type-empty", "its predicate's type is empty", "unknown predicate type", expected=FORMAT,
           predicate_type=""),
    faulty("predicate-type-unknown", "its predicate is of a type that nobody knows",
           "unknown predicate type https://acme.example/v1",
           expected=FORMAT, predicate_type="https://acme.example/v1"),
    faulty("predicate-type-in-capitals", "its predicate's type is written in capitals", "unknown predicate type",
           expected=FORMAT, predicate_type=PUBLISH.upper()),
    faulty("predicate-type-with-slash", "its predicate's type has a slash after it", "unknown predicate type",
           expected=FORMAT, predicate_type=f"{PUBLISH}/"),
    faulty("predicate-type-version-2", "its predicate is of the next version", "unknown predicate type",
           expected=FORMAT, predicate_type=PUBLISH.replace("/v1", "/v2")),
    _signed("predicate-type-null", "its predicate's type is null", _UNREADABLE, statement(predicateType=None)),
    faulty("only-slsa", "there is build provenance, but nobody says to have published it", "no publish attestation",
           expected=FORMAT, predicate_type=SLSA, predicate={"buildDefinition": {}}),
)  # fmt: skip

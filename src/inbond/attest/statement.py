"""What was signed: an in-toto statement about one file (PEP 740, "Attestation types"; in-toto attestation v1).

Read only after its signature was verified, and strictly: two readers of one statement must not see two things.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from packaging.utils import parse_sdist_filename, parse_wheel_filename
from pypi_attestations import AttestationType
from sigstore.dsse import Statement
from sigstore.errors import Error as SigstoreError

from inbond.attest.outcome import Unjudged, Wrong
from inbond.attest.strict_json import RepeatedMember, strict_json
from inbond.model.errors import InvalidFilename
from inbond.model.evidence import UnsupportedCause
from inbond.model.names import Filename

PUBLISH: Final[str] = AttestationType.PYPI_PUBLISH_V1.value
_SLSA: Final[str] = AttestationType.SLSA_PROVENANCE_V1.value
_PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
_SUFFIXES: Final = (".whl", ".tar.gz", ".zip")
# The library's own names of these members, which it takes for the members themselves.
_ALIASES: Final = frozenset({"type_", "subjects", "predicate_type"})
_TWICE: Final = "its statement names the same member twice"


def attested_type(payload_type: str, payload: bytes, *, filename: Filename, sha256: str) -> str:
    """The predicate type of a statement that is about this file.

    Raises Wrong where it is not, or not well formed, and Unjudged for a predicate type that nobody knows here.
    """
    statement = _parsed(payload_type, payload)
    _check_subject(statement["subject"], filename=filename, sha256=sha256)
    kind: str = statement["predicateType"]
    match kind:
        case _ if kind == PUBLISH:
            if statement.get("predicate") not in (None, {}):
                raise Wrong("its publish predicate is not empty")
        case _ if kind != _SLSA:
            raise Unjudged(f"unknown predicate type {kind}", cause=UnsupportedCause.FORMAT, predicate_type=kind)
    return kind


def _parsed(payload_type: str, payload: bytes) -> dict[str, Any]:
    if payload_type != _PAYLOAD_TYPE:
        raise Wrong("its payload is not an in-toto statement")
    try:
        Statement(payload)  # the library's own, strict reading
        statement: dict[str, Any] = strict_json(payload)
    except RepeatedMember as error:
        raise Wrong(_TWICE) from error
    except (SigstoreError, ValueError) as error:
        raise Wrong("its statement is not a well-formed in-toto statement") from error
    if _ALIASES & statement.keys():
        raise Wrong(_TWICE)
    return statement


def _check_subject(subjects: Sequence[Any], *, filename: Filename, sha256: str) -> None:
    if len(subjects) != 1:
        raise Wrong(f"its statement is about {len(subjects)} files, not one")
    subject = subjects[0]
    if not subject["name"] or not same_file(subject["name"], filename):
        raise Wrong(f"it is about another file: {subject['name']}")
    if subject["digest"].get("sha256") != sha256:
        raise Wrong("it is about other bytes: the digest is not this file's")


def same_file(subject: str, filename: Filename) -> bool:
    """Whether a statement's subject names this file.

    Not letter by letter: PyPI compares parsed names, and files whose subject spells the project, the version or the
    order of a wheel's tags otherwise stand there in numbers (early pypi-attestations signed a normal form of the
    name). The suffix must be the same, though: a `.zip` is another file than a `.tar.gz`.
    """
    suffix = _suffix(filename)
    if suffix is None or _suffix(subject) != suffix or any(character.isspace() for character in subject):
        return False  # packaging reads over space around a version
    if not subject.isascii():
        return False  # nor would it tell the sign for kelvin from a "k"
    parse = parse_wheel_filename if suffix == ".whl" else parse_sdist_filename
    try:
        # As short as a filename must be: the tags of a wheel multiply.
        parsed: object = parse(Filename(subject))
        return parsed == parse(filename)
    except (ValueError, InvalidFilename):  # packaging's are ValueErrors
        return False


def _suffix(filename: str) -> str | None:
    return next((suffix for suffix in _SUFFIXES if filename.endswith(suffix)), None)

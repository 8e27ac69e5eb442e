"""Questions as OSV's API takes them (https://google.github.io/osv.dev/post-v1-query/), and their answers.

Only what can be answered is: a commit, or a package of another ecosystem, is no question that "nothing known" would be
an honest answer to. All there is comes in one page, so a page token, which nobody here hands out, changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

import msgspec

from inbond.advisories.limits import MAX_VERSION_CHARS
from inbond.advisories.ranges import readable
from inbond.advisories.record import Record
from inbond.advisories.snapshot import AdvisorySet
from inbond.model.errors import InvalidName
from inbond.model.names import ProjectName
from inbond.model.units import format_size

MAX_QUERIES: Final = 1000  # in a batch, as OSV has it
MAX_ANSWER_BYTES: Final = 16 * 2**20  # all that is known of one project takes some 4 MB at most
_ECOSYSTEM: Final = "PyPI"
_PURL: Final = "pkg:pypi/"


class BadQuery(ValueError):
    """A question that cannot be answered; the text says why."""


class _Package(msgspec.Struct, frozen=True):
    name: str | None = None
    ecosystem: str | None = None
    purl: str | None = None


class _Written(msgspec.Struct, frozen=True):
    package: _Package | None = None
    version: str | None = None
    commit: str | None = None
    page_token: str | None = None


class _Batch(msgspec.Struct, frozen=True):
    queries: list[_Written]


_QUERY: Final = msgspec.json.Decoder(_Written)
_BATCH: Final = msgspec.json.Decoder(_Batch)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What is known against a project, or one version of it (as it is written)."""

    project: ProjectName
    version: str | None = None


def parse_query(body: bytes) -> Query:
    """The body of `query`. Raises `BadQuery`."""
    try:
        return _query(_QUERY.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadQuery(f"the body is not a query: {error}") from error


def parse_batch(body: bytes) -> list[Query]:
    """The body of `querybatch`. Raises `BadQuery`, also where one of the queries is bad: its answer would be missed."""
    try:
        written = _BATCH.decode(body).queries
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadQuery(f"the body is not a batch of queries: {error}") from error
    if len(written) > MAX_QUERIES:
        raise BadQuery(f"{len(written)} queries are too many: at most {MAX_QUERIES} can be asked at once")
    return list(_numbered(written))


def _numbered(written: Sequence[_Written]) -> Iterator[Query]:
    for number, one in enumerate(written):
        try:
            yield _query(one)
        except BadQuery as error:
            raise BadQuery(f"query {number}: {error}") from None


def _query(written: _Written) -> Query:
    if written.commit:
        raise BadQuery("commits are not known here: ask for a package")
    package = written.package
    if package is None or not (package.name or package.purl):
        raise BadQuery('no package is named, as in {"package": {"ecosystem": "PyPI", "name": "flask"}}')
    if package.purl:
        return _by_purl(package, written.version)
    if package.ecosystem is None or package.ecosystem.partition(":")[0] != _ECOSYSTEM:
        raise BadQuery(f"packages of {_ECOSYSTEM} alone are known here, none of {package.ecosystem!a}")
    return _about(package.name or "", written.version)


def _by_purl(package: _Package, version: str | None) -> Query:
    purl = package.purl or ""
    if package.name or package.ecosystem:
        raise BadQuery("a package is named by purl, or by name and ecosystem, not by both")
    if not purl.startswith(_PURL):
        raise BadQuery(f"packages of {_ECOSYSTEM} alone are known here: a purl begins with {_PURL!r}")
    name, _, within = purl.removeprefix(_PURL).partition("#")[0].partition("?")[0].partition("@")
    if within and version:
        raise BadQuery("the version stands in the purl or beside the package, not in both")
    return _about(unquote(name), unquote(within) or version)


def _about(name: str, version: str | None) -> Query:
    if version is not None and len(version) > MAX_VERSION_CHARS:
        raise BadQuery(f"a version of more than {MAX_VERSION_CHARS} characters cannot be read")
    try:
        return Query(project=ProjectName(name), version=version or None)
    except InvalidName as error:
        raise BadQuery(error.message) from None


def answer_query(query: Query, known: AdvisorySet) -> bytes:
    """The answer to `query`: the records as they were published; `{}` for none, as OSV has it. Raises `BadQuery`."""
    found = list(_bounded(record.raw for record in _records(query, known)))
    return b'{"vulns":[' + b",".join(found) + b"]}" if found else b"{}"


def answer_batch(queries: Sequence[Query], known: AdvisorySet) -> bytes:
    """The answer to `querybatch`: ids and when they were changed, in the order of the queries. Raises `BadQuery`."""
    found: dict[Query, bytes] = {}
    return b'{"results":[' + b",".join(_bounded(_result(query, known, found) for query in queries)) + b"]}"


def _result(query: Query, known: AdvisorySet, found: dict[Query, bytes]) -> bytes:
    """Of equal questions one is worked out."""
    result = found.get(query)
    if result is None:
        vulns = [{"id": record.id, "modified": record.changed} for record in _records(query, known)]
        result = found[query] = msgspec.json.encode({"vulns": vulns} if vulns else {})
    return result


def _bounded(parts: Iterable[bytes]) -> Iterator[bytes]:
    total = 0
    for part in parts:
        total += len(part)
        if total > MAX_ANSWER_BYTES:
            raise BadQuery(f"the answer is larger than {format_size(MAX_ANSWER_BYTES)}: ask less at once")
        yield part


def _records(query: Query, known: AdvisorySet) -> Iterator[Record]:
    """The records that are not withdrawn and name the version, or any; those alone that name files do not.

    Where no rule reads the version, whatever names versions may mean it.
    """
    version = readable(query.version) if query.version is not None else None
    for advisory in known.of(query.project):
        record = known.record(advisory.id)
        if record is not None and (query.version is None or _may_mean(advisory.affects(version))):
            yield record


def _may_mean(affected: bool | None) -> bool:  # noqa: FBT001 (three answers: see Advisory.affects)
    return affected is not False

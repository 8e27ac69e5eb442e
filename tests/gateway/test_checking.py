"""Evidence is kept under the trust that made it, and believed under no other."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError
from typing import Any, cast

import pytest

from inbond.attest.wire import encode_evidence
from inbond.gateway import evidence_key
from inbond.gateway.attached import AttachedKeeper
from inbond.gateway.checking import Checker
from inbond.gateway.evidence_key import FileKey
from inbond.gateway.page_state import PageState, page_state
from inbond.gateway.provenance import Claimed, ProvenanceKeeper
from inbond.gateway.verifier import VerifierTimeout
from inbond.model.acts import Act
from inbond.model.events import CacheLookup, Event, unobserved
from inbond.model.evidence import Absent, Derivation, Rejected, Unavailable
from inbond.model.imports import Attached
from inbond.model.memory import PageMemory
from inbond.model.names import Filename, ProjectName
from inbond.model.page import File, Page
from inbond.upstream.answers import FetchedPage, ProvenanceFound, Validators
from inbond.upstream.source import Source
from stack import LocalVerifier

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
KEY = FileKey("pypi", "demo", "demo-1.0.tar.gz", "0" * 64, "https://index.example/provenance")
PROVENANCE, TRUST, OTHER = "a" * 64, "b" * 64, "c" * 64
MADE = Derivation(provenance_sha256=PROVENANCE, trusted_root_sha256=TRUST, verified_at=NOW)
FILE = File(
    filename=Filename("demo-1.0.tar.gz"), url="http://files.example/x", hashes={"sha256": "0" * 64},
    provenance="https://index.example/provenance",
)  # fmt: skip
FINDING = Rejected(reason="forged", attestations=(), derivation=MADE)


class One:
    """A store that holds the same under every key."""

    def __init__(self, value: bytes) -> None:
        self.value = value

    async def get(self, key: str) -> bytes | None:
        return self.value

    async def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        return dict.fromkeys(keys, self.value)

    async def put(self, key: str, value: bytes) -> None:
        raise AssertionError("nothing is written")

    put_soon = put

    async def delete(self, key: str) -> None:
        raise AssertionError("nothing is deleted")


class NothingAttached:
    """A ledger in which nothing is attached."""

    def decisions_version(self) -> int:
        return 1

    def attached_version(self) -> tuple[int, int]:
        return 0, 0

    async def attach(self, attached: Attached, told: Act | None = None) -> bool:
        raise AssertionError("nothing is attached")

    async def attached_to(self, upstream: str, sha256: str) -> Attached | None:
        return None

    async def all_attached(self) -> tuple[Attached, ...]:
        return ()

    async def detach(self, upstream: str, sha256: str, told: Act | None = None) -> bool:
        return False


@pytest.mark.parametrize(
    ("raw", "trust", "found"),
    [
        (encode_evidence(FINDING), TRUST, {KEY: FINDING}),
        (encode_evidence(FINDING), OTHER, {}),
        (encode_evidence(Absent()), TRUST, {}),
        (b"no evidence", TRUST, {}),
    ],
)
async def test_a_stored_finding_counts_only_under_its_own_trust(
    raw: bytes, trust: str, found: dict[FileKey, Rejected]
) -> None:
    documents = One(raw)
    provenances = ProvenanceKeeper({}, documents, lambda: NOW, unobserved)
    attached = AttachedKeeper(NothingAttached())
    checker = Checker(provenances, documents, LocalVerifier(), lambda: NOW, unobserved, attached=attached)
    claims = [(KEY, Claimed(NOW, PROVENANCE)), (KEY._replace(filename="demo-2.0.tar.gz"), Claimed(NOW, None))]
    assert await checker.stored(claims, trust) == found


def test_what_another_engine_found_is_kept_under_another_name(monkeypatch: pytest.MonkeyPatch) -> None:
    names = set()
    for package, release in (("", "0"), ("sigstore", "4.9.9"), ("pypi-attestations", "0.9.9"), ("sigstore", None)):

        def version(asked: str, package: str = package, release: str | None = release) -> str:
            if asked != package:
                return "1.0.0"
            if release is None:
                raise PackageNotFoundError(asked)
            return release

        with monkeypatch.context() as patched:
            patched.setattr(evidence_key, "version", version)
            names.add(named_anew())
    with monkeypatch.context() as patched:
        patched.setattr(evidence_key, "CHECKS", 0)
        names.add(named_anew())
    names.add(named_anew())
    assert len(names) == 6


def named_anew() -> str:
    """The name in a process that has just started."""
    evidence_key.engine.cache_clear()
    try:
        return KEY.evidence_document(PROVENANCE, TRUST)
    finally:
        evidence_key.engine.cache_clear()


async def test_a_claim_that_cannot_be_read_is_none() -> None:
    provenances = ProvenanceKeeper({}, One(b"no claim"), lambda: NOW, unobserved)
    assert await provenances.claims([KEY]) == {}
    assert await provenances._kept(KEY) is None


class Noting:
    """A store that notes what it is asked for."""

    def __init__(self) -> None:
        self.stored: dict[str, bytes] = {}
        self.asked: list[str] = []

    async def get(self, key: str) -> bytes | None:
        self.asked.append(key)
        return self.stored.get(key)

    async def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        return {key: value for key in keys if (value := await self.get(key)) is not None}

    async def put(self, key: str, value: bytes) -> None:
        self.stored[key] = value

    put_soon = put

    async def delete(self, key: str) -> None:
        del self.stored[key]

    def looked_for(self, kind: str) -> int:
        return sum(key.startswith(f"{kind}/") for key in self.asked)


class Giving:
    """An index that has provenance for every file."""

    local = False

    async def provenance(self, *_: object, **__: object) -> ProvenanceFound:
        return ProvenanceFound(body=b"{}")


class Finding:
    """A verifier that finds the same of all."""

    def __init__(self) -> None:
        self.verified = 0

    def trust_of(self, upstream: str) -> str:
        return TRUST

    async def verify(self, provenance: bytes, **_: Any) -> Rejected:
        self.verified += 1
        return FINDING


async def test_evidence_is_looked_for_unless_its_provenance_has_just_come_for_the_first_time() -> None:
    documents, verifier, told = Noting(), Finding(), list[Event]()
    source = cast("Source", Giving())
    provenances = ProvenanceKeeper({"pypi": source}, documents, lambda: NOW, unobserved)
    attached = AttachedKeeper(NothingAttached())
    checker = Checker(provenances, documents, verifier, lambda: NOW, told.append, attached=attached)
    state = await state_of(FILE)
    for _ in range(3):
        assert (await checker.check(state, FILE))[1] == FINDING
    assert (documents.looked_for("evidence"), verifier.verified) == (2, 1)
    # what had to be verified counts as a miss, looked for or not
    assert [event.hit for event in told if isinstance(event, CacheLookup)] == [False, True, True]
    # asked for anew, it may be what it was: then it is not verified again
    assert (await checker.check(state, FILE, FINDING))[1] == FINDING
    assert (documents.looked_for("evidence"), verifier.verified) == (3, 1)


async def test_where_new_provenance_cannot_be_verified_what_is_kept_of_the_same_counts() -> None:
    """Kept where the same file came by another index, say."""

    class Failing(Finding):
        async def verify(self, provenance: bytes, **_: Any) -> Rejected:
            raise VerifierTimeout("it takes too long")

    documents = Noting()
    state = await state_of(FILE)
    for stored, verifier, found in (
        (False, Failing(), Unavailable),
        (True, Finding(), Rejected),
        (True, Failing(), Rejected),
    ):
        provenances = ProvenanceKeeper({"pypi": cast("Source", Giving())}, documents, lambda: NOW, unobserved)
        attached = AttachedKeeper(NothingAttached())
        checker = Checker(provenances, documents, verifier, lambda: NOW, unobserved, attached=attached)
        documents.stored = {key: one for key, one in documents.stored.items() if stored and key.startswith("evidence/")}
        assert isinstance((await checker.check(state, FILE))[1], found)


async def state_of(file: File) -> PageState:
    page = Page(name=ProjectName("demo"), files=(file,))
    fetched = FetchedPage(page=page, validators=Validators(), received=NOW)
    return await page_state("pypi", fetched, b"", PageMemory(project_first_seen=NOW), validated_at=NOW)

"""Builders of cases for the tests of the policy: everything has a default that no rule minds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import structs

from inbond.model.evidence import (
    Absent,
    Derivation,
    EvidenceOrPending,
    Pending,
    Rejected,
    RejectedAttestation,
    Unavailable,
    Unsupported,
    UnsupportedAttestation,
    UnsupportedCause,
    Verified,
    VerifiedAttestation,
)
from inbond.model.inspection import Inspection
from inbond.model.memory import PageMemory
from inbond.model.names import Filename, ProjectName
from inbond.model.page import Claim, File, Page
from inbond.model.publisher import Forge, Publisher, SigningIdentity
from inbond.model.standing import NOTHING_STANDS, Standing
from inbond.model.verdict import Verdict
from inbond.policy.case import Case, PageCase
from inbond.policy.engine import judge_file
from inbond.policy.settings import PolicySettings, ProjectPolicy

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
OLD = NOW - timedelta(days=400)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
DIGEST = "0ace" + "0" * 60
DERIVATION = Derivation(provenance_sha256="1" * 64, trusted_root_sha256="2" * 64, verified_at=NOW)

WHEEL = Filename("demo-2.0-py3-none-any.whl")
SDIST = Filename("demo-2.0.tar.gz")


def identity_of(repository: str = "acme/demo", workflow: str = "release.yml", **facts: Any) -> SigningIdentity:
    uri = f"https://github.com/{repository}"
    signer = SigningIdentity(
        forge=Forge.GITHUB,
        issuer="https://token.actions.githubusercontent.com",
        repository=uri,
        workflow=f"{uri}/.github/workflows/{workflow}@refs/tags/v2.0",
        ref="refs/tags/v2.0",
    )
    return replace(signer, **facts)


def attestation(
    identity: SigningIdentity | None = None,
    *,
    signed_at: datetime | None = OLD,
    publish: bool = True,
    predicate_type: str = "https://predicate.example/publish/v1",
) -> VerifiedAttestation:
    return VerifiedAttestation(
        predicate_type=predicate_type,
        publish=publish,
        publisher=Publisher(forge=Forge.GITHUB, subject="acme/demo", workflow="release.yml"),
        identity=identity or identity_of(),
        signed_at=signed_at,
        log_index=1,
        trust="public",
    )


def verified(*attestations: VerifiedAttestation | UnsupportedAttestation) -> Verified:
    return Verified(attestations=attestations or (attestation(),), derivation=DERIVATION)


def unsupported(cause: UnsupportedCause = UnsupportedCause.FORMAT) -> Unsupported:
    one = UnsupportedAttestation(reason="publisher kind 'forgejo'", cause=cause)
    return Unsupported(reason="publisher kind 'forgejo'", cause=cause, attestations=(one,), derivation=DERIVATION)


ABSENT = Absent()
PENDING = Pending()
VERIFIED = verified()
REJECTED = Rejected(
    reason="the subject's digest is another",
    attestations=(RejectedAttestation(reason="the subject's digest is another"),),
    derivation=DERIVATION,
)
UNSUPPORTED = unsupported()
UNKNOWN_KEY = unsupported(UnsupportedCause.UNKNOWN_KEY)
UNAVAILABLE = Unavailable(reason="upstream answered 503", since=NOW - timedelta(minutes=10))


def file_of(name: str = WHEEL, **changes: Any) -> File:
    file = File(
        filename=Filename(name),
        url=f"http://files.example/{name}",
        hashes={"sha256": DIGEST},
        upload_time=OLD,
        provenance=Claim.SILENT,
    )
    return structs.replace(file, **changes)


def page_of(*files: File, **changes: Any) -> Page:
    return replace(Page(name=ProjectName("demo"), files=files), **changes)


def policy(**keys: Any) -> PolicySettings:
    """A policy with the keys of `ProjectPolicy` and of `PolicySettings` side by side, as the configuration has them."""
    own = {key: value for key, value in keys.items() if key in PolicySettings.__dataclass_fields__}
    base = {key: value for key, value in keys.items() if key not in own}
    return PolicySettings(base=ProjectPolicy(**base), **own)


def memory_of(
    seen: Mapping[str, datetime], *, since: datetime = OLD, digests: Mapping[str, str] | None = None
) -> PageMemory:
    return PageMemory(
        project_first_seen=since,
        first_seen={Filename(name): time for name, time in seen.items()},
        first_digest={Filename(name): digest for name, digest in (digests or {}).items()},
    )


def case_of(
    file: File | None = None,
    evidence: EvidenceOrPending = VERIFIED,
    *,
    settings: PolicySettings | None = None,
    memory: PageMemory | None = None,
    page: Page | None = None,
    now: datetime = NOW,
    inspection: Inspection | None = None,
    standing: Standing = NOTHING_STANDS,
) -> Case:
    file = file or file_of()
    shared = PageCase.of(
        index="root",
        page=page or page_of(file),
        memory=memory,
        settings=settings or policy(),
        now=now,
        standing=standing,
    )
    return Case(shared=shared, file=file, evidence=evidence, inspection=inspection)


def verdict_on(
    file: File,
    evidence: EvidenceOrPending = VERIFIED,
    *,
    settings: PolicySettings | None = None,
    memory: PageMemory | None = None,
    beside: Iterable[tuple[File, EvidenceOrPending]] = (),
    now: datetime = NOW,
    standing: Standing = NOTHING_STANDS,
) -> Verdict:
    others = list(beside)
    return judge_file(
        index="root",
        page=page_of(file, *(other for other, _ in others)),
        file=file,
        memory=memory,
        settings=settings or policy(),
        evidence={file.filename: evidence, **{other.filename: known for other, known in others}},
        now=now,
        standing=standing,
    )

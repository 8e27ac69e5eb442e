"""A small language in which a project's history is written, and what continuity makes of it day by day.

    History("the workflow is renamed", [*monthly("1.0", "1.1", "1.2"), *monthly("1.3", by=RENAMED, since=90)])

Days count from the first release. Every file is looked at once an hour or so after it came and then each day, as long
as it could be held, and much later; the policy is the default, without the cooldown, so that nothing but continuity
holds anything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from inbond.model.decisions import Pin
from inbond.model.evidence import EvidenceOrPending, Unavailable
from inbond.model.memory import PageMemory
from inbond.model.names import Filename, ProjectName
from inbond.model.page import Claim, File, Page
from inbond.model.publisher import Forge, PublisherPattern, SigningIdentity
from inbond.model.standing import NOTHING_STANDS, Established, Standing
from inbond.model.verdict import Finding, Outcome, Verdict
from inbond.policy.engine import established_by, judge_page
from inbond.policy.settings import PolicySettings
from policy.cases import ABSENT, attestation, policy, verified

START = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
WATCHED = 9  # days after a file came: longer than the hold
MUCH_LATER = (30, 400)  # days after: what never ends is in force still
PROJECT = ProjectName("demo")
NAMES = {
    "wheel": "demo-{}-py3-none-any.whl",
    "sdist": "demo-{}.tar.gz",
    "linux": "demo-{}-cp311-cp311-manylinux_2_17_x86_64.whl",
    "musl": "demo-{}-cp311-cp311-musllinux_1_2_x86_64.whl",
    "mac": "demo-{}-cp311-cp311-macosx_11_0_arm64.whl",
    "win": "demo-{}-cp311-cp311-win_amd64.whl",
    "arm": "demo-{}-cp311-cp311-manylinux_2_17_aarch64.whl",
    "any or win": "demo-{}-py3-none-any.win_amd64.whl",
}
REFS = {"tag": "refs/tags/v{}", "branch": "refs/heads/main", "pull request": "refs/pull/7/merge"}


@dataclass(frozen=True, kw_only=True)
class By:
    """Who publishes, and how."""

    repository: str = "acme/demo"
    id: str | None = "1001"
    owner: str | None = "7"
    workflow: str = "release.yml"
    ref: str = "tag"
    forge: Forge = Forge.GITHUB
    trigger: str = "release"
    environment: str | None = None
    called: str | None = None  # a reusable workflow that did the work

    def identity(self, version: str) -> SigningIdentity:
        """What the certificate proves."""
        if self.forge is Forge.GOOGLE:
            return SigningIdentity(forge=self.forge, issuer="https://accounts.example", subject=self.repository)
        host, path = ("github.com", "/.github/workflows/") if self.forge is Forge.GITHUB else ("gitlab.com", "//")
        uri, ref = f"https://{host}/{self.repository}", REFS[self.ref].format(version)
        workflow = f"{uri}{path}{self.workflow}@{ref}"
        return SigningIdentity(
            forge=self.forge,
            issuer=f"https://token.{host}",
            repository=uri,
            repository_id=self.id,
            owner_id=self.owner,
            workflow=workflow,
            build_signer=self.called or workflow,
            ref=ref,
            trigger=self.trigger,
            environment=self.environment,
        )


USUAL = By()


@dataclass(frozen=True, kw_only=True)
class Upload:
    """Files of one version that came on one day. `by`: None for a token; `differing` says it of single kinds."""

    version: str
    day: float
    by: By | None = USUAL
    kinds: tuple[str, ...] = ("wheel", "sdist")
    differing: Mapping[str, By | None] = field(default_factory=dict)
    yanked_on: float | None = None
    removed_on: float | None = None
    dated: float | None = None  # the day that the index gives instead
    is_unavailable: bool = False  # its provenance


def monthly(
    *versions: str, since: float = 0, every: float = 30, unavailable: Collection[str] = (), **facts: Any
) -> list[Upload]:
    """Releases at even distances."""
    return [
        Upload(version=version, day=since + number * every, is_unavailable=version in unavailable, **facts)
        for number, version in enumerate(versions)
    ]


@dataclass(frozen=True, kw_only=True)
class Stop:
    """A file that continuity stopped: from when it came until so many days later. None: it is stopped still."""

    filename: str
    finding: str
    message: str
    outcome: Outcome
    days: float | None


@dataclass(frozen=True)
class History:
    """A project's life in uploads. `seen_from`: the day on which inbond first sees the page; None: it always did."""

    title: str
    uploads: Sequence[Upload]
    seen_from: float | None = None
    pins: tuple[Pin, ...] = ()
    keys: Mapping[str, Any] = field(default_factory=dict)

    def settings(self) -> PolicySettings:
        """The default policy without the cooldown."""
        return policy(min_age=timedelta(0), **self.keys)

    def page(self, day: float) -> Page:
        """What the index offers on a day."""
        there = [one for one in self.uploads if one.day <= day and (one.removed_on is None or day < one.removed_on)]
        return Page(name=PROJECT, files=tuple(file for one in there for file in _files(one, day)))

    def evidence(self) -> dict[Filename, EvidenceOrPending]:
        """What there is to be known of all files, whenever they came."""
        return {name: known for one in self.uploads for name, known in _evidence(one).items()}

    def memory(self, day: float) -> PageMemory | None:
        """What the ledger remembers on a day."""
        if self.seen_from is None:
            return None
        seen = {
            file.filename: at(max(upload.day, self.seen_from))
            for upload in self.uploads
            if upload.day <= day
            for file in _files(upload, day)
        }
        return PageMemory(project_first_seen=at(self.seen_from), first_seen=seen)

    def world(self, day: float, standing: Standing = NOTHING_STANDS) -> dict[str, Any]:
        """What `judge_page` and its likes are asked with."""
        return {
            "index": "root",
            "page": self.page(day),
            "memory": self.memory(day),
            "settings": self.settings(),
            "evidence": self.evidence(),
            "now": at(day),
            "standing": standing,
        }

    def verdicts(self, day: float, standing: Standing = NOTHING_STANDS) -> Mapping[Filename, Verdict]:
        """The verdicts on a day."""
        return judge_page(**self.world(day, standing))

    def looks(self) -> list[float]:
        """The days on which somebody looks."""
        first = self.seen_from or 0
        days = {one.day + after for one in self.uploads for after in (0.05, *range(1, WATCHED + 1), *MUCH_LATER)}
        return sorted(day for day in days if day >= first)

    def stops(self) -> list[Stop]:
        """All that continuity stops, in the order in which it came; memory is written as it would be."""
        established: dict[tuple[str, str], Established] = {}
        last: dict[str, tuple[float, Finding]] = {}
        over: dict[str, float] = {}
        for day in self.looks():
            standing = Standing(pins=self.pins, established=tuple(established.values()))
            found = established_by(files=self.page(day).files, **self.world(day, standing))
            established.update({(one.repository, one.repository_id): one for one in found})
            standing = Standing(pins=self.pins, established=tuple(established.values()))
            for name, verdict in self.verdicts(day, standing).items():
                finding = next((one for one in verdict.findings if one.rule == "continuity"), None)
                if finding is not None and finding.outcome >= Outcome.HOLD:
                    assert name not in over, f"{name} was let through and is stopped again: {finding.message}"
                    last.setdefault(name, (day, finding))
                elif name in last:
                    over.setdefault(name, day)
        return [self._stop(name, finding, over.get(name)) for name, (_, finding) in last.items()]

    def _stop(self, name: str, finding: Finding, over: float | None) -> Stop:
        came = next(one.day for one in self.uploads if name in [file.filename for file in _files(one, one.day)])
        ends = [time for time in (finding.until, None if over is None else at(over)) if time is not None]
        days = None if over is None else (min(ends) - at(came)) / DAY
        return Stop(filename=name, finding=finding.id, message=finding.message, outcome=finding.outcome, days=days)


def at(day: float) -> datetime:
    """A day of a history as a time."""
    return START + day * DAY


def pinned(publisher: str, repository_id: str | None = None) -> Pin:
    """A pin of the project."""
    pattern = PublisherPattern.parse(publisher)
    return Pin(project=PROJECT, publisher=pattern, repository_id=repository_id, reason="asked them", by="ops")


def _files(upload: Upload, day: float) -> Iterable[File]:
    for kind in upload.kinds:
        name = NAMES[kind].format(upload.version)
        yield File(
            filename=Filename(name),
            url=f"http://files.example/{name}",
            hashes={"sha256": hashlib.sha256(name.encode()).hexdigest()},
            upload_time=at(upload.day if upload.dated is None else upload.dated),
            yanked=upload.yanked_on is not None and day >= upload.yanked_on,
            provenance=Claim.NONE if _by(upload, kind) is None else f"http://index.example/{name}/provenance",
        )


@cache
def _signed(by: By, version: str, day: float) -> EvidenceOrPending:
    return verified(attestation(by.identity(version), signed_at=at(day)))


def _evidence(upload: Upload) -> Mapping[Filename, EvidenceOrPending]:
    found: dict[Filename, EvidenceOrPending] = {}
    for kind in upload.kinds:
        by = _by(upload, kind)
        known = ABSENT if by is None else _signed(by, upload.version, upload.day)
        if upload.is_unavailable:
            known = Unavailable(reason="upstream answered 503", since=at(upload.day))
        found[Filename(NAMES[kind].format(upload.version))] = known
    return found


def _by(upload: Upload, kind: str) -> By | None:
    return upload.differing.get(kind, upload.by)
